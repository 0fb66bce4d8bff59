"""What the synthesis reads must stand in the evidence: nothing is read that is not there."""

from collections.abc import Iterable, Iterator
from typing import Any

from data_schemas.evidence import Evidence, EvidenceError, Problem
from data_schemas.evidence.loading import TABLES
from training.synthesis.figures import Kind, Step, rows_of

Needed = tuple[str, tuple[str, ...]]
"""A row id, and the fields that are read from the row."""

_READ: dict[Kind, tuple[str, ...]] = {
    "doubling": ("effect",),
    "threshold": ("effect",),
    "unit": ("effect", "per"),
    "z": ("effect", "n"),
    "pair": ("percent_exposed", "percent_unexposed", "n"),
    "auc": ("effect", "n"),
}
_FILES = {record: file for file, _, record in TABLES}
_REMEDY = "give it as its source does, or read the effect from another figure"


def severe_percentage(outcome: str) -> str:
    """Return the field of a cohort that holds the percentage with the outcome."""
    return "crs_severe_pct" if outcome == "severe_crs" else "icans_severe_pct"


def refuse_missing(evidence: Evidence, needed: Iterable[Needed]) -> None:
    """Refuse evidence that lacks a row, or a field of a row, that numbers are read from.

    Raises
    ------
    EvidenceError
        With every such row and field.
    """
    _refuse(p for row_id, fields in needed for p in _missing(evidence, row_id, fields))


def refuse_unreadable(evidence: Evidence, outcome: str, steps: Iterable[Step]) -> None:
    """Refuse evidence in which a figure that effects on an outcome are read from cannot be read.

    Raises
    ------
    EvidenceError
        With every such row and field; so is a row that says of itself that it is not usable.
    """
    _refuse(p for step in steps for p in _unreadable(evidence, outcome, step))


def _refuse(problems: Iterable[Problem]) -> None:
    if found := tuple(dict.fromkeys(problems)):
        raise EvidenceError(found)


def _unreadable(evidence: Evidence, outcome: str, step: Step) -> Iterator[Problem]:
    kind, row_id, _ = step
    if kind == "cohorts":
        for cohort in rows_of(step):
            yield from _missing(evidence, cohort, ("n_treated", severe_percentage(outcome)))
        return
    yield from _missing(evidence, row_id, _READ[kind])
    row = _row(evidence, row_id)
    if row is None:
        return
    if not row.usable:
        limit = "is false, but an effect is read from the row"
        yield Problem(_FILES[type(row)], row_id, "usable", limit, "read it from another figure")
    if kind == "pair" and row.n_exposed is None and row.events is None:
        limit = "neither is there, but where the cut lies is read from one of them"
        yield Problem(_FILES[type(row)], row_id, "n_exposed, events", limit, _REMEDY)


def _missing(evidence: Evidence, row_id: str, fields: tuple[str, ...]) -> Iterator[Problem]:
    row = _row(evidence, row_id)
    if row is None:
        yield Problem("-", row_id, "id", "no table has this row, but it is read", _REMEDY)
        return
    for field in fields:
        if getattr(row, field) is None:
            limit = "is not there, but it is read"
            yield Problem(_FILES[type(row)], row_id, field, limit, _REMEDY)


def _row(evidence: Evidence, row_id: str) -> Any:
    """Return the row of this id, None where no table has it."""
    try:
        return evidence.row(row_id)
    except KeyError:
        return None
