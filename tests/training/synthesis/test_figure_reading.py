"""Every published figure becomes the effect that it stands for, worked out here a second time.

The oracle reads each row by textbook formulas written for this file alone, with scipy's normal
distribution in place of the conversions.
"""

from math import log, sqrt
from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import norm

from data_schemas.evidence import Association, Evidence, Incidence
from data_schemas.typical_values import EVERYWHERE
from tests.training.synthesis.conftest import EVERY_EFFECT, EVERY_STEP, changed
from training.synthesis.effect_conversions import Effect
from training.synthesis.figure_reading import read_effect, transformed_centre, typical
from training.synthesis.figures import STEPS, Step, TermKey
from training.synthesis.published_effects import EffectPrior, declared_direction, effect_prior
from training.synthesis.transport import transport

DIRECT = ("severe_crs", "severe_icans", "severe_crs_or_icans")


def logit(p: float) -> float:
    return log(p / (1 - p))


def ratio(row: Association) -> tuple[float, float]:
    """Return a log ratio of higher against lower, and its error from the interval or from p."""
    assert row.effect is not None
    estimate = log(row.effect)
    if row.ci_low is not None and row.ci_high is not None:
        error = log(row.ci_high / row.ci_low) / (2 * norm.ppf(0.975))
    else:
        p = row.p_below if row.p is None else row.p
        assert p is not None
        error = abs(estimate) / norm.isf(p / 2)
    return (-estimate if row.comparison in ("<", "<=") else estimate), error


def distance(z: float) -> float:
    """Return how far apart the means of a standard normal lie on both sides of a cut."""
    return norm.pdf(z) / norm.sf(z) + norm.pdf(z) / norm.cdf(z)


def table(percent: float, n: float) -> tuple[float, float]:
    """Return the log-odds of a percentage with half an event added, and their variance."""
    events = percent * n / 100 + 0.5
    others = n - percent * n / 100 + 0.5
    return log(events / others), 1 / events + 1 / others


def by_doubling(row: Association, key: TermKey, sign: float) -> tuple[float, float]:
    estimate, error = ratio(row)
    doublings = typical(key[0]).spread / log(2)
    return sign * estimate * doublings, error * doublings


def by_threshold(row: Association, key: TermKey, cut: float) -> tuple[float, float]:
    value = typical(key[0], key[1])
    estimate, error = ratio(row)
    apart = distance((cut - transformed_centre(value)) / value.spread)
    return estimate / apart, error / apart


def by_unit(row: Association, key: TermKey, risk: float) -> tuple[float, float]:
    """A hazard ratio raises the log-odds of the reference risk by so much."""
    hazard, error = ratio(row)
    assert row.effect is not None
    odds = logit(1 - (1 - risk) ** row.effect) - logit(risk)
    units = typical(key[0]).spread / (row.per or 1)
    return odds * units, error * odds / hazard * units


def by_z(row: Association, key: TermKey, rate: float) -> tuple[float, float]:
    estimate, error = ratio(row)
    assert row.n is not None
    unit = 1 / sqrt(row.n * rate * (1 - rate))
    return estimate / error * unit, unit


def by_pair(row: Association, key: TermKey, _: float) -> tuple[float, float]:
    """Of two groups whose sizes are told, or are what n and all events leave."""
    assert row.n is not None
    assert row.percent_exposed is not None
    assert row.percent_unexposed is not None
    if row.n_exposed is None:
        assert row.events is not None
        told = np.array([[1.0, 1.0], [row.percent_exposed / 100, row.percent_unexposed / 100]])
        exposed, unexposed = np.linalg.solve(told, [row.n, row.events])
    else:
        exposed, unexposed = row.n_exposed, row.n_unexposed
    first, of_first = table(row.percent_exposed, exposed)
    second, of_second = table(row.percent_unexposed, unexposed)
    is_below = row.comparison in ("<", "<=")
    sign = -1 if is_below else 1
    apart = distance(norm.ppf((exposed if is_below else unexposed) / row.n))
    return sign * (first - second) / apart, sqrt(of_first + of_second) / apart


