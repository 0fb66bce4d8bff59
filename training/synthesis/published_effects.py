"""Published associations, synthesised into a prior for every effect of a model.

Each predictor's rows are named below with the conversion that reads them; nothing is converted that
is not named.
Converted effects are pooled, shrunk for transport, and given the spread that effects show between
centres.
A predictor without a usable figure has mean 0 and a wide spread: the cohort decides.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import log, log1p, sqrt
from typing import Literal

from data_schemas.evidence import Association, Evidence, Incidence
from data_schemas.predictors import PREDICTORS, Quantity
from data_schemas.typical_values import TypicalValue, typical_values
from serving.model.terms import transformed_typical
from serving.model.tumour_burden import BURDEN
from training.synthesis import effect_conversions as convert
from training.synthesis.effect_conversions import Effect

EVERYWHERE = "*"
TUMOUR_BURDEN = BURDEN
TermKey = tuple[str, str, str]
"""Predictor, disease scope (``"*"`` or a disease), and the word for categories ("" otherwise)."""

BETWEEN_STUDIES = 0.2
"""Spread of one effect between studies, in log-odds per spread."""

INDIRECT_OUTCOME = 0.3
"""Extra error of a figure for grade >= 2, any grade, or the other toxicity."""

BETWEEN_CENTRES = 0.5
"""Spread of an effect between centres, as a share of its size."""

LABORATORY_CORRELATION = 0.3
"""Assumed correlation of laboratory values and burden, in the direction of risk."""

USUALLY_MISSING = 0.15
"""Share of a patient's predictors that routine care leaves out: a planning figure."""

PLAUSIBLE = 1.0
"""Sd of what an effect may be at all, in log-odds per spread: a cohort of no events says little."""

LEAST_SPREAD = 0.12
UNKNOWN_SPREAD = 0.15
"""Prior sd of an effect that nobody has published."""

CONTESTED_SPREAD = 0.25
"""Prior sd where a predictor matters elsewhere but a disease's own literature says it does not."""

DISEASE_SPECIFIC = {"crp": "B_ALL", "ferritin": "B_ALL", "age": "B_ALL", TUMOUR_BURDEN: "B_ALL"}
"""Predictors whose effect is its own in a disease, because the literature there disagrees.

CRP and ferritin failed to predict severe CRS in leukaemia (Teachey 2016, Wei 2023), younger age
goes with toxicity there, and burden is counted in blasts.
"""

BORROWED = frozenset({TUMOUR_BURDEN})
"""Predictors whose effect in its own disease starts from the general one if none is published.

More disease goes with more toxicity everywhere; of the others the literature says no such thing.
"""

Kind = Literal["doubling", "threshold", "unit", "z", "pair", "auc", "cohorts"]
Step = tuple[Kind, str, float]
"""Conversion, row id, and the one number that the conversion needs beside the row."""

_ANY_ICANS_RISK = 0.43
_SNMMI_SEVERE_CRS, _SNMMI_SEVERE_ICANS = 0.08, 0.20
_MSK_SEVERE_CRS = 0.15
"""Severe CRS in the cohort behind the AUC of m-EASIX, assumed between lymphoma and leukaemia."""

_BASE_COHORT = "axi-cel-zuma1-label2017"


def _key(predictor: str, scope: str = EVERYWHERE, word: str = "") -> TermKey:
    return predictor, scope, word


def _easix(sign: float) -> Step:
    return "doubling", "easix-doubling-severe-korell", sign


