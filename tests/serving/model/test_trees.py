"""Trees as plain arrays say what XGBoost says, and their Shapley values are exact."""

import itertools
import warnings
from dataclasses import dataclass
from math import factorial

import numpy as np
import pytest
import xgboost
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.model.trees import TreeEnsemble
from tests.conftest import boosted
from training.learning.boosting import as_arrays

Array = np.ndarray
NEVER_ASKED = 1e30


@dataclass(frozen=True)
class Grown:
    """Trees as XGBoost has them and as arrays."""

    booster: xgboost.Booster
    trees: TreeEnsemble


def grow(values: Array, y: Array, margin: Array, direction: Array, rounds: int) -> Grown:
    booster = boosted(values, y, margin, list(direction), rounds)
    return Grown(booster, as_arrays(booster))


def grown(seed: int, terms: int = 4, rounds: int = 15, n: int = 120) -> tuple[Grown, Array]:
    """Trees on a random outcome, with random monotone constraints, and the rows they saw."""
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((n, terms)).astype(np.float32)
    values[rng.random(values.shape) < 0.2] = 0.0  # as a missing term is
    wave = 2 * values[:, 0] * values[:, 1] + np.sin(3 * values[:, -1])
    y = (rng.random(n) < 1 / (1 + np.exp(-wave))).astype(float)
    direction = rng.integers(-1, 2, terms)
    return grow(values, y, rng.normal(0, 0.3, n), direction, rounds), values


def ensemble(term: list[list[int]], threshold: list[list[float]], leaf: Array) -> TreeEnsemble:
    return TreeEnsemble(np.array(term), np.array(threshold), np.asarray(leaf, float))


def by_definition(trees: TreeEnsemble, patient: Array) -> Array:
    """Return Shapley values as the textbook defines them, over every coalition of terms."""
    k = len(patient)

    def value(coalition: tuple[int, ...]) -> float:
        mixed = np.zeros((1, k))
        mixed[0, list(coalition)] = patient[list(coalition)]
        return float(trees.log_odds(mixed)[0])

    phi = np.zeros(k)
    for j in range(k):
        others = [i for i in range(k) if i != j]
        for size in range(k):
            weight = factorial(size) * factorial(k - size - 1) / factorial(k)
            for chosen in itertools.combinations(others, size):
                phi[j] += weight * (value((*chosen, j)) - value(chosen))
    return phi


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), terms=st.integers(2, 6), rounds=st.integers(1, 30))
def test_the_arrays_give_the_margins_of_xgboost(seed: int, terms: int, rounds: int) -> None:
    made, values = grown(seed, terms, rounds)
    unseen = np.random.default_rng(seed + 1).normal(0, 2, (50, terms)).astype(np.float32)
    rows = np.vstack([values, unseen])
    margin = made.booster.predict(xgboost.DMatrix(rows), output_margin=True)
    assert len(made.trees) == rounds
    np.testing.assert_allclose(made.trees.log_odds(rows), margin, atol=1e-5)


def test_a_value_on_a_threshold_goes_where_xgboost_sends_it() -> None:
    made, values = grown(3)
    asked = made.trees.threshold < NEVER_ASKED / 2
    on_threshold = np.repeat(values[:1], asked.sum(), axis=0)
    terms, thresholds = made.trees.term[asked], made.trees.threshold[asked]
    on_threshold[np.arange(asked.sum()), terms] = thresholds
    margin = made.booster.predict(xgboost.DMatrix(on_threshold), output_margin=True)
    np.testing.assert_allclose(made.trees.log_odds(on_threshold), margin, atol=1e-5)


