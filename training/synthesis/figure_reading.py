"""One published figure, read as an effect in log-odds per spread of its term."""

from math import log, log1p, sqrt

from data_schemas.evidence import Association, Evidence, Incidence
from data_schemas.typical_values import EVERYWHERE, TypicalValue, typical_value
from serving.model.terms import transformed_typical
from training.synthesis import effect_conversions as convert
from training.synthesis.effect_conversions import Effect
from training.synthesis.figures import COMPARED_WITH, Step, TermKey
from training.synthesis.needed_figures import severe_percentage

INDIRECT_OUTCOME = 0.3
"""Extra error of a figure for grade >= 2, any grade, or the other toxicity."""


def typical(predictor: str, disease: str = EVERYWHERE, product: str = EVERYWHERE) -> TypicalValue:
    """Return the typical value of a product's patients, of a disease's, or of all.

    Raises
    ------
    KeyError
        If none is published or assumed.
    """
    row = typical_value(predictor, disease, product)
    if row is None:
        raise KeyError(predictor)
    return row


def transformed_centre(value: TypicalValue) -> float:
    """Return the centre of a typical value on its transformed scale."""
    return transformed_typical(value.centre, value.transform)


def read_effect(evidence: Evidence, outcome: str, key: TermKey, step: Step) -> Effect:
    """Return what a figure says of an effect on an outcome."""
    kind, row_id, number = step
    row = evidence.row(row_id)
    if isinstance(row, Incidence):
        return _against_no_prophylaxis(evidence, outcome, row)
    effect = _CONVERSIONS[kind](row, key, number)
    direct = row.outcome in (outcome, "severe_crs_or_icans")
    return (
        effect if direct else Effect(effect.estimate, sqrt(effect.error**2 + INDIRECT_OUTCOME**2))
    )


def _against_no_prophylaxis(evidence: Evidence, outcome: str, exposed: Incidence) -> Effect:
    """Compare a prophylaxis cohort with the unprophylaxed one of the same trial programme.

    Not randomised, and burden differed: the error is doubled.
    """
    base = evidence.row(COMPARED_WITH)
    field = severe_percentage(outcome)
    assert exposed.n_treated is not None
    ratio, error = convert.odds_ratio_of_percentages(
        getattr(exposed, field), exposed.n_treated, getattr(base, field), base.n_treated
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
    assert row.per is not None
    ratio, error = _ratio(row)
    odds_ratio = convert.hazard_to_odds_ratio(ratio, reference_risk)
    # At no effect the quotient is 0 / 0; its limit is the slope of log-odds in the log hazard.
    stretch = (
        log(odds_ratio) / log(ratio) if ratio != 1 else -log1p(-reference_risk) / reference_risk
    )
    stretched = error * stretch
    return convert.per_unit(odds_ratio, stretched, row.per, typical(key[0]).spread)


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


def _pair(row: Association, key: TermKey, _: float) -> Effect:
    """Two percentages either side of a cut; where it lies, the sizes of the two groups say."""
    exposed, unexposed = row.percent_exposed, row.percent_unexposed
    assert exposed is not None
    assert unexposed is not None
    assert row.n is not None
    n_exposed = row.n_exposed or _exposed(row.n, row.events, exposed, unexposed)
    n_unexposed = row.n - n_exposed
    ratio, error = convert.odds_ratio_of_percentages(exposed, n_exposed, unexposed, n_unexposed)
    share_below = n_unexposed / row.n
    if row.comparison in ("<", "<="):
        ratio, share_below = 1 / ratio, n_exposed / row.n
    return convert.above_threshold(ratio, error, convert.quantile(share_below), 0.0, 1.0)


def _exposed(n: int, events: int | None, exposed: float, unexposed: float) -> float:
    """Return how many of n patients are exposed, given how many of all had the outcome."""
    assert events is not None
    return n * (100 * events / n - unexposed) / (exposed - unexposed)


_CONVERSIONS = {
    "doubling": _doubling,
    "threshold": _threshold,
    "unit": _unit,
    "z": _z,
    "pair": _pair,
    "auc": _auc,
}
