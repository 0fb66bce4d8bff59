"""Points are whole, close to what they stand for, and add up to what is displayed."""

from itertools import product
from math import floor

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from serving.answer.points import points_per_log_odds, whole_points
from serving.model.risk_model import expit_of_one as expit

POINTS = st.lists(st.floats(-30, 30) | st.just(0.0), min_size=1, max_size=6)


@given(POINTS, st.sampled_from([0.0, 0.25, -0.25, 0.4, -0.4]))
def test_whole_points_add_up_and_lie_next_to_the_exact_ones(
    exact: list[float], from_total: float
) -> None:
    assume(any(exact))
    total = round(sum(exact) + from_total)
    whole = whole_points(exact, total)
    assert sum(whole) == total
    for points, rounded in zip(exact, whole, strict=True):
        assert rounded == 0 if points == 0 else abs(rounded - points) <= 1


@given(st.lists(st.integers(-400, 400).map(lambda n: n / 16), min_size=1, max_size=4))
def test_no_other_whole_points_are_closer(exact: list[float]) -> None:
    """The largest remainder minimises the squares, here against every alternative nearby."""
    total = round(sum(exact))
    near = [(floor(p), floor(p) + 1) if p else (0,) for p in exact]
    others = [w for w in product(*near) if sum(w) == total]
    assume(others)

    def off(whole: tuple[int, ...] | list[int]) -> float:
        return sum((w - p) ** 2 for w, p in zip(whole, exact, strict=True))

    assert off(whole_points(exact, total)) <= min(map(off, others)) + 1e-9


def test_the_worked_example() -> None:
    """6.4, 3.4, 2.4 and -0.7 are 11.5: shown as 12, one of the fractions .4 is rounded up."""
    assert sorted(whole_points([6.4, 3.4, 2.4, -0.7], 12)) == [-1, 2, 4, 7]
    assert whole_points([2.6, 0.0, -1.7], 1) == [3, 0, -2]


@given(st.floats(-6, 4), st.floats(-3, 3))
def test_points_of_contributions_add_up_to_the_difference_in_percent(
    base: float, added: float
) -> None:
    total = base + added
    worth = points_per_log_odds(base, expit(base), total, expit(total))
    assert worth > 0
    assert added * worth == pytest.approx(100 * (expit(total) - expit(base)), abs=1e-4)


@given(st.floats(-6, 4), st.sampled_from([0.0, 1e-9, -1e-9, 0.005, -0.005]))
def test_a_risk_beside_the_base_has_the_slope_of_the_curve(base: float, added: float) -> None:
    """The mean slope between two points so near to each other is that halfway, to six digits."""
    step, halfway = 1e-4, base + added / 2
    slope = 100 * (expit(halfway + step) - expit(halfway - step)) / (2 * step)
    worth = points_per_log_odds(base, expit(base), base + added, expit(base + added))
    assert worth == pytest.approx(slope, rel=1e-5)
