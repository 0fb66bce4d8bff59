"""Published associations, synthesised into a prior for every effect of a model.

Which figure is read how stands in :mod:`training.synthesis.figures`. Converted effects are pooled,
shrunk for transport, and given the spread that effects show between centres.
A predictor without a usable figure has mean 0 and a wide spread: the cohort decides.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import chain
from math import sqrt

from data_schemas.evidence import Association, Evidence, Incidence
from data_schemas.predictors import PREDICTORS, Quantity
from data_schemas.typical_values import EVERYWHERE
from serving.model.tumour_burden import BURDEN
from training.synthesis import effect_conversions as convert
from training.synthesis.effect_conversions import Effect
from training.synthesis.figure_reading import read_effect
from training.synthesis.figures import NOT_USED, SPOKEN_OF, STEPS, TermKey, rows_of
from training.synthesis.needed_figures import refuse_unreadable, severe_percentage
from training.synthesis.transport import transport

BETWEEN_STUDIES = 0.2
"""Spread of one effect between studies, in log-odds per spread."""

BETWEEN_CENTRES = 0.5
"""Spread of an effect between centres, as a share of its size."""

LABORATORY_CORRELATION = 0.3
"""Assumed correlation of laboratory values and burden, in the direction of risk.

Nothing is published on it. CRP, ferritin, LDH and blasts of the 59 children and young adults of
Lichtenstein DA, Blood 2021;138:2469, correlate by 0.27 on average.
"""

USUALLY_MISSING = 0.15
"""Share of a patient's predictors that routine care leaves out: a planning figure."""

PLAUSIBLE = 1.0
"""Sd of what an effect may be at all, in log-odds per spread: a cohort of no events says little."""

LEAST_SPREAD = 0.12
UNKNOWN_SPREAD = 0.15
"""Prior sd of an effect that nobody has published."""

SPOKEN_OF_SPREAD = 0.5
"""Prior sd of a yes-or-no effect whose size a study tells, but not so that it could be used.

In log-odds of yes against no, where other unknown effects are of one spread of a predictor: 90 %
lie between odds ratios of 0.44 and 2.3. Our choice; ICANS of grade 3 in 20 % with anakinra and 50 %
without, of numbers of patients that were not read, would be 0.25 as it stands, and after transport
two sd from none.
"""

CONTESTED_SPREAD = 0.25
"""Prior sd where a predictor matters elsewhere but a disease's own literature says it does not."""

DISEASE_SPECIFIC = {"crp": "B_ALL", "ferritin": "B_ALL", "age": "B_ALL", BURDEN: "B_ALL"}
"""Predictors whose effect is its own in a disease, because the literature there disagrees.

CRP and ferritin failed to predict severe CRS in leukaemia (Teachey 2016, Wei 2023), younger age
goes with toxicity there, and burden is counted in blasts.
"""

BORROWED = frozenset({BURDEN})
"""Predictors whose effect in its own disease starts from the general one if none is published.

More disease goes with more toxicity everywhere; of the others the literature says no such thing.
"""


@dataclass(frozen=True, slots=True)
class EffectPrior:
    """What the literature says of one effect, in log-odds per spread of its term.

    ``as_published`` is the pooled figure as it stands in the literature, ``before_transport`` what
    its own error leaves of it; neither where there is none.
    """

    key: TermKey
    mean: float
    sd: float
    as_published: float | None
    before_transport: float | None
    sources: tuple[str, ...]
    unread: bool
    how: str
    of_other_outcomes: tuple[str, ...] = ()
    """Those of the sources that are figures of another outcome."""
    found_none: tuple[str, ...] = ()
    """Studies that found no effect and told no size: they could not be weighed."""


def effect_prior(evidence: Evidence, outcome: str, key: TermKey) -> EffectPrior:
    """Return the prior of one effect on one outcome.

    Raises
    ------
    EvidenceError
        If any figure that an effect on the outcome is read from is not there, or cannot be.
    """
    refuse_unreadable(evidence, outcome, chain.from_iterable(STEPS.get(outcome, {}).values()))
    steps = STEPS.get(outcome, {}).get(key, ())
    if not steps and outcome in STEPS and key[0] in BORROWED and key[1] != EVERYWHERE:
        general = effect_prior(evidence, outcome, (key[0], EVERYWHERE, key[2]))
        return replace(general, key=key, how=f"no figure in {key[1]}: borrowed; {general.how}")
    if not steps:
        spread = _unknown_spread(outcome, key)
        how = _why_none(evidence, outcome, key)
        return EffectPrior(key, 0.0, spread, None, None, (), False, how)
    effects = [read_effect(evidence, outcome, key, step) for step in steps]
    published = convert.pooled(effects, BETWEEN_STUDIES)
    plausible = _plausible(published)
    share = transport(evidence)
    mean = _kept_in_direction(share * plausible.estimate, key, outcome)
    spread = sqrt((share * plausible.error) ** 2 + (BETWEEN_CENTRES * mean) ** 2 + LEAST_SPREAD**2)
    rows = [
        evidence.row(row_id) for row_id in dict.fromkeys(chain.from_iterable(map(rows_of, steps)))
    ]
    return EffectPrior(
        key=key,
        mean=mean,
        sd=spread,
        as_published=published.estimate,
        before_transport=plausible.estimate,
        sources=tuple(row.id for row in rows),
        unread=any(_rests_on_unread(row, outcome) for row in rows),
        how=f"{', '.join(kind for kind, _, _ in steps)}; {_kept(published, plausible)}"
        f"times {share:.2f} for transport",
        of_other_outcomes=tuple(row.id for row in rows if _is_of_another(row, outcome)),
        found_none=tuple(
            row.id
            for row in evidence.associations
            if row.direction == "none"
            and not row.usable
            and row.predictor == key[0]
            and _is_about(row, outcome)
        ),
    )


