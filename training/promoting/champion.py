"""Champion against challenger: the version in service and the one to replace it, paired.

Both are compared on the same patients, none of whom either was fitted to: a version that was fitted
to them speaks by its cross-validation.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from serving.model.artefact import Artefact
from training.cohort import LearningCohort, patients_to_judge_by
from training.evaluation.estimate import Estimate
from training.evaluation.intervals import draws_of_patients, from_draws
from training.evaluation.overall_accuracy import log_losses
from training.evaluation.scored_cohort import ScoredCohort
from training.evaluation.seen import Seen
from training.judging.external_validation import outcome_of
from training.judging.recognised import cohorts_of, fitted_versions, known_by, places, scored_with
from training.judging.scored_file import NoScoredCohort, load
from training.judging.verdict import Limit
from training.judging.wanted import told_apart
from training.recalibration import WITHOUT_UPDATE

Array = np.ndarray

_DRAWS, _DIGITS = 1000, 4
_HOW_ELSE = "(--cohort names patients for both)"
_FEWEST = 20
"""Patients below whom two versions are not compared."""


@dataclass(frozen=True)
class OnCohort:
    """Log-odds of one version for n patients, (R, n), and what happened to them, (n,)."""

    log_odds: Array
    outcome: Array
    not_recognised: str = ""
    """The version of which nobody could tell here whether it was fitted to some of them."""


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
        difference, patients = paired_log_loss(*pair, seed=challenger.manifest.seed)
    except NotComparable as why:
        fitted_to = champion.manifest.cohort.real_patients
        said = f"No paired comparison with {champion.version} was possible: {why}."
        if fitted_to:
            said += f" It was fitted to {fitted_to} real patients and is not replaced unseen."
        return Limit(name="champion", met=not fitted_to, in_words=said)
    assert difference.low is not None  # losses are finite, so that every draw can be measured
    return Limit(
        name="champion",
        at_most=0.0,
        reached=difference.low,
        met=difference.low <= 0.0,
        in_words=which_is_better(champion, challenger, difference, patients) + _reservation(pair),
    )


def _reservation(pair: tuple[OnCohort, OnCohort]) -> str:
    return "".join(
        f" Whether {on.not_recognised} was fitted to some of these patients is not known: its "
        "evaluation is not on this machine."
        for on in pair
        if on.not_recognised
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
        If they are too few, or all had the same outcome.
    """
    first, second = (Seen.among(x.log_odds, x.outcome) for x in (challenger, champion))
    shared = np.intersect1d(first.patients, second.patients)
    if len(shared) < _FEWEST:
        raise NotComparable(f"fewer than {_FEWEST} patients have a number from both")
    happened = first.outcome[np.isin(first.patients, shared)]
    if len(set(happened.tolist())) < 2:
        raise NotComparable("all of the patients who have a number from both had the same outcome")
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
    if cohort_file is None:
        return _on_what_both_know(champion, challenger, evaluations)
    cohort = patients_to_judge_by(cohort_file, outcome_of(challenger.manifest))
    first, second = (_on(artefact, cohort, evaluations) for artefact in (challenger, champion))
    return first, second


def _on_what_both_know(
    champion: Artefact, challenger: Artefact, evaluations: Path
) -> tuple[OnCohort, OnCohort]:
    """Return both on the patients whom each was judged by; what happened, as the newer knows it."""
    first, lineage = _judged(challenger, evaluations), challenger.manifest.lineage
    if lineage and lineage[-1].parent_version == champion.version:
        parent = first.comparators[WITHOUT_UPDATE]
        return OnCohort(first.left_out, first.outcome), OnCohort(parent, first.outcome)
    second = _judged(champion, evaluations)
    place = places(first.known_by, second.known_by)
    shared = place >= 0
    if not shared.any():
        raise NotComparable(f"they were judged on different patients {_HOW_ELSE}")
    outcome = first.outcome[shared]
    return (
        OnCohort(first.left_out[:, shared], outcome),
        OnCohort(second.left_out[:, place[shared]], outcome),
    )


def _judged(artefact: Artefact, evaluations: Path) -> ScoredCohort:
    """Return the scored cohort of a version that speaks by cross-validation."""
    try:
        scored = load(evaluations / artefact.version)
    except NoScoredCohort:
        why = f"the evaluation of {artefact.version} is not on this machine"
        raise NotComparable(f"{why} {_HOW_ELSE}") from None
    if not len(scored.left_out):
        raise NotComparable(f"{artefact.version} was not cross-validated {_HOW_ELSE}")
    return scored


def _on(artefact: Artefact, cohort: LearningCohort, evaluations: Path) -> OnCohort:
    """Return what a version says of every patient of a cohort whose outcome is known.

    Of those who had a hand in it by its own cross-validation, and NaN where it has none of them.
    """
    said = np.atleast_2d(artefact.model.predict(cohort.columns).logit)
    fitted, patients = scored_with(artefact, evaluations), known_by(cohort)
    unknown = "" if len(fitted) == len(fitted_versions(artefact)) else artefact.version
    if unknown and cohort.fingerprint in cohorts_of(artefact.manifest):
        raise NotComparable(
            f"{artefact.version} was fitted to this cohort, and its evaluation is not on this "
            "machine"
        )
    for scored in fitted.values():
        said[:, np.isin(patients, scored.known_by)] = np.nan
    own = fitted.get(artefact.version)
    if own is not None and len(own.left_out):
        place = places(patients, own.known_by)
        said = np.repeat(said, len(own.left_out), axis=0)
        said[:, place >= 0] = own.left_out[:, place[place >= 0]]
    return OnCohort(said, cohort.outcome, not_recognised=unknown)