_SHARED: dict[TermKey, tuple[Step, ...]] = {
    _key("platelets"): (_easix(-1.0),),
    _key("creatinine"): (_easix(+1.0),),
    _key("crp"): (("threshold", "crp-100-icans-grade2plus-hmp", log1p(100)),),
    _key("ferritin"): (("threshold", "ferritin-1500-icans-grade2plus-hmp", log(1500)),),
}
STEPS: dict[str, dict[TermKey, tuple[Step, ...]]] = {
    "severe_crs": {
        **_SHARED,
        _key("crp"): (
            ("threshold", "crp-100-icans-grade2plus-hmp", log1p(100)),
            ("auc", "m-easix-auc-crs-severe-pennisi", _MSK_SEVERE_CRS),
        ),
        _key("ldh"): (_easix(+1.0), ("threshold", "ldh-uln-crs-severe-multivariable-snmmi", 0.0)),
        _key(TUMOUR_BURDEN): (("z", "mtv-crs-severe-multivariable-snmmi", _SNMMI_SEVERE_CRS),),
        _key(TUMOUR_BURDEN, "B_ALL"): (("pair", "blasts-5-crs-severe-park", 0.35),),
        _key("age"): (("threshold", "age-65-crs-any-jacobson", 65.0),),
        _key("crs_prophylaxis", word="tocilizumab"): (
            ("cohorts", "axi-cel-zuma1-cohort3-tocilizumab", 0.0),
        ),
        _key("crs_prophylaxis", word="steroid"): (
            ("cohorts", "axi-cel-zuma1-cohort6-dexamethasone", 0.0),
        ),
    },
    "severe_icans": {
        **_SHARED,
        _key("ldh"): (_easix(+1.0), ("threshold", "ldh-normal-neurologic-severe-wudhikarn", 0.0)),
        _key(TUMOUR_BURDEN): (("z", "suvmax-icans-severe-univariate-snmmi", _SNMMI_SEVERE_ICANS),),
        _key("age"): (
            ("unit", "age-icans-any-per-year-cibmtr", _ANY_ICANS_RISK),
            ("threshold", "age-60-neurologic-severe-wudhikarn", 60.0),
        ),
        _key("ecog"): (("threshold", "ecog-2-neurologic-severe-wudhikarn", 1.5),),
        _key("prior_lines"): (
            ("threshold", "prior-lines-3-neurologic-severe-wudhikarn", 2.5),
            ("pair", "prior-lines-3-icans-severe-brexu-mcl", 0.5),
        ),
        _key("crs_prophylaxis", word="tocilizumab"): (
            ("cohorts", "axi-cel-zuma1-cohort3-tocilizumab", 0.0),
        ),
        _key("crs_prophylaxis", word="steroid"): (
            ("cohorts", "axi-cel-zuma1-cohort6-dexamethasone", 0.0),
        ),
    },
}

_RATES_SAY_IT = "what differs between products is in their base rates"
_NO_PREDICTOR = "no predictor of the models"
_SAME_PATIENTS = "another cut through the patients of a figure that is used"
NOT_USED: dict[str, str] = {
    "age-over-64-icans-any-cibmtr": _SAME_PATIENTS,
    "age-65-icans-any-jacobson": "any grade; age has a figure per year of more patients",
    "ldh-uln-crs-severe-univariate-snmmi": "unadjusted; the adjusted figure of its cohort is used",
    "bridging-neurologic-severe-wudhikarn": (
        "unadjusted, and bridging is given for the burden that stands beside it"
    ),
    "prior-lines-3-crs-severe-brexu-mcl": "unadjusted, of one product, and within chance",
    "tisa-vs-axi-neurologic-severe-wudhikarn": _RATES_SAY_IT,
    "axi-vs-tisa-crs-any-cart-sie": _RATES_SAY_IT,
    "axi-vs-tisa-icans-any-cart-sie": _RATES_SAY_IT,
    "axi-vs-tisa-crs-severe-descar-t": _RATES_SAY_IT,
    "axi-vs-tisa-icans-severe-descar-t": _RATES_SAY_IT,
    "prior-sct-neurologic-severe-wudhikarn": _NO_PREDICTOR,
    "vein-to-vein-day-neurologic-severe-wudhikarn": _NO_PREDICTOR,
    "bendamustine-icans-severe-brexu-mcl": _NO_PREDICTOR,
    "bendamustine-crs-severe-brexu-mcl": _NO_PREDICTOR,
    "btki-icans-severe-brexu-mcl": _NO_PREDICTOR,
    "car-hematotox-2-icans-severe-rejeski": "a score of predictors that stand in the models",
}
"""Usable rows of the evidence that no effect is read from, and why."""


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


def transport(evidence: Evidence) -> float:
    """Return the share of a published separation that survives in another population.

    The mean of two scores that were measured again elsewhere: CAR-HEMATOTOX (AUC 0.89, then 0.73 in
    a population) and EASIX (odds ratio 1.72 per doubling in ZUMA-1; then AUC 0.61 to 0.62 in the
    Netherlands, and an odds ratio of 4.3 above 4.67 in Heidelberg and Berlin). That none of the
    EASIX family went with grade 3 in the Netherlands has no figure, and no part in the mean.
    """
    rows = {row.id: row for row in evidence.performance}
    first = rows["model-car-hematotox-rejeski"].auc_external
    again = rows["model-car-hematotox-deboer"].auc_external
    netherlands = rows["model-easix-deboer"].auc_external
    korell = evidence.row("easix-doubling-severe-korell").effect
    assert first is not None
    assert again is not None
    assert netherlands is not None
    parts = [typical(name) for name in ("ldh", "creatinine", "platelets")]
    spread = sqrt(sum(part.spread**2 for part in parts))
    internal = log(korell) * spread / log(2)
    germany = _easix_above_its_cut(evidence, parts, spread)
    easix = (convert.separation(netherlands) + germany) / 2 / internal
    hematotox = convert.separation(again) / convert.separation(first)
    return (hematotox + easix) / 2


