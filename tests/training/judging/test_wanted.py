"""A limit is kept exactly within its bounds, and its sentence says what the numbers say."""

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from training.evaluation.estimate import Estimate
from training.judging.wanted import Wanted

numbers = st.floats(-5, 5).filter(lambda x: abs(x) > 1e-9)


def of(value: float, **wanted: object) -> str:
    estimate = Estimate(value=value, reason="a test")
    return Wanted("x", "Slope", too_low="low", too_high="high", **wanted).of(estimate).in_words  # type: ignore[arg-type]


@given(numbers, numbers, numbers)
def test_a_limit_is_kept_within_its_bounds_and_not_beyond(a: float, b: float, x: float) -> None:
    low, high = sorted((a, b))
    limit = Wanted("x", "X", low, high, "low", "high").of(Estimate(value=x, reason="a test"))
    assert limit.met == (low <= x <= high)
    assert ("below" in limit.in_words) == (x < low)
    assert ("above" in limit.in_words) == (x > high)


@given(numbers, numbers)
def test_a_number_beyond_its_bound_is_written_apart_from_it(bound: float, x: float) -> None:
    assume(x > bound)
    assume(x - bound > 1e-9)
    said = of(x, at_most=bound)
    reached, by, named = re.findall(r"-?\d+\.\d+", said)
    assert float(reached) != float(named)
    assert float(by) > 0


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.52, "Slope 0.52 lies 0.28 below 0.80: low."),
        (0.7996, "Slope 0.7996 lies 0.0004 below 0.80: low."),
        (1.30, "Slope 1.30 lies 0.05 above 1.25: high."),
        (0.8, "Slope 0.80 keeps to 0.80 to 1.25."),
    ],
)
def test_sentences(value: float, said: str) -> None:
    assert of(value, at_least=0.8, at_most=1.25) == said


def test_a_bound_is_written_with_all_its_digits_and_zero_without_a_sign() -> None:
    assert of(0.004, at_least=0.005) == "Slope 0.00 lies 0.001 below 0.005: low."
    assert of(-0.001, at_most=-0.004) == "Slope 0.00 lies 0.003 above -0.004: high."


def test_an_interval_is_told_with_its_number() -> None:
    estimate = Estimate(value=0.52, low=0.4, high=0.64, method="wald")
    said = Wanted("x", "Slope", at_least=0.8, too_low="too extreme").of(estimate).in_words
    assert said == "Slope 0.52 (0.40 to 0.64) lies 0.28 below 0.80: too extreme."
    kept = Wanted("x", "Slope", at_most=0.8).of(estimate).in_words
    assert kept == "Slope 0.52 (0.40 to 0.64) keeps to at most 0.80."


def test_an_end_of_an_interval_can_be_held() -> None:
    estimate = Estimate(value=0.6, low=0.4, high=0.8, method="delong")
    limit = Wanted("x", "Lower end", at_least=0.5, too_low="chance", end="low").of(estimate)
    assert (limit.reached, limit.met) == (0.4, False)
    assert limit.in_words == "Lower end 0.40 lies 0.10 below 0.50: chance."


def test_what_is_missing_is_not_kept_and_says_why() -> None:
    estimate = Estimate(value=0.6, reason="one patient has no spread")
    limit = Wanted("x", "Lower end", at_least=0.5, end="low").of(estimate)
    assert (limit.reached, limit.met, limit.reason) == (None, False, "one patient has no spread")
    assert "could not be measured: one patient has no spread; wanted is at least 0.50" in (
        limit.in_words
    )


def test_a_limit_that_may_be_broken_by_chance_says_so_and_stays_broken() -> None:
    wanted = Wanted("ici", "ICI", at_most=0.03, too_high="risks are wrong somewhere", digits=3)
    unsure = wanted.of(Estimate(value=0.046, low=0.02, high=0.08, method="bootstrap"))
    assert unsure.met is False
    assert unsure.in_words.endswith(
        "wrong somewhere, or these patients are too few to tell it from a model that keeps to the "
        "limit."
    )
    sure = wanted.of(Estimate(value=0.046, low=0.04, high=0.08, method="bootstrap"))
    assert sure.in_words.endswith("risks are wrong somewhere.")
