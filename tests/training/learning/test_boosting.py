"""Boosted trees: shallow, monotone, unweighted, and the same as arrays."""

import numpy as np
import pytest
import xgboost
from scipy.special import expit

from serving.model.trees import TreeEnsemble
from training.learning.boosting import (
    Fold,
    Growth,
    as_arrays,
    grow,
    left_out_by_rounds,
    parameters,
    plan_trees,
)
from training.learning.recipes import RECIPES

Array = np.ndarray
DIRECTION = np.array([1, -1, 0])


@pytest.fixture(scope="module")
def cohort() -> tuple[Array, Array, Array]:
    """A step, a slope and an interaction that a linear part does not say."""
    rng = np.random.default_rng(1)
    values = rng.standard_normal((900, 3))
    z = -1.5 + 1.5 * (values[:, 0] > 0.7) - 0.5 * values[:, 1] + values[:, 2] * (values[:, 0] > 0)
    y = (rng.random(900) < expit(z)).astype(float)
    return values, y, np.full(900, -1.2)


@pytest.fixture(scope="module")
def booster(cohort: tuple[Array, Array, Array]) -> xgboost.Booster:
    values, y, margin = cohort
    grown = grow(values, y, margin, DIRECTION, 80, Growth(3))
    assert grown is not None
    return grown


@pytest.fixture(scope="module")
def trees(booster: xgboost.Booster) -> TreeEnsemble:
    return as_arrays(booster)


def test_no_rounds_are_no_trees(cohort: tuple[Array, Array, Array]) -> None:
    values, y, margin = cohort
    assert grow(values, y, margin, DIRECTION, 0, Growth(3)) is None


def test_parameters_never_weight_a_class_and_keep_trees_shallow() -> None:
    given = parameters(DIRECTION, Growth(1))
    assert {"scale_pos_weight", "sample_weight", "weight", "max_delta_step"}.isdisjoint(given)
    assert given["max_depth"] <= 2
    assert given["objective"] == "binary:logistic"
    assert given["monotone_constraints"] == (1, -1, 0)
    assert given["nthread"] == 1


def test_parameters_are_all_known_to_xgboost(cohort: tuple[Array, Array, Array]) -> None:
    values, y, _ = cohort
    strict = {**parameters(DIRECTION, Growth(1)), "validate_parameters": True}
    xgboost.train(strict, xgboost.DMatrix(values, label=y), num_boost_round=1)


def test_arrays_say_what_the_booster_says(
    cohort: tuple[Array, Array, Array], booster: xgboost.Booster, trees: TreeEnsemble
) -> None:
    fresh = np.random.default_rng(2).standard_normal((500, 3)) * 2
    for values in (cohort[0], fresh, np.zeros((1, 3))):
        margin = booster.predict(
            xgboost.DMatrix(values.astype(np.float32), base_margin=np.zeros(len(values))),
            output_margin=True,
        )
        np.testing.assert_allclose(trees.log_odds(values), margin, atol=2e-6)


def test_arrays_agree_where_a_value_is_a_threshold(
    booster: xgboost.Booster, trees: TreeEnsemble
) -> None:
    cuts = np.unique(trees.threshold[trees.threshold < 1e29])
    values = np.repeat(cuts[:, None], 3, axis=1)
    margin = booster.predict(
        xgboost.DMatrix(values.astype(np.float32), base_margin=np.zeros(len(values))),
        output_margin=True,
    )
    np.testing.assert_allclose(trees.log_odds(values), margin, atol=2e-6)


def test_a_weight_scales_every_leaf(booster: xgboost.Booster, trees: TreeEnsemble) -> None:
    half = as_arrays(booster, 0.5)
    np.testing.assert_allclose(half.leaf, 0.5 * trees.leaf)
    np.testing.assert_array_equal(half.threshold, trees.threshold)


def test_a_saved_booster_is_the_same_booster(
    cohort: tuple[Array, Array, Array], booster: xgboost.Booster, trees: TreeEnsemble
) -> None:
    again = as_arrays(xgboost.Booster(model_file=bytearray(booster.save_raw("ubj"))))
    values = cohort[0]
    np.testing.assert_array_equal(again.log_odds(values), trees.log_odds(values))


@pytest.mark.parametrize(("column", "sign"), [(0, 1), (1, -1)])
def test_trees_never_go_against_a_declared_direction(
    trees: TreeEnsemble, column: int, sign: int
) -> None:
    rng = np.random.default_rng(4)
    line = np.linspace(-4, 4, 200)
    for others in rng.standard_normal((20, 3)):
        values = np.tile(others, (200, 1))
        values[:, column] = line
        steps = np.diff(trees.log_odds(values)) * sign
        assert (steps >= -1e-9).all()


def test_trees_learn_what_the_linear_part_left_over(
    cohort: tuple[Array, Array, Array], trees: TreeEnsemble
) -> None:
    values, y, margin = cohort
    before, after = (
        float((np.logaddexp(0, z) - y * z).mean())
        for z in (margin, margin + trees.log_odds(values))
    )
    assert after < before - 0.03


@pytest.fixture(scope="module")
def folds(cohort: tuple[Array, Array, Array]) -> list[Fold]:
    values, y, margin = cohort
    order = np.arange(len(y))
    return [Fold(order[order % 3 != k], order[order % 3 == k], values, y, margin) for k in range(3)]


def test_a_rung_of_the_climb_is_a_whole_run_of_as_many_rounds(folds: list[Fold]) -> None:
    climb = dict(left_out_by_rounds(folds, DIRECTION, 0.5, Growth(3)))
    assert list(climb) == [0, 10, 20, 40, 80, 160, 320]
    np.testing.assert_array_equal(climb[0], folds[0].margin)
    for rounds in (10, 160):
        for fold in folds:
            seen = fold.values[fold.train], fold.y[fold.train], fold.margin[fold.train]
            whole = as_arrays(grow(*seen, DIRECTION, rounds, Growth(3)))
            expected = fold.margin[fold.test] + 0.5 * whole.log_odds(fold.values[fold.test])
            np.testing.assert_allclose(climb[rounds][fold.test], expected, atol=5e-6)


def test_without_weight_no_tree_is_tried(folds: list[Fold]) -> None:
    assert [rounds for rounds, _ in left_out_by_rounds(folds, DIRECTION, 0.0, Growth(3))] == [0]


def test_trees_are_chosen_where_they_help_and_not_where_nothing_is_left_to_say(
    folds: list[Fold],
) -> None:
    anchored = RECIPES["anchored"]
    helped = plan_trees(folds, DIRECTION, anchored, 3)
    noise = np.random.default_rng(7).permutation(folds[0].y)
    nothing_left = [Fold(f.train, f.test, f.values, noise, f.margin) for f in folds]
    assert helped.rounds >= 40
    assert plan_trees(nothing_left, DIRECTION, anchored, 3).rounds == 0


def test_the_same_seed_grows_the_same_trees(
    cohort: tuple[Array, Array, Array], booster: xgboost.Booster
) -> None:
    again = grow(*cohort, DIRECTION, 80, Growth(3))
    assert again is not None
    assert again.save_raw("ubj") == booster.save_raw("ubj")


def test_an_outcome_without_pattern_grows_stumps_of_nothing() -> None:
    """Too few patients for one leaf on each side: no split, and no question is asked."""
    values = np.random.default_rng(5).standard_normal((8, 3))
    booster = grow(values, np.array([0.0, 1.0] * 4), np.zeros(8), DIRECTION, 10, Growth(1))
    trees = as_arrays(booster)
    assert len(trees) == 10
    assert len(np.unique(trees.log_odds(values))) == 1
