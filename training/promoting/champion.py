"""Champion against challenger: the version in service and the one to replace it, paired.

Both are compared on the same patients, none of whom either was fitted to: a version that was fitted
to them speaks by its cross-validation.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_schemas.model_manifest import ModelManifest
from serving.model.artefact import Artefact
from training.cohort import LearningCohort, patients_to_judge_by
from training.evaluation.estimate import Estimate
from training.evaluation.intervals import draws_of_patients, from_draws
from training.evaluation.overall_accuracy import log_losses
from training.evaluation.scored_cohort import ScoredCohort
from training.evaluation.seen import Seen
from training.judging.external_validation import outcome_of
from training.judging.scored_file import NoScoredCohort, load
from training.judging.verdict import Limit
from training.judging.wanted import told_apart
from training.recalibration import WITHOUT_UPDATE

Array = np.ndarray

_DRAWS, _DIGITS = 1000, 4
_FEWEST = 20
"""Patients below whom two versions are not compared."""


@dataclass(frozen=True)
class OnCohort:
    """Log-odds of one version for n patients, (R, n), and what happened to them, (n,)."""

    log_odds: Array
    outcome: Array


class NotComparable(Exception):
    """Two versions have no patients in common; the message says why."""


def beside_champion(
    champion: Artefact, challenger: Artefact, evaluations: Path, cohort_file: Path | None
) -> Limit:
    """Hold the challenger's log-loss against the champion's.

    Worse beyond chance is refused, and so is not to know it where the champion was fitted to real
    patients.

    Parameters
    ----------
    evaluations
        Where the scored cohort of each version lies, by its name.
    cohort_file
        Patients to compare the two on; None to compare them on what both were judged by.
    """
    try:
        pair = _pair(champion, challenger, evaluations, cohort_file)
    except NotComparable as why:
        fitted_to = champion.manifest.cohort.real_patients
        said = f"No paired comparison with {champion.version} was possible: {why}."
        if fitted_to:
            said += f" It was fitted to {fitted_to} real patients and is not replaced unseen."
        return Limit(name="champion", met=not fitted_to, in_words=said)
    difference, patients = paired_log_loss(*pair, seed=challenger.manifest.seed)
    assert difference.low is not None  # losses are finite, so that every draw can be measured
    return Limit(
        name="champion",
        at_most=0.0,
        reached=difference.low,
        met=difference.low <= 0.0,
        in_words=which_is_better(champion, challenger, difference, patients),
    )


def which_is_better(
    champion: Artefact, challenger: Artefact, difference: Estimate, patients: int
) -> str:
    """Say which of two versions predicts better, by how much, and whether that may be chance.

    Parameters
    ----------
    difference
        The log-loss of the challenger less that of the champion.
    """
    worse_by, low, high = difference.value, difference.low, difference.high
    assert worse_by is not None
    assert low is not None
    assert high is not None
    old, new = f"{champion.version}, which answers now", challenger.version
    paired = f"paired on {patients} patients"
    if worse_by == 0.0:
        return f"{new} does exactly as well as {old}, {paired}."
    if worse_by > 0.0:
        which = f"{old}, predicts better than {new}"
    else:
        which, low, high = f"{new} predicts better than {old}", -high, -low
    by, least, most = (told_apart(gain, 0.0, _DIGITS) for gain in (abs(worse_by), low, high))
    certain = "beyond chance" if low > 0.0 else "which may be chance"
    return f"{which}: its log-loss is lower by {by} ({least} to {most}), {certain}, {paired}."


def paired_log_loss(challenger: OnCohort, champion: OnCohort, seed: int) -> tuple[Estimate, int]:
    """Return the mean log-loss of the first less that of the second, and of how many patients.

    The interval is over bootstrap draws of patients. Patients for whom either has no number are
    left out.

    Raises
    ------
    NotComparable
        If they are too few.
    """
    first, second = (Seen.among(x.log_odds, x.outcome) for x in (challenger, champion))
    shared = np.intersect1d(first.patients, second.patients)
    if len(shared) < _FEWEST:
        raise NotComparable(f"fewer than {_FEWEST} patients have a number from both")
    each = np.subtract(
        *(
            log_losses(seen.log_odds, seen.outcome).mean(axis=0)[np.isin(seen.patients, shared)]
            for seen in (first, second)
        )
    )
    draws = draws_of_patients(len(shared), _DRAWS, seed)
    return from_draws(float(each.mean()), draws @ each / len(each)), len(shared)


def _pair(
    champion: Artefact, challenger: Artefact, evaluations: Path, cohort_file: Path | None
) -> tuple[OnCohort, OnCohort]:
    """Return the challenger and the champion on the same patients."""
    if cohort_file is not None:
        first, second = (_on(a, cohort_file, evaluations) for a in (challenger, champion))
    else:
        first, second = _on_what_both_know(champion, challenger, evaluations)
    if not np.array_equal(first.outcome, second.outcome):
        raise NotComparable("they were judged on different patients of the same cohort")
    return first, second


def _on_what_both_know(
    champion: Artefact, challenger: Artefact, evaluations: Path
) -> tuple[OnCohort, OnCohort]:
    lineage = challenger.manifest.lineage
    updated = bool(lineage) and lineage[-1].parent_version == champion.version
    if not updated and _judged_on(challenger.manifest) != _judged_on(champion.manifest):
        raise NotComparable("they were judged on different cohorts (--cohort names one for both)")
    scored = _judged(challenger, evaluations)
    first = OnCohort(scored.left_out, scored.outcome)
    if updated:
        return first, OnCohort(scored.comparators[WITHOUT_UPDATE], scored.outcome)
    second = _judged(champion, evaluations)
    for by, words in scored.groups.items():
        if not np.array_equal(words, second.groups.get(by, words)):
            raise NotComparable(
                "they were judged on the same patients in another order (--cohort names them once "
                "for both)"
            )
    return first, OnCohort(second.left_out, second.outcome)


def _judged_on(manifest: ModelManifest) -> str:
    """Return the fingerprint of the cohort whose patients a version was judged by."""
    return (
        manifest.lineage[-1].cohort_fingerprint if manifest.lineage else manifest.cohort.fingerprint
    )


def _judged(artefact: Artefact, evaluations: Path) -> ScoredCohort:
    """Return the scored cohort of a version that speaks by cross-validation."""
    try:
        scored = load(evaluations / artefact.version)
    except NoScoredCohort:
        raise NotComparable(
            f"the evaluation of {artefact.version} is not on this machine"
        ) from None
    if not len(scored.left_out):
        raise NotComparable(f"{artefact.version} was not cross-validated")
    return scored


def _on(artefact: Artefact, cohort_file: Path, evaluations: Path) -> OnCohort:
    """Return what a version says of every patient of a cohort whose outcome is known."""
    manifest = artefact.manifest
    cohort = patients_to_judge_by(cohort_file, outcome_of(manifest))
    if cohort.fingerprint == _judged_on(manifest):
        scored, inside = _judged(artefact, evaluations), artefact.model.cell_of(cohort.columns) >= 0
        if not _are_the_same_rows(artefact, cohort.take(np.flatnonzero(inside)), scored):
            raise NotComparable(
                f"{artefact.version} was judged on other patients of this cohort, or on the same "
                "in another order, as they were before they had one of their own: make it anew"
            )
        log_odds = np.full((len(scored.left_out), len(cohort)), np.nan)
        log_odds[:, inside] = scored.left_out
        return OnCohort(log_odds, cohort.outcome)
    hands = {manifest.cohort.fingerprint, *(u.cohort_fingerprint for u in manifest.lineage)}
    if cohort.fingerprint in hands:
        raise NotComparable(f"{artefact.version} was fitted to this cohort and judged on another")
    return OnCohort(artefact.model.predict(cohort.columns).logit, cohort.outcome)


def _are_the_same_rows(artefact: Artefact, cohort: LearningCohort, scored: ScoredCohort) -> bool:
    """Tell whether row by row the outcome is the same, and what the finished model says."""
    if not np.array_equal(cohort.outcome, scored.outcome):
        return False
    return np.allclose(artefact.model.predict(cohort.columns).logit, scored.model, equal_nan=True)
