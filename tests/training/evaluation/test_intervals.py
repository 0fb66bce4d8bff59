import numpy as np
import pytest

from tests.training.evaluation.conftest import drawn, seen
from training.evaluation.intervals import (
    FEW_DRAWS,
    counts,
    curve_from_draws,
    draws_of_patients,
    from_draws,
    from_inflated_draws,
    mean_of_patients,
    over_repeats,
    wilson,
)


def test_every_draw_has_as_many_patients_as_there_are() -> None:
    draws = draws_of_patients(30, 200, 4)
    assert (draws.sum(axis=1) == 30).all()
    np.testing.assert_array_equal(draws, draws_of_patients(30, 200, 4))
    assert (draws != draws_of_patients(30, 200, 5)).any()
    assert draws_of_patients(0, 20, 4).shape == (20, 0)


def test_a_patient_is_missed_by_a_draw_with_probability_one_over_e() -> None:
    missed = (draws_of_patients(400, 300, 1) == 0).mean()
    assert missed == pytest.approx((1 - 1 / 400) ** 400, abs=0.005)


def test_counting_who_was_drawn() -> None:
    np.testing.assert_array_equal(
        counts(np.array([[0, 0, 2], [1, 2, 2]]), 4), [[2, 0, 1, 0], [0, 1, 2, 0]]
    )


def test_the_interval_holds_nineteen_draws_of_twenty() -> None:
    estimate = from_draws(500.0, np.arange(1001.0))
    assert (estimate.low, estimate.high) == (25.0, 975.0)


def test_draws_that_could_not_be_measured_are_left_out_unless_they_are_many() -> None:
    draws = np.arange(100.0)
    draws[:10] = np.nan
    assert from_draws(50.0, draws).low is not None
    draws[:11] = np.nan
    assert from_draws(50.0, draws).reason == FEW_DRAWS
    assert from_draws(50.0, draws).value == 50.0
    assert from_inflated_draws(50.0, np.full(20, np.nan)).reason == FEW_DRAWS


def test_draws_of_a_distance_are_centred_on_it_and_not_negative() -> None:
    estimate = from_inflated_draws(0.01, np.linspace(0.01, 0.05, 1001))
    assert estimate.high == pytest.approx(0.01 + 0.019)
    assert estimate.low == 0.0


def test_a_curve_is_banded_point_by_point() -> None:
    draws = np.column_stack([np.arange(1001.0), 2 * np.arange(1001.0)])
    curve = curve_from_draws(np.array([500.0, 1000.0]), draws, seen(*drawn(50)))
    assert (curve.low, curve.high) == ((25.0, 50.0), (975.0, 1950.0))


def test_what_one_repeat_lacks_all_lack() -> None:
    half, nan = np.array([0.1, 0.1]), np.array([0.1, np.nan])
    value = np.array([1.0, 3.0])
    assert over_repeats(value, value - half, value + half, "wald", "why").value == 2.0
    assert over_repeats(value, value - nan, value + half, "wald", "why").low is None
    assert over_repeats(value + nan, value, value, "wald", "why").reason == "why"


def test_more_repeats_do_not_narrow_an_interval() -> None:
    each = np.random.default_rng(0).random((1, 50))
    patients = seen(*drawn(50))
    one, many = (mean_of_patients(x, patients) for x in (each, np.repeat(each, 9, axis=0)))
    assert (one.low, one.high) == pytest.approx((many.low, many.high))


def test_a_share_of_nobody_is_missing() -> None:
    assert wilson(np.array([0.0]), np.array([0.0]), "nobody").reason == "nobody"