def by_auc(row: Association, key: TermKey, rate: float) -> tuple[float, float]:
    """Of a sum of logarithms, one factor's spread is a share; the AUC is that of two Gaussians."""
    auc, n = row.effect, row.n
    assert auc is not None
    assert n is not None
    events = round(n * rate)
    others = n - events
    # Hanley and McNeil 1982, formulas 1 and 2.
    q1, q2 = auc / (2 - auc), 2 * auc * auc / (1 + auc)
    numerator = auc * (1 - auc) + (events - 1) * (q1 - auc**2) + (others - 1) * (q2 - auc**2)
    auc_error = sqrt(numerator / events / others)
    score = sqrt(sum(typical(part).spread ** 2 for part in ("ldh", "crp", "platelets")))
    share = typical(key[0]).spread / score

    def separated(area: float) -> float:
        return brentq(lambda apart: norm.cdf(apart / sqrt(2)) - area, -9, 9)

    error = (separated(auc + auc_error) - separated(auc - auc_error)) / 2
    return separated(auc) * share, error * share


def by_cohorts(evidence: Evidence, row: Incidence, outcome: str) -> tuple[float, float]:
    base = evidence.row("axi-cel-zuma1-phase2")
    field = "crs_severe_pct" if outcome == "severe_crs" else "icans_severe_pct"
    first, of_first = table(getattr(row, field), row.n_treated)
    second, of_second = table(getattr(base, field), base.n_treated)
    return first - second, 2 * sqrt(of_first + of_second)


ORACLES: dict[str, Any] = {
    "doubling": by_doubling,
    "threshold": by_threshold,
    "unit": by_unit,
    "z": by_z,
    "pair": by_pair,
    "auc": by_auc,
}


def expected(evidence: Evidence, outcome: str, key: TermKey, step: Step) -> tuple[float, float]:
    kind, row_id, number = step
    row = evidence.row(row_id)
    if isinstance(row, Incidence):
        return by_cohorts(evidence, row, outcome)
    estimate, error = ORACLES[kind](row, key, number)
    return estimate, error if row.outcome in DIRECT else sqrt(error**2 + 0.3**2)


@pytest.mark.parametrize(("outcome", "key", "step"), EVERY_STEP)
def test_every_figure_is_read_as_the_textbook_reads_it(
    evidence: Evidence, outcome: str, key: TermKey, step: Step
) -> None:
    read = read_effect(evidence, outcome, key, step)
    assert read == pytest.approx(expected(evidence, outcome, key, step), rel=1e-9)


AGE: tuple[TermKey, Step] = (
    ("age", EVERYWHERE, ""),
    ("unit", "age-icans-any-per-year-cibmtr", 0.43),
)
FERRITIN: tuple[TermKey, Step] = (
    ("ferritin", EVERYWHERE, ""),
    ("threshold", "ferritin-1500-icans-grade2plus-hmp", log(1500)),
)
LINES: tuple[TermKey, Step] = (
    ("prior_lines", EVERYWHERE, ""),
    ("pair", "prior-lines-3-icans-severe-brexu-mcl", 0.0),
)


def read(evidence: Evidence, which: tuple[TermKey, Step], **update: object) -> Effect:
    key, step = which
    return read_effect(changed(evidence, step[1], **update), "severe_icans", key, step)


def test_a_figure_per_twenty_years_is_a_tenth_of_one_per_two(evidence: Evidence) -> None:
    two, twenty = read(evidence, AGE, per=2.0), read(evidence, AGE, per=20.0)
    assert twenty.estimate == pytest.approx(two.estimate / 10)


