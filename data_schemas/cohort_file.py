"""A cohort file becomes a table as it stands; what a spreadsheet leaves open is refused.

A CSV file of a German or French spreadsheet has semicolons, decimal commas and an encoding of its
own. It is recognised and told how to be rewritten, never guessed at: ``1,234`` is one number there
and a thousand times another one here.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from data_schemas.cohort_refusal import CohortRefused, Violation
from data_schemas.foreign_numbers import (
    ForeignNumbers,
    foreign_between_commas,
    foreign_numbers,
    rewriting_line,
)

_SEPARATORS = {";": ("semicolons", ";"), "\t": ("tabs", "\\t")}
"""What else separates fields: its name, and how it is written in Python."""
_TEXT = {"patient_id": str, "site": str}
"""Names, although they may look like numbers: ``0042`` is another patient than ``42``."""
_MISSING = ["", "#N/A", "<NA>", "N/A", "n/a", "NA", "NaN", "nan", "NULL", "null"]
"""Without ``None``, which pandas adds: no bridging is ``none``, and is no missing bridging."""
_FIELDS = (
    "put text that holds a comma between double quotes, and write numbers with a decimal point"
)


def read_file(path: Path) -> pd.DataFrame:
    """Read a Parquet or CSV file.

    Raises
    ------
    CohortRefused
        If there is none, or it is not what its name says; every reason, each with its remedy.
    """
    if not path.is_file():
        raise _refused("no_such_file", "the cohort file does not exist")
    kind = path.suffix.lower()
    if kind not in (".parquet", ".csv"):
        message = 'a cohort is a .parquet or a .csv file: save a spreadsheet as "CSV UTF-8"'
        raise _refused("unknown_format", message)
    try:
        return pd.read_parquet(path) if kind == ".parquet" else _read_csv(path)
    except CohortRefused:
        raise
    except pd.errors.ParserError:
        message = f"its rows differ in how many fields they have: {_FIELDS}"
        raise _refused("unreadable", message) from None
    except (ValueError, OSError, csv.Error) as error:
        message = f"the file cannot be read as {kind[1:]} ({type(error).__name__})"
        raise _refused("unreadable", message) from None


def _refused(rule: str, message: str) -> CohortRefused:
    return CohortRefused([Violation("(file)", rule, message)])


def _read_csv(path: Path) -> pd.DataFrame:
    _refuse_foreign(path)
    table = pd.read_csv(path, dtype=_TEXT, keep_default_na=False, na_values=_MISSING)
    if not isinstance(table.index, pd.RangeIndex):
        # pandas took the first column for row names: all others would stand one to the left.
        raise _refused("unreadable", f"its rows have more fields than its header: {_FIELDS}")
    return table


@dataclass(frozen=True)
class _Written:
    """How a CSV file is written, where that is not as a cohort is: else empty or false."""

    encoding: str
    separator: str
    numbers: ForeignNumbers


def _how_written(path: Path) -> _Written:
    with path.open("rb") as file:
        header = file.readline()
        separator = _separator(header)
        is_utf8 = _is_utf8(header) and all(map(_is_utf8, file))
    other = "utf-16" if header.startswith((b"\xff\xfe", b"\xfe\xff")) else "cp1252"
    encoding = "" if is_utf8 else other
    readable = encoding or "utf-8-sig"
    if separator:
        numbers = foreign_numbers(path, readable, separator)
    else:
        numbers = foreign_between_commas(path, readable)
    return _Written(encoding, separator, numbers)


def _refuse_foreign(path: Path) -> None:
    """Refuse what a spreadsheet of another language writes differently, all at once."""
    written = _how_written(path)
    found: dict[str, str] = {}
    arguments = []
    if written.encoding:
        arguments.append(f'encoding="{written.encoding}"')
        found["not_utf8"] = (
            f'must be in UTF-8, and is not (perhaps {written.encoding}): save it as "CSV UTF-8"'
        )
    if written.separator:
        name, literal = _SEPARATORS[written.separator]
        arguments.append(f'sep="{literal}"')
        found["not_commas"] = f"must be separated by commas, and is by {name}"
    if written.numbers.decimal_comma:
        message = "must have decimal points: 1,5 is not read, since a comma may mark thousands"
        found["decimal_comma"] = message
    if written.numbers.thousands:
        columns = ", ".join(written.numbers.thousands)
        found["thousands_point"] = (
            "must not mark thousands by points, and 1.850 seems to mean 1850 in the columns "
            f"{columns}: take out of the line that follows whose points are decimal points, and "
            "write those with other decimals than three, 1.85"
        )
    if found:
        rewrite = rewriting_line(arguments, written.numbers)
        found[list(found)[-1]] += f"; to rewrite the file: {rewrite}"
        raise CohortRefused(Violation("(file)", *broken) for broken in found.items())


def _separator(header: bytes) -> str:
    """Return what separates the names of a header where it is not commas, else nothing."""
    counts = {s: header.count(s.encode()) for s in _SEPARATORS}
    return next((s for s, count in counts.items() if count > header.count(b",")), "")


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
