"""A cohort made ready to learn one outcome from; what cannot be learnt from is refused by name."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from data_schemas.cohort_table import Cohort, CohortRefused, Purpose, Violation, read_cohort
from data_schemas.outcomes import Outcome
from data_schemas.predictors import PREDICTORS
from serving.model.terms import FUNCTIONS

Array = np.ndarray

FEWEST_PATIENTS = 30
"""Below this a cohort may be scored, but nothing may be learnt from it."""


@dataclass(frozen=True)
class LearningCohort:
    """Patients whose outcome is known.

    ``columns`` are contract columns of shape (n,); ``outcome`` is 0 or 1, shape (n,).
    """

    columns: dict[str, Array]
    outcome: Array
    other_outcome: Array | None
    """A second outcome, NaN where not known, where one was asked for and is in the table."""
    patient: Array
    """An integer for each person, the same in every row of theirs; never the identifier."""
    site: Array
    infused: Array
    """The day of infusion, ``datetime64[D]``, shape (n,)."""
    synthetic: bool
    fingerprint: str
    without_outcome: int
    notices: tuple[str, ...]
    outside_model: int = 0
    """How many were left out, their outcome known, because the model knows no product in a disease
    like theirs."""

    def __len__(self) -> int:
        """Return the number of patients."""
        return len(self.outcome)

    def take(self, index: Array) -> "LearningCohort":
        """Return some of the patients."""
        return replace(
            self,
            columns={name: column[index] for name, column in self.columns.items()},
            outcome=self.outcome[index],
            other_outcome=None if self.other_outcome is None else self.other_outcome[index],
            patient=self.patient[index],
            site=self.site[index],
            infused=self.infused[index],
        )

    @property
    def events(self) -> int:
        """How many had the outcome."""
        return int(self.outcome.sum())

    def transformed(self, predictor: str, transform: str) -> Array:
        """Return a predictor on a transformed scale, NaN where missing, shape (n,)."""
        return FUNCTIONS[transform](np.asarray(self.columns[predictor], dtype=float))


def learning_cohort(path: Path, outcome: Outcome, other: Outcome | None = None) -> LearningCohort:
    """Read a cohort and keep the patients whose outcome is known, whatever the order of its rows.

    Parameters
    ----------
    other
        A second outcome to carry along where the table has it.

    Raises
    ------
    CohortRefused
        If the table breaks the contract, has fewer than ``FEWEST_PATIENTS`` with a known outcome,
        or only patients with (or only without) the outcome.
    """
    return with_outcome(_in_lasting_order(path, outcome, other), outcome, other)


def patients_to_judge_by(path: Path, outcome: Outcome) -> LearningCohort:
    """Read a cohort as :func:`learning_cohort` does, however few its patients are.

    Raises
    ------
    CohortRefused
        If the table breaks the contract.
    """
    cohort = _in_lasting_order(path, outcome)
    return where_known(cohort, cohort.outcomes[outcome.name].to_numpy())


def _in_lasting_order(path: Path, outcome: Outcome, other: Outcome | None = None) -> Cohort:
    optional = [other] if other else []
    return read_cohort(path, Purpose.DEVELOPMENT, [outcome], optional).in_lasting_order()


def with_outcome(cohort: Cohort, outcome: Outcome, other: Outcome | None = None) -> LearningCohort:
    """Keep the patients of a cohort whose outcome is known; refuse what cannot be learnt from."""
    present = other is not None and other.name in cohort.outcomes
    learnable = where_known(
        cohort,
        cohort.outcomes[outcome.name].to_numpy(),
        cohort.outcomes[other.name].to_numpy() if other and present else None,
    )
    _refuse_unlearnable(learnable.outcome, outcome)
    return learnable


def where_known(cohort: Cohort, outcome: Array, other: Array | None = None) -> LearningCohort:
    """Keep the patients whose outcome is not NaN, however few they are.

    Parameters
    ----------
    outcome, other
        1, 0 or NaN for every patient of the cohort.
    """
    known = ~np.isnan(outcome)
    return LearningCohort(
        columns={name: column[known] for name, column in cohort.columns().items()},
        outcome=outcome[known],
        other_outcome=None if other is None else other[known],
        patient=pd.factorize(cohort.patient_id)[0][known],
        site=cohort.site.to_numpy()[known],
        infused=cohort.infusion_date.to_numpy()[known].astype("datetime64[D]"),
        synthetic=cohort.synthetic,
        fingerprint=cohort.fingerprint,
        without_outcome=int((~known).sum()),
        notices=(*cohort.notices, *_without_outcome(known), *_too_old(cohort, known)),
    )


def _without_outcome(known: Array) -> Iterator[str]:
    if unknown := int((~known).sum()):
        yield f"{unknown} patients without a known outcome are left out"


def _too_old(cohort: Cohort, known: Array) -> Iterator[str]:
    """Say of how many values the service would say that they are old; they are learnt from."""
    for name, days in cohort.days_before.items():
        window = PREDICTORS[name].look_back_days
        old = 0 if window is None else int((days[known] > window).sum())
        if old:
            yield (
                f"{name}: {old} values were measured more than {window} days before infusion: they "
                "are learnt from, and the service answers such a value with a caution"
            )


def within(
    cohort: LearningCohort, cells: Collection[tuple[str, str]], outcome: Outcome
) -> LearningCohort:
    """Keep the patients of these products and diseases; a notice says how many were left out.

    Raises
    ------
    CohortRefused
        If too few patients, or only one class, are left.
    """
    pairs = zip(cohort.columns["product"], cohort.columns["disease"], strict=True)
    inside = np.array([pair in cells for pair in pairs], dtype=bool)
    if inside.all():
        return cohort
    kept = cohort.take(np.flatnonzero(inside))
    _refuse_unlearnable(kept.outcome, outcome)
    outside = int((~inside).sum())
    notice = (
        f"{outside} patients were given a product in a disease that it has no evidence in: they "
        "are left out"
    )
    return replace(kept, notices=(*cohort.notices, notice), outside_model=outside)


def _refuse_unlearnable(y: Array, outcome: Outcome) -> None:
    if len(y) < FEWEST_PATIENTS:
        rule, limit = "too_few_patients", f"{FEWEST_PATIENTS} patients with a known outcome"
        message = f"{outcome.name} needs at least {limit}: pool centres, or score with the evidence"
        raise CohortRefused([Violation("(rows)", rule, message)])
    if len(set(y.tolist())) < 2:
        message = (
            f"every patient has the same {outcome.name}: no model is trained without both; what "
            "the patients say of the level of risk, `cart-risk evaluate --model` shows"
        )
        raise CohortRefused([Violation(outcome.name, "one_class", message)])
