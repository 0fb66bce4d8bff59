"""Reads the evidence tables and cross-checks them: all holds, or every problem is named."""

import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError

from data_schemas.evidence.association_row import Association
from data_schemas.evidence.distribution_row import Distribution
from data_schemas.evidence.incidence_row import Incidence
from data_schemas.evidence.performance_row import Performance
from data_schemas.evidence.row import EvidenceRow, Reference
from data_schemas.refusal import Refused

RawRow: TypeAlias = Mapping[str, Any]
Record = TypeVar("Record", bound=BaseModel)

REFERENCES = "references.toml"
# File, name of its tables, record: in this order rows are read and problems are listed.
TABLES: tuple[tuple[str, str, type[EvidenceRow]], ...] = (
    ("incidence.toml", "incidence", Incidence),
    ("associations.toml", "association", Association),
    ("distributions.toml", "distribution", Distribution),
    ("performance.toml", "performance", Performance),
)
REMEDIES = {
    "extra_forbidden": "correct the spelling or remove the key",
    "missing": "add the key",
    "literal_error": "use one of these words",
    "string_pattern_mismatch": "write it in this form",
}


class Problem(NamedTuple):
    """One thing wrong with the evidence: where it is, which limit it breaks, and the remedy."""

    file: str
    row: str
    field: str
    limit: str
    remedy: str

    def __str__(self) -> str:
        """One line for a reader: where, what, remedy."""
        return f"{self.file} [{self.row}] {self.field}: {self.limit}; {self.remedy}"


class EvidenceError(Refused):
    """The evidence contradicts itself; ``problems`` lists every contradiction found."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        """Keep the problems and write one line for each."""
        self.problems = problems
        lines = "\n".join(f"  {problem}" for problem in problems)
        super().__init__(f"{len(problems)} problem(s) in the evidence:\n{lines}")


@dataclass(frozen=True)
class Evidence:
    """All published evidence, checked: references by key and four tables of rows in file order."""

    references: Mapping[str, Reference]
    incidence: tuple[Incidence, ...]
    associations: tuple[Association, ...]
    distributions: tuple[Distribution, ...]
    performance: tuple[Performance, ...]
    _by_id: Mapping[str, EvidenceRow] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the rows once; the record stays frozen."""
        object.__setattr__(self, "_by_id", MappingProxyType({row.id: row for row in self.rows()}))

    def rows(self) -> Iterator[EvidenceRow]:
        """Every row of the four tables."""
        return chain(self.incidence, self.associations, self.distributions, self.performance)

    def row(self, row_id: str) -> Any:
        """The row with this id, whichever table holds it; KeyError if none does."""
        return self._by_id[row_id]


def load_evidence(directory: Path | None = None) -> Evidence:
    """Read and check the evidence tables.

    Parameters
    ----------
    directory
        Folder with the five TOML files; None for the packaged ones, read once per process.

    Returns
    -------
    Evidence
        Frozen records. Percentages in %, ratios without unit, AUC from 0 to 1; every row cites a
        published source and carries its mark (see ``EvidenceRow.mark``).

    Raises
    ------
    EvidenceError
        If anything is wrong; all problems are listed together.
    """
    return _packaged_evidence() if directory is None else _read(directory)


@cache
def _packaged_evidence() -> Evidence:
    """The evidence shipped with the package."""
    return _read(files("data_schemas.evidence"))


def _read(directory: Traversable | Path) -> Evidence:
    """Parse, validate row by row, then check between rows; raise all problems at once."""
    problems: list[Problem] = []
    raw_references = _parse(directory, REFERENCES, problems)
    references = {
        key: record
        for key, raw in raw_references.items()
        if (record := _validate(Reference, REFERENCES, key, raw, problems)) is not None
    }
    raw_tables: dict[str, list[RawRow]] = {}
    records: dict[type[EvidenceRow], tuple[Any, ...]] = {}
    for file, name, model in TABLES:
        raw_tables[file] = _raw_rows(directory, file, name, problems)
        validated = [
            _validate(model, file, _row_name(raw, number), raw, problems)
            for number, raw in enumerate(raw_tables[file], start=1)
        ]
        records[model] = tuple(record for record in validated if record is not None)
    problems += _duplicate_problems(raw_references, raw_tables)
    problems += _citation_problems(raw_references, raw_tables)
    problems += _overlap_problems(raw_tables)
    if problems:
        raise EvidenceError(tuple(problems))
    return Evidence(
        references=MappingProxyType(references),
        incidence=records[Incidence],
        associations=records[Association],
        distributions=records[Distribution],
        performance=records[Performance],
    )


