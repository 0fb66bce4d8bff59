"""Assessed patients with reported outcomes, as a cohort file to learn from or to judge by.

Values stand in the predictors' own units; a grade that is no event yet, because the patient was not
observed to the end of its horizon, is left empty.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import pandas as pd

from data_schemas.cohort_columns import columns_of
from data_schemas.cohort_table import (
    MEASURED_AT,
    SYNTHETIC,
    CohortRefused,
    Purpose,
    Violation,
    read_cohort,
)
from data_schemas.outcomes import OUTCOMES
from data_schemas.predictors import PREDICTORS
from data_schemas.refusal import Refused
from data_schemas.toxicity_grading import GradingScale
from serving.assessed_patients import HASH_ONLY, AssessedPatient, AssessedPatients
from serving.whole_file import FOR_ITS_OWNER, whole_file

NUMBERED = "row-"
"""How a patient is called of whom the log knows no pseudonym: by the row of the file."""
BEFORE = "infused before --since"
COPY = "with the very values of another one, infused on the same day"
_COPIED = "duplicated_row"
_NOT_OF_A_PATIENT = ("patient_id", "site")
_KINDS = (".csv", ".parquet")
_HOW_TO_KEEP_INPUTS = (
    "the log keeps only a hash of what was sent (CART_RISK_LOG_INPUTS=hash), so that nothing can "
    "be read back: what is assessed while it is set to encrypted can be"
)


class NothingToExport(Refused):
    """The log holds no patient who could be a row of a cohort."""


class ReportedCohort(NamedTuple):
    """A cohort, the assessments that its rows come from, and how many were left out, why."""

    table: pd.DataFrame
    assessments: frozenset[UUID]
    left_out: Mapping[str, int]
    """Assessments."""
    patients_left_out: dict[str, int]


def expect_cohort_file(out: Path) -> None:
    """Refuse a file that no cohort could be written to, or read from."""
    if out.suffix not in _KINDS:
        raise Refused("--out: a cohort is a .parquet or a .csv file")
    if not out.parent.is_dir():
        raise Refused("--out: there is no such directory: make it first")


def reported_cohort(
    found: AssessedPatients, site: str, *, since: date | None = None, simulated: bool = False
) -> ReportedCohort:
    """Return the patients as a cohort.

    Parameters
    ----------
    since
        Only patients infused on this day or later: those before may have had a hand in the model.
    simulated
        Whether the patients were invented, which the log cannot know.

    Raises
    ------
    NothingToExport
        If no patient is left; it says why, and what to do about it.
    """
    patients = [p for p in found.patients if since is None or p.infused >= since]
    left_out: dict[str, int] = {}
    if before := len(found.patients) - len(patients):
        left_out[BEFORE] = before
    if not patients:
        raise NothingToExport(_why_nothing([*found.left_out, *left_out]))
    table = _table([_row(p) for p in patients], site)
    if reasons := _refused_one_by_one(table):
        left_out |= Counter(reasons.values())
        patients = [p for row, p in enumerate(patients) if row not in reasons]
        if not patients:
            raise NothingToExport(_why_nothing([*found.left_out, *left_out]))
        table = _table([_row(p) for p in patients], site)
    copies = _copies(table)
    kept = (p for p, is_copy in zip(patients, copies, strict=True) if not is_copy)
    assessments = frozenset(id for patient in kept for id in patient.assessments)
    table = table[~copies].reset_index(drop=True)
    number = pd.Series([f"{NUMBERED}{i + 1}" for i in table.index], index=table.index)
    table["patient_id"] = table["patient_id"].where(table["patient_id"] != "", number)
    if simulated:
        table[SYNTHETIC] = "yes"
    if copies.any():
        left_out[COPY] = int(copies.sum())
    return ReportedCohort(table, assessments, found.left_out, left_out)


def _why_nothing(reasons: list[str]) -> str:
    if not reasons:
        return (
            "no outcome was reported of an assessment that can still be read: report outcomes to "
            "POST /v1/outcomes first"
        )
    if reasons == [HASH_ONLY]:
        return _HOW_TO_KEEP_INPUTS
    listed = "\n".join(f"  - {reason}" for reason in reasons)
    return f"outcomes were reported only of assessments that cannot be a cohort:\n{listed}"


def _row(patient: AssessedPatient) -> dict[str, object]:
    request, outcome = patient.request, patient.outcome
    row: dict[str, object] = {
        "patient_id": patient.pseudonym or "",
        "infusion_date": patient.infused.isoformat(),
    }
    for name in PREDICTORS:
        value = request.values.get(name)
        row[_column(name)] = {True: "yes", False: "no"}[value] if isinstance(value, bool) else value
        measured = request.measurements.get(name)
        if measured is not None and measured.measured_on is not None:
            row[f"{name}{MEASURED_AT}"] = measured.measured_on.isoformat()
    for name, declared_outcome in OUTCOMES.items():
        known = outcome.severe[name] is not None
        column = str(declared_outcome.grade_column)
        row[column] = outcome.grades[column] if known else None
    return row | {"grading_scale": GradingScale.ASTCT2019.value}


def _table(rows: list[dict[str, object]], site: str) -> pd.DataFrame:
    table = pd.DataFrame(rows).dropna(axis="columns", how="all")
    for outcome in OUTCOMES.values():  # a cohort must have them, known or not
        if outcome.grade_column not in table:
            table[outcome.grade_column] = float("nan")
    table.insert(1, "site", site)
    return table


def _column(name: str) -> str:
    """Return the cohort column of a predictor in its own unit."""
    return columns_of(name, PREDICTORS[name])[0]


def _violations(table: pd.DataFrame) -> tuple[Violation, ...]:
    try:
        read_cohort(table, Purpose.DEVELOPMENT, OUTCOMES.values())
    except CohortRefused as refused:
        return refused.violations
    return ()


def _refused_one_by_one(table: pd.DataFrame) -> dict[int, str]:
    """Return the rows that the contract refuses by themselves, with the first reason of each.

    The site is the caller's, the pseudonym the log's: what is wrong with them concerns all rows.
    """
    reasons: dict[int, str] = {}
    for violation in _violations(table):
        if violation.column in _NOT_OF_A_PATIENT or violation.rule == _COPIED:
            continue
        for row in violation.rows:
            reason = f"that a cohort refuses: {violation.column}: {violation.message}"
            reasons.setdefault(row - 1, reason)
    return reasons


def _copies(table: pd.DataFrame) -> pd.Series:
    """Return which rows the contract takes for copies of a later one: the last report counts."""
    copied = [row - 1 for v in _violations(table) if v.rule == _COPIED for row in v.rows]
    predictors = [_column(n) for n in PREDICTORS if _column(n) in table]
    alike = table.duplicated([*predictors, "infusion_date"], keep="last")
    return alike & table.index.isin(copied)


@contextmanager
def cohort_file_to_be(table: pd.DataFrame, out: Path) -> Iterator[None]:
    """Write a cohort for its owner only, whole or not at all, once it was read as others read it.

    The file takes its name at the end of the ``with`` statement; an error within leaves none.

    Raises
    ------
    CohortRefused
        If the contract refuses it; no file is left then.
    """
    with whole_file(out, FOR_ITS_OWNER) as sink:
        if out.suffix == ".csv":
            table.to_csv(sink, index=False, mode="wb")
        else:
            table.to_parquet(sink, index=False)
        sink.flush()
        read_cohort(Path(sink.name), Purpose.DEVELOPMENT, OUTCOMES.values())
        yield
