"""A cohort as a table: predictors with their units in the column names, outcomes, site and date.

A table is read whole or not at all.
Every violation is reported at once, by row number and column; values and identifiers never are.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from data_schemas.cohort_check import CohortCheck, Purpose
from data_schemas.cohort_columns import MEASURED_AT, SYNTHETIC
from data_schemas.cohort_file import read_file
from data_schemas.cohort_refusal import CohortRefused, Violation
from data_schemas.likely_unit import doubts
from data_schemas.outcomes import Outcome
from data_schemas.predictors import PREDICTORS, Category
from data_schemas.sites_apart import sites_apart

__all__ = [
    "MEASURED_AT",
    "SYNTHETIC",
    "Cohort",
    "CohortRefused",
    "Purpose",
    "Violation",
    "predictor_columns",
    "read_cohort",
]


@dataclass(frozen=True, slots=True)
class Cohort:
    """A cohort that passed: predictors under their contract names, in canonical units.

    ``predictors`` holds float columns for quantities and flags (1, 0, NaN) and object columns for
    categories (None where missing).
    ``outcomes`` holds float columns (1, 0, NaN where not known).
    """

    patient_id: pd.Series
    site: pd.Series
    infusion_date: pd.Series
    predictors: pd.DataFrame
    outcomes: pd.DataFrame
    days_before: dict[str, np.ndarray]
    """Days before infusion at which a predictor was measured, where the table says so."""
    synthetic: bool
    notices: tuple[str, ...]
    fingerprint: str
    """Of predictors, sites and the outcomes that were asked for, whatever the order of the rows."""

    def __len__(self) -> int:
        """Return the number of patients."""
        return len(self.patient_id)

    def columns(self) -> dict[str, np.ndarray]:
        """Return the predictors as arrays, each of shape (n_patients,)."""
        return {str(name): self.predictors[name].to_numpy() for name in self.predictors}

    def in_lasting_order(self) -> "Cohort":
        """Return the patients in an order of their own, however the table was sorted.

        What is learnt from a table depends on the order of its rows, if only through the folds.
        """
        whereabouts = pd.DataFrame({"site": self.site, "infusion_date": self.infusion_date})
        known = _hashes(self.predictors, whereabouts, self.outcomes)
        order = np.lexsort(known.T[::-1])
        return replace(
            self,
            patient_id=self.patient_id.iloc[order].reset_index(drop=True),
            site=self.site.iloc[order].reset_index(drop=True),
            infusion_date=self.infusion_date.iloc[order].reset_index(drop=True),
            predictors=self.predictors.iloc[order].reset_index(drop=True),
            outcomes=self.outcomes.iloc[order].reset_index(drop=True),
            days_before={name: days[order] for name, days in self.days_before.items()},
        )


def read_cohort(
    source: Path | pd.DataFrame,
    purpose: Purpose,
    outcomes: Iterable[Outcome] = (),
    optional: Iterable[Outcome] = (),
    today: date | None = None,
) -> Cohort:
    """Read a Parquet or CSV file, or a table in memory, against the contract.

    Parameters
    ----------
    source
        The file, or a table as one would read from it.
    purpose
        For development, site, infusion date and age must be there; for scoring they may be absent.
    outcomes
        The outcomes that must be present; none for scoring.
    optional
        Outcomes that are read where the table has them; no part of the fingerprint.
    today
        The day after which nobody was infused yet; by default that of the clock. It decides only
        whether a cohort is read: what is read does not depend on it.

    Raises
    ------
    CohortRefused
        With every violation found.
    """
    table = source if isinstance(source, pd.DataFrame) else read_file(source)
    table = _with_single_columns(table.reset_index(drop=True))
    if table.empty:
        message = "the table has no rows: nothing can be said of its columns"
        raise CohortRefused([Violation("(rows)", "no_rows", message)])
    check, asked = CohortCheck(table, purpose, today or date.today()), tuple(outcomes)
    predictors = check.predictors()
    present = tuple(o for o in optional if {o.grade_column, o.flag_column} & set(table))
    outcome_columns = check.outcomes((*asked, *present))
    administrative = check.administrative()
    days_before = check.days_before_infusion(administrative["infusion_date"])
    if purpose is Purpose.DEVELOPMENT:
        check.nobody_twice(predictors, pd.DataFrame({**administrative}).drop(columns="patient_id"))
    synthetic = check.synthetic()
    check.unknown_columns()
    if check.violations:
        raise CohortRefused(check.violations)
    return Cohort(
        patient_id=administrative["patient_id"],
        site=administrative["site"],
        infusion_date=administrative["infusion_date"],
        predictors=predictors,
        outcomes=outcome_columns,
        days_before=days_before,
        synthetic=synthetic,
        notices=(*check.notices, *_unit_doubts(check, predictors, administrative["site"])),
        fingerprint=_fingerprint(
            predictors, outcome_columns[[o.name for o in asked]], administrative["site"]
        ),
    )


def _with_single_columns(table: pd.DataFrame) -> pd.DataFrame:
    twice = table.columns[table.columns.duplicated()].unique()
    if len(twice):
        message = "the table has several columns of this name"
        raise CohortRefused(Violation(str(c), "duplicated_column", message) for c in twice)
    return table


def _unit_doubts(check: CohortCheck, predictors: pd.DataFrame, site: pd.Series) -> Iterator[str]:
    """Yield doubts about sites; about a whole column only where no site explains them."""
    for sent in check.sent:
        if apart := sites_apart(sent, predictors, site):
            yield from apart
        elif doubt := doubts(sent, predictors):
            yield doubt


def _fingerprint(predictors: pd.DataFrame, outcomes: pd.DataFrame, site: pd.Series) -> str:
    """Return one hash of all patients: a table that was sorted anew holds the same ones."""
    tables = (predictors, outcomes, site.to_frame())
    digest = hashlib.sha256()
    for table in tables:
        for name in sorted(map(str, table)):
            digest.update(name.encode())
    digest.update(b"".join(sorted(row.tobytes() for row in _hashes(*tables))))
    return digest.hexdigest()


def _hashes(*tables: pd.DataFrame) -> np.ndarray:
    """Return a hash of each value, shape (n_patients, n_columns), columns sorted in each table."""
    return np.column_stack(
        [
            pd.util.hash_pandas_object(table[name], index=False).to_numpy()
            for table in tables
            for name in sorted(map(str, table))
        ]
    )


def predictor_columns(arrays: Mapping[str, np.ndarray], n: int) -> dict[str, np.ndarray]:
    """Complete a set of predictor arrays with all-missing ones for those not named.

    Parameters
    ----------
    arrays
        Contract name to values, shape (n,).
    n
        Number of patients.
    """
    complete: dict[str, np.ndarray] = {}
    for name, declared in PREDICTORS.items():
        missing = np.full(n, None, dtype=object) if isinstance(declared, Category) else np.nan
        complete[name] = arrays.get(name, np.broadcast_to(missing, (n,)))
    return complete
