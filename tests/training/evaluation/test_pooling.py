import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import expit
from scipy.stats import t as student
from statsmodels.stats.meta_analysis import combine_effects

from tests.training.evaluation.conftest import Array
from training.evaluation.estimate import Estimate
from training.evaluation.pooling import LOG, LOGIT, NATURAL, Scale, i_squared, paule_mandel, pooled

# Vaccinated and not: events and patients of 13 trials of BCG (Colditz GA, JAMA 1994;271:698-702).
BCG = np.array(
    [
        (4, 123, 11, 139), (6, 306, 29, 303), (3, 231, 11, 220), (62, 13598, 248, 12867),
        (33, 5069, 47, 5808), (180, 1541, 372, 1451), (8, 2545, 10, 629), (505, 88391, 499, 88391),
        (29, 7499, 45, 7277), (17, 1716, 65, 1665), (186, 50634, 141, 27338), (5, 2498, 3, 2341),
        (27, 16913, 29, 17854),
    ],
    dtype=float,
)  # fmt: skip


def estimate(value: float, error: float, scale: Scale = NATURAL) -> Estimate:
    """An estimate whose interval has this standard error on a scale."""
    half = 1.959963984540054 * error
    low, middle, high = scale.back(np.array([value - half, value, value + half])).tolist()
    return Estimate(value=middle, low=low, high=high, method="wald")


def test_the_variance_between_the_trials_of_bcg_is_the_published_one() -> None:
    """0.3181 (Viechtbauer W, metafor: risk ratios of BCG by Paule and Mandel)."""
    events, of, events_without, of_without = BCG.T
    effect = np.log(events / of) - np.log(events_without / of_without)
    variance = 1 / events - 1 / of + 1 / events_without - 1 / of_without
    assert paule_mandel(effect, variance) == pytest.approx(0.3181, abs=5e-5)


GROUPS = arrays(float, st.integers(2, 8), elements=st.floats(-2, 2))


@given(effect=GROUPS, data=st.data())
def test_the_variance_between_groups_makes_the_scatter_that_of_chance(
    effect: Array, data: st.DataObject
) -> None:
    """The defining equation; at no variance between groups the scatter may be less."""
    variance = data.draw(arrays(float, len(effect), elements=st.floats(0.1, 1.0))) ** 2
    between = paule_mandel(effect, variance)
    weight = 1 / (variance + between)
    scatter = weight @ (effect - weight @ effect / weight.sum()) ** 2
    if between > 0:
        assert scatter == pytest.approx(len(effect) - 1)
    else:
        assert scatter <= len(effect) - 1 + 1e-9


# Seeds for which its search does not stop at 0 because the first step would lead below.
@pytest.mark.parametrize(("seed", "spread"), [(2, 0.6), (3, 0.6), (4, 0.6), (5, 0.0), (9, 0.0)])
def test_pooling_is_that_of_statsmodels(seed: int, spread: float) -> None:
    rng = np.random.default_rng(seed)
    error = rng.uniform(0.1, 0.5, 7)
    effect = rng.normal(0.5, spread, 7) + error * rng.standard_normal(7)
    reference = combine_effects(effect, error**2, method_re="iterated", use_t=True, atol=1e-13)
    found = pooled([estimate(e, s) for e, s in zip(effect, error, strict=True)], NATURAL)
    assert found.tau_squared == pytest.approx(reference.tau2, abs=1e-8)
    assert found.i_squared == pytest.approx(max(0.0, reference.i2), abs=1e-9)
    assert found.mean.value == pytest.approx(reference.mean_effect_re, abs=1e-7)
    # By Hartung and Knapp, unless that is narrower than with known variances.
    wider = 3 if reference.scale_hksj_re > 1 else 1
    low, high = reference.conf_int(alpha=0.05)[wider]
    assert (found.mean.low, found.mean.high) == pytest.approx((low, high), abs=1e-6)


def test_equal_groups_of_equal_size_are_a_students_t() -> None:
    """Equal variances: the mean and its t interval, whatever the variance between groups."""
    values = np.array([0.2, 0.9, 1.4, 0.6])
    found = pooled([estimate(v, 0.1) for v in values], NATURAL)
    half = student.ppf(0.975, 3) * values.std(ddof=1) / 2
    assert found.mean.value == pytest.approx(values.mean())
    assert found.mean.low == pytest.approx(values.mean() - half)
    assert found.tau_squared == pytest.approx(values.var(ddof=1) - 0.01)
    assert found.i_squared == pytest.approx(1 - 0.01 / values.var(ddof=1))
    predicted = student.ppf(0.975, 2) * np.sqrt(values.var(ddof=1) - 0.01 + values.var(ddof=1) / 4)
    assert found.prediction_high == pytest.approx(values.mean() + predicted)


def test_agreement_by_luck_does_not_narrow_the_interval() -> None:
    found = pooled([estimate(0.5, 0.3) for _ in range(4)], NATURAL)
    assert found.tau_squared == 0.0
    assert found.i_squared == 0.0
    assert found.mean.high == pytest.approx(0.5 + student.ppf(0.975, 3) * 0.3 / 2)


@pytest.mark.parametrize(("scale", "centre"), [(LOGIT, expit(1.0)), (LOG, np.exp(1.0))])
def test_pooling_happens_on_the_scale_of_the_measure(scale: Scale, centre: float) -> None:
    found = pooled([estimate(1.0 + d, 0.2, scale) for d in (-0.4, 0.0, 0.4)], scale)
    assert found.mean.value == pytest.approx(centre)
    assert found.prediction_low is not None
    assert found.mean.low is not None
    assert found.prediction_low < found.mean.low


def test_fewer_than_two_groups_are_not_pooled() -> None:
    found = pooled([estimate(1.0, 0.2), Estimate(value=0.8, reason="no interval")], NATURAL)
    assert found.groups == 1
    assert found.mean.value is None
    assert found.tau_squared is None


def test_two_groups_have_a_mean_and_no_prediction() -> None:
    found = pooled([estimate(1.0, 0.2), estimate(1.2, 0.2)], NATURAL)
    assert found.mean.value == pytest.approx(1.1)
    assert (found.prediction_low, found.prediction_high) == (None, None)


@given(arrays(float, 5, elements=st.floats(-1, 1)))
def test_the_share_that_is_not_chance_is_a_share(effect: Array) -> None:
    assert 0.0 <= i_squared(effect, np.full(5, 0.04)) <= 1.0


def test_nineteen_prediction_intervals_of_twenty_hold_a_new_group() -> None:
    rng = np.random.default_rng(3)
    held = 0
    for _ in range(400):
        groups = rng.normal(0.0, 0.4, 11)
        seen = groups[:10] + rng.normal(0.0, 0.2, 10)
        found = pooled([estimate(v, 0.2) for v in seen], NATURAL)
        assert found.prediction_low is not None
        assert found.prediction_high is not None
        held += found.prediction_low < groups[10] < found.prediction_high
    assert 0.91 <= held / 400 <= 0.99


def test_a_group_without_an_event_does_not_break_the_pooled_ratio() -> None:
    some = [Estimate(value=v, low=v / 2, high=2 * v, method="wald") for v in (0.8, 1.1, 1.3)]
    none = Estimate(value=0.0, low=0.0, high=0.6, method="exact")
    assert pooled([*some, none], LOG) == pooled(some, LOG)
