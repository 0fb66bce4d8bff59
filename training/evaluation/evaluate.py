"""All measures of one model on one scored cohort."""

from threadpoolctl import threadpool_limits

from training.evaluation.across_groups import across_groups
from training.evaluation.asked import Asked
from training.evaluation.bootstrapped import FEWEST_REFITS
from training.evaluation.comparison import comparison
from training.evaluation.instability import instability
from training.evaluation.optimism import optimism_corrected
from training.evaluation.record import Comparison, Evaluation
from training.evaluation.sample_size_criteria import sample_size_criteria
from training.evaluation.scored_check import check
from training.evaluation.scored_cohort import ScoredCohort
from training.evaluation.seen import Seen
from training.evaluation.subgroups import subgroups
from training.evaluation.view import view

FITTED_HERE = "the model was fitted on these patients"
NOT_FITTED_HERE = "the model was not fitted on these patients"
NOT_CROSS_VALIDATED = (
    "no cross-validation was made, so that nothing was predicted of patients whom the fit had not "
    "seen"
)


def evaluate(scored: ScoredCohort, asked: Asked) -> Evaluation:
    """Measure a model.

    The same scored cohort and question give the same record, to the last byte.
    What cannot be measured is None, and the record says why.

    Raises
    ------
    NotJudged
        If the scored cohort's arrays do not fit together or hold impossible numbers.
    """
    check(scored)
    # Sums split over threads differ in their last bits from machine to machine.
    with threadpool_limits(limits=1):
        return _measured(scored, asked)


def _measured(scored: ScoredCohort, asked: Asked) -> Evaluation:
    here = scored.fitted_here
    events = int(scored.outcome.sum())
    lead = _leading(scored)
    headline = None if lead is None else view(lead, asked)
    evaluation = Evaluation(
        on=scored.on,
        fitted_here=here,
        asked=asked,
        patients=len(scored),
        events=events,
        leading=None if lead is None else "cross_validated" if here else "external",
        apparent=view(Seen.among(scored.model, scored.outcome), asked) if here else None,
        cross_validated=headline if here else None,
        external=None if here else headline,
        optimism_corrected=optimism_corrected(scored, asked) if here else None,
        across=across_groups(scored, asked),
        comparisons=_comparisons(scored, lead, asked),
        subgroups=() if lead is None else subgroups(lead, scored.groups, asked),
        instability=instability(scored, asked),
        sample_size=sample_size_criteria(len(scored), events, here, asked),
        absent={},
    )
    return evaluation.model_copy(update={"absent": _absent(evaluation, scored)})


def _leading(scored: ScoredCohort) -> Seen | None:
    """Return the log-odds that speak for the model: of patients whom the fit had not seen."""
    if not scored.fitted_here:
        return Seen.among(scored.model, scored.outcome)
    return Seen.among(scored.left_out, scored.outcome) if len(scored.left_out) else None


def _comparisons(scored: ScoredCohort, lead: Seen | None, asked: Asked) -> tuple[Comparison, ...]:
    if lead is None:
        return ()
    found = (
        comparison(name, lead, log_odds, scored.outcome, asked)
        for name, log_odds in scored.comparators.items()
    )
    return tuple(c for c in found if c is not None)


def _absent(evaluation: Evaluation, scored: ScoredCohort) -> dict[str, str]:
    """Return why each part that is not there is not there."""
    because = f": {scored.not_cross_validated}" if scored.not_cross_validated else ""
    no_cross_validation = f"{NOT_CROSS_VALIDATED}{because}"
    no_lead = None if evaluation.leading else no_cross_validation
    few_refits = f"fewer than {FEWEST_REFITS} refits, or patients of one kind only"
    reasons = {
        "leading": no_cross_validation,
        "apparent": NOT_FITTED_HERE,
        "cross_validated": no_lead or NOT_FITTED_HERE,
        "external": FITTED_HERE,
        "optimism_corrected": few_refits if scored.fitted_here else NOT_FITTED_HERE,
        "across": "no group was left out" if scored.fitted_here else "no site or product is known",
        "comparisons": no_lead or "no comparator has a number where the model has one",
        "subgroups": no_lead or "nothing is known by which patients may be sorted",
        "instability": few_refits,
    }
    return {part: why for part, why in reasons.items() if not getattr(evaluation, part)}