def test_an_exact_p_counts_before_the_bound_and_either_before_a_default(evidence: Evidence) -> None:
    unknown = {"ci_low": None, "ci_high": None}
    exact = read(evidence, FERRITIN, p=0.003, p_below=0.05, **unknown)
    bound = read(evidence, FERRITIN, p=None, p_below=0.05, **unknown)
    neither = read(evidence, FERRITIN, p=None, p_below=None, **unknown)
    cut = typical("ferritin")
    apart = distance((log(1500) - log(cut.centre)) / cut.spread)
    of_p = [log(3.4) / norm.isf(p / 2) for p in (0.003, 0.05)]
    for effect, error in zip((exact, bound, neither), (*of_p, 0.5), strict=True):
        assert effect.error == pytest.approx(sqrt((error / apart) ** 2 + 0.3**2))


@pytest.mark.parametrize("outcome", DIRECT[1:])
def test_a_figure_of_the_very_outcome_has_no_error_beside_its_own(
    evidence: Evidence, outcome: str
) -> None:
    direct = read(evidence, FERRITIN, outcome=outcome)
    indirect = read(evidence, FERRITIN, outcome="any_icans")
    assert indirect.estimate == direct.estimate
    assert indirect.error**2 - direct.error**2 == pytest.approx(0.3**2)


def test_groups_of_unknown_size_are_those_that_all_events_leave(evidence: Evidence) -> None:
    """31 % of 300 and 30 % of 100 are 123 events of 400, and the cut leaves a quarter below."""
    unknown = {"n_exposed": None, "n_unexposed": None}
    solved = read(evidence, LINES, **unknown, n=400, events=123, comparison=">=")
    told = read(evidence, LINES, n_exposed=300, n_unexposed=100, n=400, comparison=">=")
    assert solved == pytest.approx(told)
    high, of_high = table(31.0, 300)
    low, of_low = table(30.0, 100)
    apart = distance(norm.ppf(0.25))
    assert solved == pytest.approx(((high - low) / apart, sqrt(of_high + of_low) / apart))


def test_a_cut_stands_where_the_sizes_of_the_groups_say(evidence: Evidence) -> None:
    """104 of the 469 had fewer than 3 lines, whichever of the two groups is called exposed."""
    below = read(evidence, LINES, comparison="<=")
    above = read(
        evidence,
        LINES,
        comparison=">=",
        n_exposed=365,
        n_unexposed=104,
        percent_exposed=30,
        percent_unexposed=31,
    )
    assert below == pytest.approx(above)


# ---- From figures to a prior -----------------------------------------------------------


@pytest.mark.parametrize(("outcome", "key"), EVERY_EFFECT)
def test_every_prior_is_its_figures_pooled_shrunk_and_spread(
    evidence: Evidence, outcome: str, key: TermKey
) -> None:
    """Inverse variance, 0.2 between studies; a sd of 1 for what is plausible; then transport."""
    figures = [expected(evidence, outcome, key, step) for step in STEPS[outcome][key]]
    weights = [1 / (error**2 + 0.2**2) for _, error in figures]
    published = sum(w * e for w, (e, _) in zip(weights, figures, strict=True)) / sum(weights)
    # Normal prior of sd 1 and one observation: the posterior of textbooks.
    posterior = sum(weights) * published / (1 + sum(weights)), sqrt(1 / (1 + sum(weights)))
    prior: EffectPrior = effect_prior(evidence, outcome, key)
    share = transport(evidence)
    assert f"times {share:.2f} for transport" in prior.how
    assert prior.as_published == pytest.approx(published)
    assert prior.before_transport == pytest.approx(posterior[0])
    against = posterior[0] * declared_direction(key, outcome) < 0
    assert prior.mean == pytest.approx(0 if against else share * posterior[0])
    own, elsewhere = share * posterior[1], 0.5 * prior.mean
    assert prior.sd == pytest.approx(sqrt(own**2 + elsewhere**2 + 0.12**2))
    kept = f"times {1 / (1 + 1 / sum(weights)):.2f} for its own error"
    assert kept in prior.how
