"""Two risks and one odds ratio agree with the risk of either and of both."""

from decimal import Decimal, localcontext
from math import exp

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from serving.model.joint_risk import both, either
from serving.model.soundness import LARGEST_LOG_ODDS

RISK = st.floats(1e-4, 1 - 1e-4)
LOG_ODDS_RATIO = st.floats(-4, 4)
ANY_RISK = st.floats(0, 1)
ANY_LOG_ODDS_RATIO = st.floats(-LARGEST_LOG_ODDS, LARGEST_LOG_ODDS)
"""What an artefact may hold."""

ROUNDING = 1e-12


@given(first=RISK, second=RISK, log_odds_ratio=LOG_ODDS_RATIO)
def test_the_four_shares_have_the_odds_ratio(
    first: float, second: float, log_odds_ratio: float
) -> None:
    joint = both(first, second, log_odds_ratio)
    neither = 1 - either(first, second, log_odds_ratio)
    left, right = joint * neither, exp(log_odds_ratio) * (first - joint) * (second - joint)
    assert left == pytest.approx(right, rel=1e-6, abs=1e-12)


@given(first=ANY_RISK, second=ANY_RISK, log_odds_ratio=ANY_LOG_ODDS_RATIO)
@example(first=0.3, second=0.3, log_odds_ratio=36.0)
@example(first=0.9, second=0.4, log_odds_ratio=-40.0)
def test_either_and_both_lie_between_their_bounds(
    first: float, second: float, log_odds_ratio: float
) -> None:
    joint, any_of_them = (f(first, second, log_odds_ratio) for f in (both, either))
    assert joint + any_of_them == pytest.approx(first + second)
    assert max(0, first + second - 1) - ROUNDING <= joint <= min(first, second) + ROUNDING
    assert max(first, second) - ROUNDING <= any_of_them <= min(1, first + second) + ROUNDING


@given(first=ANY_RISK, second=ANY_RISK, log_odds_ratio=ANY_LOG_ODDS_RATIO)
def test_both_is_what_exact_arithmetic_gives(
    first: float, second: float, log_odds_ratio: float
) -> None:
    """The root in digits enough that it loses none of those compared."""
    with localcontext(prec=1_000):
        p, q, ratio = Decimal(first), Decimal(second), Decimal(log_odds_ratio).exp()
        s = 1 + (p + q) * (ratio - 1)
        root = (s * s - 4 * ratio * (ratio - 1) * p * q).sqrt()
        exact = float(2 * ratio * p * q / (s + root))
    assert both(first, second, log_odds_ratio) == pytest.approx(exact, rel=0, abs=ROUNDING)


@given(first=RISK, second=RISK)
def test_without_association_the_risks_multiply(first: float, second: float) -> None:
    assert both(first, second, 0.0) == first * second
    assert both(first, second, 1e-7) == pytest.approx(first * second, rel=1e-5)


@given(first=RISK, second=RISK, log_odds_ratio=LOG_ODDS_RATIO, step=st.floats(0, 0.5))
def test_a_higher_risk_lowers_neither(
    first: float, second: float, log_odds_ratio: float, step: float
) -> None:
    higher = min(first + step, 1 - 1e-4)
    for combine in (both, either):
        before = combine(first, second, log_odds_ratio)
        assert combine(max(first, higher), second, log_odds_ratio) >= before - ROUNDING
        assert combine(second, first, log_odds_ratio) == pytest.approx(before, rel=1e-9)