def _parse(directory: Traversable | Path, file: str, problems: list[Problem]) -> dict[str, Any]:
    """The TOML document, or an empty one and a problem."""
    try:
        return tomllib.loads((directory / file).read_text(encoding="utf-8"))
    except FileNotFoundError:
        problems.append(Problem(file, "-", "-", "the file is missing", "restore it"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problems.append(Problem(file, "-", "-", f"not TOML: {error}", "correct the line"))
    return {}


def _raw_rows(
    directory: Traversable | Path, file: str, name: str, problems: list[Problem]
) -> list[RawRow]:
    """The tables of one file as they stand; a table of another name is a problem, not silence."""
    document = _parse(directory, file, problems)
    problems.extend(
        Problem(file, "-", key, "is not a table of this file", f"use [[{name}]]")
        for key in document
        if key != name
    )
    rows = document.get(name, [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        problems.append(Problem(file, "-", name, "must be a list of tables", f"use [[{name}]]"))
        return []
    return rows


def _row_name(raw: RawRow, number: int) -> str:
    """The id of a row, or its place if it has none."""
    return str(raw.get("id", f"row {number}"))


def _validate(
    model: type[Record], file: str, row: str, raw: RawRow, problems: list[Problem]
) -> Record | None:
    """The record, or None; in both cases every broken rule of the row joins the problems."""
    record: Record | None = None
    try:
        record = model.model_validate(raw)
        judged = record
    except ValidationError as error:
        problems.extend(broken_rules(error, file, row))
        bad = {detail["loc"][0] for detail in error.errors() if detail["loc"]}
        if not isinstance(raw, Mapping):
            return None
        # The sound part of a broken row is judged too, so that one reading shows everything.
        judged = _sound_part(model, raw, bad)
    if isinstance(judged, EvidenceRow):
        problems.extend(Problem(file, row, *finding) for finding in judged.findings())
    return record


def broken_rules(error: ValidationError, file: str, row: str) -> Iterator[Problem]:
    """Every rule of its record that a row breaks, as a problem of the evidence."""
    for detail in error.errors(include_url=False, include_context=False):
        place = ".".join(map(str, detail["loc"])) or "-"
        remedy = REMEDIES.get(detail["type"], "compare with the source")
        yield Problem(file, row, place, detail["msg"], remedy)


def _sound_part(model: type[Record], raw: RawRow, bad: set[Any]) -> Record:
    """The row with its unsound fields at their defaults, but remembered as given."""
    fields = model.model_fields
    values = {name: None if info.is_required() else info.default for name, info in fields.items()}
    values |= {name: raw[name] for name in raw if name in fields and name not in bad}
    return model.model_construct(_fields_set=set(raw), **values)


def _texts(value: Any) -> tuple[str, ...]:
    """The texts of a raw list; what is not text was already named a problem of its own field."""
    return tuple(text for text in value if isinstance(text, str)) if isinstance(value, list) else ()


def _duplicate_problems(
    references: Mapping[str, Any], tables: Mapping[str, list[RawRow]]
) -> Iterator[Problem]:
    """An id names one row over all tables; a DOI or PMID names one reference."""
    ids = Counter(str(row["id"]) for rows in tables.values() for row in rows if "id" in row)
    for file, rows in tables.items():
        for row_id in sorted({str(row["id"]) for row in rows if "id" in row}):
            if ids[row_id] > 1:
                limit = f"stands {ids[row_id]} times"
                yield Problem(file, row_id, "id", limit, "give each row its own id")
    for kind in ("doi", "pmid"):
        seen: dict[str, str] = {}
        for key, reference in references.items():
            value = str(reference.get(kind, "")).lower() if isinstance(reference, dict) else ""
            if value and value in seen:
                limit = f"{value} is also that of {seen[value]}"
                yield Problem(REFERENCES, key, kind, limit, "merge the two references")
            seen.setdefault(value, key)


def _citation_problems(
    references: Mapping[str, Any], tables: Mapping[str, list[RawRow]]
) -> Iterator[Problem]:
    """Every row cites a known reference, and every reference is cited."""
    cited: set[str] = set()
    for file, rows in tables.items():
        for number, row in enumerate(rows, start=1):
            for key in (*_texts([row.get("reference")]), *_texts(row.get("also"))):
                cited.add(key)
                if key not in references:
                    limit, name = f"{key!r} is not in {REFERENCES}", _row_name(row, number)
                    yield Problem(file, name, "reference", limit, "add the reference")
    for key in references:
        if key not in cited:
            yield Problem(REFERENCES, key, "-", "no row cites it", "remove it or cite it")


def _overlap_problems(tables: Mapping[str, list[RawRow]]) -> Iterator[Problem]:
    """Overlaps stay within a table; the row that stands for an overlapping cohort is pooled."""
    for file, rows in tables.items():
        role_of = {str(row.get("id")): row.get("role") for row in rows}
        for number, row in enumerate(rows, start=1):
            name = _row_name(row, number)
            for other in _texts(row.get("overlaps_with")):
                if other not in role_of or other == row.get("id"):
                    limit = f"{other!r} is not another row of this file"
                    yield Problem(file, name, "overlaps_with", limit, "correct the id")
                elif row.get("role") == "overlapping" and role_of[other] != "base_rate":
                    limit = f"{other!r} is not a base_rate"
                    yield Problem(file, name, "overlaps_with", limit, "name the pooled row")