def _easix_above_its_cut(evidence: Evidence, parts: list[TypicalValue], spread: float) -> float:
    """Return the effect of EASIX per spread, from an odds ratio above a cut that was set before."""
    row = evidence.row("easix-over-4-67-severe-korell")
    assert row.threshold is not None
    assert row.effect is not None
    ldh, creatinine, platelets = (part.centre for part in parts)
    centre = log(ldh * creatinine / platelets)
    return convert.above_threshold(row.effect, 0.0, log(row.threshold), centre, spread).estimate


def typical(predictor: str, disease: str = EVERYWHERE, product: str = EVERYWHERE) -> TypicalValue:
    """Return the typical value of a product's patients, of a disease's, or of all."""
    rows = {
        (row.disease, row.product): row for row in typical_values() if row.predictor == predictor
    }
    return (
        rows.get((disease, product))
        or rows.get((disease, EVERYWHERE))
        or rows[EVERYWHERE, EVERYWHERE]
    )


def effect_prior(evidence: Evidence, outcome: str, key: TermKey) -> EffectPrior:
    """Return the prior of one effect on one outcome."""
    steps = STEPS.get(outcome, {}).get(key, ())
    if not steps and outcome in STEPS and key[0] in BORROWED and key[1] != EVERYWHERE:
        general = effect_prior(evidence, outcome, (key[0], EVERYWHERE, key[2]))
        return replace(general, key=key, how=f"no figure in {key[1]}: borrowed; {general.how}")
    if not steps:
        spread = UNKNOWN_SPREAD if key[1] == EVERYWHERE else CONTESTED_SPREAD
        how = _why_none(evidence, outcome, key[0])
        return EffectPrior(key, 0.0, spread, None, None, (), False, how)
    effects = [_effect(evidence, outcome, key, step) for step in steps]
    published = convert.pooled(effects, BETWEEN_STUDIES)
    plausible = _plausible(published)
    share = transport(evidence)
    mean = _kept_in_direction(share * plausible.estimate, key, outcome)
    spread = sqrt((share * plausible.error) ** 2 + (BETWEEN_CENTRES * mean) ** 2 + LEAST_SPREAD**2)
    rows = [evidence.row(row_id) for _, row_id, _ in steps]
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
    )


def _why_none(evidence: Evidence, outcome: str, predictor: str) -> str:
    """Say why a predictor has no figure: none is usable, or which one is not used."""
    known = {
        row.id: NOT_USED[row.id]
        for row in evidence.associations
        if row.id in NOT_USED and row.predictor == predictor and _is_about(row, outcome)
    }
    if not known:
        return "no usable published figure"
    return "; ".join(f"{row_id} is not used: {why}" for row_id, why in known.items())


def _is_about(row: Association, outcome: str) -> bool:
    toxicity = "crs" if outcome == "severe_crs" else "icans"
    return toxicity in row.outcome or ("neurologic" in row.outcome and toxicity == "icans")


def _kept(published: Effect, plausible: Effect) -> str:
    return f"times {(plausible.error / published.error) ** 2:.2f} for its own error, "


def _rests_on_unread(row: Association | Incidence, outcome: str) -> bool:
    """Tell whether a figure that a conversion reads was not read in its source."""
    if isinstance(row, Incidence):
        severe = "crs_severe_pct" if outcome == "severe_crs" else "icans_severe_pct"
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
    if key[0] == TUMOUR_BURDEN:
        return +1 if outcome in STEPS else 0
    return PREDICTORS[key[0]].direction.for_outcome(outcome)


def _effect(evidence: Evidence, outcome: str, key: TermKey, step: Step) -> Effect:
    kind, row_id, number = step
    row = evidence.row(row_id)
    if isinstance(row, Incidence):
        return _against_base_cohort(evidence, outcome, row)
    effect = _CONVERSIONS[kind](row, key, number)
    direct = row.outcome in (outcome, "severe_crs_or_icans")
    return (
        effect if direct else Effect(effect.estimate, sqrt(effect.error**2 + INDIRECT_OUTCOME**2))
    )


