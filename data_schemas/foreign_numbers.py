"""Numbers of a spreadsheet in another language, and the line of Python that writes them anew.

In German ``1.850,5`` is 1850.5. Whoever reads the comma as a decimal point must take the point out
too, or ``1.850`` becomes 1.85: a thousand times too little, and a possible ferritin.
"""

import csv
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from data_schemas.cohort_columns import ADMINISTRATIVE

_DECIMAL_COMMA = re.compile(r"\s*[<>]?\s*[-+]?(\d+|\d{1,3}(\.\d{3})+),\d+\s*")
_DECIMAL_POINT = re.compile(r"\s*[<>]?\s*[-+]?(0\.\d+|\d+\.\d{1,2})\s*")
_THOUSANDS = re.compile(r"\s*[<>]?\s*[-+]?[1-9]\d{0,2}(\.\d{3})+(,\d+)?\s*")
"""No date is written so (``03.11.2021``), and no number below one (``0.125``)."""
_SURE_COMMA = re.compile(r"\s*[<>]?\s*[-+]?(\d{1,3}(\.\d{3})+,\d+|\d+,(\d{1,2}|\d{4,}))\s*")
"""No comma that marks thousands, as that of ``1,850`` may."""
_HUNDREDS = re.compile(r"\s*[<>]?\s*[1-9]\d\d\s*")
_NO_THOUSANDS = re.compile(r"\s*[<>]?\s*[-+]?(0\.\d+|\d+\.(\d{1,2}|\d{4,})|[1-9]\d{3,})\s*")
"""A column that writes 1850 or 8.4 marks no thousands by points."""
_MAY_MARK_THOUSANDS = re.compile(rb"[1-9]\d{0,2}\.\d{3}(?!\d)")

_WITHOUT_POINTS = r"""{r"\.(?=\d{3}(\D|$))": ""}"""
_WITH_POINT = r"""replace(r"^([<>\s]*[-+]?\d+),(\d+\s*)$", r"\1.\2", regex=True)"""


@dataclass(frozen=True)
class ForeignNumbers:
    """How the numbers of a file are written, where that is not as a cohort's are."""

    decimal_comma: bool
    thousands: tuple[str, ...]
    """The columns in which a point seems to mark thousands."""


def foreign_numbers(path: Path, encoding: str, separator: str) -> ForeignNumbers:
    """Look at every cell of a file whose fields are separated by something else than commas.

    A point before three digits is taken for one that marks thousands, but in a file in which
    points, and no commas, stand before other decimals.
    """
    comma = point = False
    thousands: dict[str, None] = {}
    with path.open(encoding=encoding, errors="replace", newline="") as file:
        rows = csv.reader(file, delimiter=separator)
        header = next(rows, [])
        for row in rows:
            for column, cell in zip(header, row, strict=False):
                comma = comma or bool(_DECIMAL_COMMA.fullmatch(cell))
                point = point or bool(_DECIMAL_POINT.fullmatch(cell))
                if _THOUSANDS.fullmatch(cell) and column not in ADMINISTRATIVE:
                    thousands[column] = None
    return ForeignNumbers(comma, tuple(thousands) if comma or not point else ())


def foreign_between_commas(path: Path, encoding: str) -> ForeignNumbers:
    """Look for points that mark thousands in a file whose fields are separated by commas.

    Its other numbers may well have decimal points. Points are taken for marks of thousands in a
    column without any other decimals and without a number of four digits, where the file has
    decimal commas, or where the column has whole numbers of hundreds beside them.
    Without such a column nothing is foreign: a comma in a number is refused in its row.
    """
    with path.open("rb") as lines:
        if not any(map(_MAY_MARK_THOUSANDS.search, lines)):
            return ForeignNumbers(decimal_comma=False, thousands=())
    comma = False
    kinds = {kind: set[str]() for kind in (_THOUSANDS, _HUNDREDS, _NO_THOUSANDS)}
    with path.open(encoding=encoding, errors="replace", newline="") as file:
        rows = csv.reader(file)
        header = next(rows, [])
        for row in rows:
            for column, cell in zip(header, row, strict=False):
                comma = comma or bool(_SURE_COMMA.fullmatch(cell))
                for kind, columns in kinds.items():
                    if column not in columns and kind.fullmatch(cell):
                        columns.add(column)
    marked = kinds[_THOUSANDS] - kinds[_NO_THOUSANDS] - set(ADMINISTRATIVE)
    if not comma:
        marked &= kinds[_HUNDREDS]
    thousands = tuple(column for column in header if column in marked)
    return ForeignNumbers(comma and bool(thousands), thousands)


def rewriting_line(arguments: Iterable[str], numbers: ForeignNumbers) -> str:
    """Return the line of Python that rewrites a file as a cohort is written.

    Every cell is read as the text that stands there: pandas would make 7 of the patient ``007``,
    3112021 of the date ``03.11.2021``, and leave ``3,31`` as it is in a column with one ``n.b.``.

    Parameters
    ----------
    arguments
        What ``pandas.read_csv`` must be told of encoding and separator.
    """
    steps = [
        f"pandas.read_csv({', '.join(['FILE', *arguments])}, dtype=str, keep_default_na=False)"
    ]
    if numbers.thousands:
        columns = json.dumps(numbers.thousands, ensure_ascii=False)
        steps.append(f"replace({{c: {_WITHOUT_POINTS} for c in {columns}}}, regex=True)")
    if numbers.decimal_comma:
        steps.append(_WITH_POINT)
    return ".".join([*steps, "to_csv(NEW, index=False)"])