def test_contributions_are_those_of_shap() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the packages that SHAP imports
        import shap
    made, values = grown(11, terms=6, rounds=60, n=400)
    explainer = shap.TreeExplainer(
        made.booster, np.zeros((1, 6), np.float32), feature_perturbation="interventional"
    )
    ours = made.trees.contributions(values)
    np.testing.assert_allclose(ours, explainer.shap_values(values), atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_contributions_are_shapley_values_whichever_terms_a_tree_repeats(
    data: st.DataObject,
) -> None:
    finite = st.floats(-3, 3)
    count = data.draw(st.integers(1, 4))
    triples = st.lists(st.integers(0, 2), min_size=3, max_size=3)
    trees = ensemble(
        data.draw(st.lists(triples, min_size=count, max_size=count)),
        [data.draw(st.lists(finite, min_size=3, max_size=3)) for _ in range(count)],
        np.array([data.draw(st.lists(finite, min_size=4, max_size=4)) for _ in range(count)]),
    )
    patient = np.array(data.draw(st.lists(finite, min_size=3, max_size=3)))
    ours = trees.contributions(patient[None])[0]
    np.testing.assert_allclose(ours, by_definition(trees, patient), atol=1e-12)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_contributions_add_up_to_the_distance_from_the_typical_patient(seed: int) -> None:
    made, values = grown(seed)
    typical = made.trees.log_odds(np.zeros((1, values.shape[1])))
    added = made.trees.contributions(values).sum(axis=1)
    np.testing.assert_allclose(added, made.trees.log_odds(values) - typical, atol=1e-12)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_monotone_constraint_holds_in_the_arrays(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((150, 3))
    y = (rng.random(150) < 0.3).astype(float)
    trees = grow(values, y, np.zeros(150), np.array([1, -1, 0]), 20).trees
    for term, sign in ((0, 1), (1, -1)):
        raised = values.copy()
        raised[:, term] += rng.exponential(1.0, 150)
        moved = sign * (trees.log_odds(raised) - trees.log_odds(values))
        assert moved.min() >= -1e-12


def test_no_trees_say_nothing() -> None:
    none, values = TreeEnsemble.none(), np.ones((5, 3))
    assert len(none) == 0
    assert not none.log_odds(values).any()
    assert not none.contributions(values).any()


def test_a_term_that_no_tree_asks_about_contributes_exactly_nothing() -> None:
    trees = ensemble([[1, 2, 1]], [[0.5, -0.2, 1.0]], [[0.1, 0.2, -0.3, 0.4]])
    values = np.random.default_rng(0).standard_normal((30, 4)) * 2
    phi = trees.contributions(values)
    assert not phi[:, [0, 3]].any()
    assert phi[:, [1, 2]].any()


def test_a_term_asked_twice_in_one_tree_is_one_player() -> None:
    trees = ensemble([[0, 0, 0]], [[1.0, -1.0, 2.0]], [[-1.0, 0.0, 1.0, 3.0]])
    values = np.array([[-2.0], [0.5], [1.5], [4.0]])
    assert trees.contributions(values).ravel().tolist() == [-1.0, 0.0, 1.0, 3.0]


def test_a_term_that_equals_the_typical_one_contributes_nothing() -> None:
    made, values = grown(5)
    at_typical = values == 0.0
    assert at_typical.any()
    assert not made.trees.contributions(values)[at_typical].any()


def test_a_tree_of_one_leaf_adds_a_constant() -> None:
    values, y = np.zeros((40, 2)), np.array([0.0, 1.0] * 20)
    made = grow(values, y, np.full(40, -1.0), np.zeros(2), 3)
    assert len(set(made.trees.log_odds(np.eye(2) * 9).tolist())) == 1
    assert not made.trees.contributions(np.eye(2) * 9).any()


@pytest.mark.parametrize("trees", [TreeEnsemble.none(), grown(2)[0].trees], ids=["none", "some"])
def test_trees_survive_json(trees: TreeEnsemble) -> None:
    values = np.random.default_rng(1).standard_normal((20, 4))
    copy = TreeEnsemble.from_json(trees.to_json())
    assert len(copy) == len(trees)
    np.testing.assert_array_equal(copy.log_odds(values), trees.log_odds(values))


def test_a_weight_scales_every_leaf() -> None:
    made, values = grown(4)
    halved = as_arrays(made.booster, 0.5)
    np.testing.assert_allclose(halved.log_odds(values), made.trees.log_odds(values) / 2)