def _against_base_cohort(evidence: Evidence, outcome: str, exposed: Incidence) -> Effect:
    """Compare a prophylaxis cohort with the unprophylaxed one of the same trial programme.

    Not randomised, and burden differed: the error is doubled.
    """
    base = evidence.row(_BASE_COHORT)
    field = "crs_severe_pct" if outcome == "severe_crs" else "icans_severe_pct"
    ratio, error = convert.odds_ratio_of_percentages(
        getattr(exposed, field), exposed.n_treated or 1, getattr(base, field), base.n_treated
    )
    return Effect(log(ratio), 2 * error)


def _ratio(row: Association) -> tuple[float, float]:
    """Return the odds ratio of higher against lower, and the error of its log."""
    assert row.effect is not None
    inverted = row.comparison in ("<", "<=")
    p = row.p if row.p is not None else row.p_below
    error = convert.log_ratio_error(row.effect, row.ci_low, row.ci_high, p)
    return (1 / row.effect if inverted else row.effect), error


def _doubling(row: Association, key: TermKey, sign: float) -> Effect:
    ratio, error = _ratio(row)
    effect = convert.per_doubling(ratio, error, typical(key[0]).spread)
    return Effect(sign * effect.estimate, effect.error)


def _threshold(row: Association, key: TermKey, cut: float) -> Effect:
    """Read a ratio across a cut; a hazard ratio is read as odds, which errs toward no effect."""
    value = typical(key[0], key[1])
    ratio, error = _ratio(row)
    return convert.above_threshold(ratio, error, cut, transformed_centre(value), value.spread)


def _unit(row: Association, key: TermKey, reference_risk: float) -> Effect:
    ratio, error = _ratio(row)
    odds_ratio = convert.hazard_to_odds_ratio(ratio, reference_risk)
    # At no effect the quotient is 0 / 0; its limit is the slope of log-odds in the log hazard.
    stretch = (
        log(odds_ratio) / log(ratio) if ratio != 1 else -log1p(-reference_risk) / reference_risk
    )
    stretched = error * stretch
    return convert.per_unit(odds_ratio, stretched, row.per or 1.0, typical(key[0]).spread)


def _z(row: Association, key: TermKey, event_rate: float) -> Effect:
    assert row.n is not None
    ratio, error = _ratio(row)
    return convert.standardised_from_z(ratio, error, row.n, event_rate)


def _auc(row: Association, key: TermKey, event_rate: float) -> Effect:
    """Read the AUC of m-EASIX, log2(LDH x CRP / platelets), as the effect of one of its factors."""
    assert row.effect is not None
    assert row.n is not None
    doublings = sqrt(sum(typical(n).spread ** 2 for n in ("ldh", "crp", "platelets"))) / log(2)
    error = convert.auc_error(row.effect, row.n, round(row.n * event_rate))
    return convert.from_auc(row.effect, error, doublings, typical(key[0]).spread)


def _pair(row: Association, key: TermKey, share_below: float) -> Effect:
    """Two percentages either side of a cut that leaves ``share_below`` of the patients below."""
    exposed, unexposed = row.percent_exposed, row.percent_unexposed
    assert exposed is not None
    assert unexposed is not None
    assert row.n is not None
    n_exposed = row.n_exposed or row.n * (1 - share_below)
    n_unexposed = row.n_unexposed or row.n * share_below
    ratio, error = convert.odds_ratio_of_percentages(exposed, n_exposed, unexposed, n_unexposed)
    if row.comparison in ("<", "<="):
        ratio = 1 / ratio
    return convert.above_threshold(ratio, error, convert.quantile(share_below), 0.0, 1.0)


_CONVERSIONS = {
    "doubling": _doubling,
    "threshold": _threshold,
    "unit": _unit,
    "z": _z,
    "pair": _pair,
    "auc": _auc,
}


def transformed_centre(value: TypicalValue) -> float:
    """Return the centre of a typical value on its transformed scale."""
    return transformed_typical(value.centre, value.transform)


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
        if key[2] == "" and key[1] == wanted and (key[0] == TUMOUR_BURDEN or _is_quantity(key[0])):
            means.append(abs(prior.mean))
    squares = sum(m * m for m in means)
    total = squares + LABORATORY_CORRELATION * (sum(means) ** 2 - squares)
    return sqrt((1 - USUALLY_MISSING) * total)


def _is_quantity(predictor: str) -> bool:
    return isinstance(PREDICTORS[predictor], Quantity)