def _is_of_another(row: Association | Incidence, outcome: str) -> bool:
    """Tell so of an association; rates of a cohort are read for each outcome by itself."""
    return isinstance(row, Association) and row.outcome != outcome


def _unknown_spread(outcome: str, key: TermKey) -> float:
    """Return the prior sd of an effect that no figure is read for."""
    if key[1] != EVERYWHERE:
        return CONTESTED_SPREAD
    return SPOKEN_OF_SPREAD if key in SPOKEN_OF.get(outcome, {}) else UNKNOWN_SPREAD


def _why_none(evidence: Evidence, outcome: str, key: TermKey) -> str:
    """Say why an effect has no figure: none is usable, or which one is not used."""
    known = {
        row.id: NOT_USED[row.id]
        for row in evidence.associations
        if row.id in NOT_USED and row.predictor == key[0] and _is_about(row, outcome)
    } | {row_id: evidence.row(row_id).why_not for row_id in SPOKEN_OF.get(outcome, {}).get(key, ())}
    if not known:
        return "no usable published figure"
    return "; ".join(f"{row_id} is not used: {why}" for row_id, why in known.items())


def _is_about(row: Association, outcome: str) -> bool:
    if outcome not in STEPS:
        return False
    toxicity = "crs" if outcome == "severe_crs" else "icans"
    return toxicity in row.outcome or ("neurologic" in row.outcome and toxicity == "icans")


def _kept(published: Effect, plausible: Effect) -> str:
    return f"times {(plausible.error / published.error) ** 2:.2f} for its own error, "


def _rests_on_unread(row: Association | Incidence, outcome: str) -> bool:
    """Tell whether a figure that a conversion reads was not read in its source."""
    if isinstance(row, Incidence):
        severe = severe_percentage(outcome)
        return "unread" in (row.mark(severe), row.mark("n_treated"))
    figures = ("effect", "ci_low", "ci_high", "percent_exposed", "percent_unexposed")
    return any(row.mark(f) == "unread" for f in figures if getattr(row, f) is not None)


def _plausible(effect: Effect) -> Effect:
    """Shrink an estimate toward no effect as far as its own error makes it implausible."""
    kept = PLAUSIBLE**2 / (PLAUSIBLE**2 + effect.error**2)
    return Effect(kept * effect.estimate, sqrt(kept) * effect.error)


def _kept_in_direction(mean: float, key: TermKey, outcome: str) -> float:
    direction = declared_direction(key, outcome)
    return max(mean, 0.0) if direction > 0 else min(mean, 0.0) if direction < 0 else mean


def declared_direction(key: TermKey, outcome: str) -> int:
    """Return the direction that the contract declares for a term."""
    if key[0] == BURDEN:
        return +1 if outcome in STEPS else 0
    return PREDICTORS[key[0]].direction.for_outcome(outcome)


def spread_of_linear_predictor(priors: Mapping[TermKey, EffectPrior], disease: str) -> float:
    """Return the standard deviation between patients of what the effects add up to.

    Laboratory values and burden are taken to correlate by ``LABORATORY_CORRELATION`` in the
    direction of risk; nothing is published on it, so it is an assumption of ours.
    A share of ``USUALLY_MISSING`` is not measured and adds nothing.
    """
    means = []
    for key, prior in priors.items():
        special = DISEASE_SPECIFIC.get(key[0])
        wanted = special if special == disease else EVERYWHERE
        if key[2] == "" and key[1] == wanted and (key[0] == BURDEN or _is_quantity(key[0])):
            means.append(abs(prior.mean))
    squares = sum(m * m for m in means)
    total = squares + LABORATORY_CORRELATION * (sum(means) ** 2 - squares)
    return sqrt((1 - USUALLY_MISSING) * total)


def _is_quantity(predictor: str) -> bool:
    return isinstance(PREDICTORS[predictor], Quantity)
