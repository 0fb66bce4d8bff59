"""Monotone boosted trees on top of the linear part, and their translation into plain arrays.

XGBoost grows them with the linear log-odds as ``base_margin``, so that they learn only what is not
linear: depth 2, slow, heavily regularised, never weighted or resampled by class.
No tree at all is an allowed answer.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
import xgboost

from serving.model.trees import LEAVES, NODES, TreeEnsemble
from training.evaluation.overall_accuracy import log_losses
from training.learning.recipes import Recipe

Array = np.ndarray

ROUNDS_TRIED = (0, 10, 20, 40, 80, 160, 320)
SURE = 2.0
"""By how many standard errors fewer trees must lose to be given up: trees cost an explanation."""

PATIENCE = 2
"""How many numbers of rounds in a row may be worse before no more are tried."""

TRIALS = 20
"""How many settings Optuna tries where a recipe is tuned."""

_ALWAYS_BELOW = np.inf


@dataclass(frozen=True, slots=True)
class Growth:
    """How trees grow: what is tuned, where anything is."""

    seed: int
    eta: float = 0.05
    min_child_weight: float = 5.0
    reg_lambda: float = 10.0


@dataclass(frozen=True, slots=True)
class Fold:
    """A cohort's design (n, n_terms), outcome and linear margin fitted without the test rows."""

    train: Array
    test: Array
    values: Array
    y: Array
    margin: Array


@dataclass(frozen=True, slots=True)
class TreePlan:
    """How many trees, grown how, and each patient's log-odds when left out, shape (n,)."""

    rounds: int
    growth: Growth
    left_out: Array


def parameters(direction: Array, growth: Growth) -> dict[str, Any]:
    """Return XGBoost's parameters; ``direction`` (n_terms,) becomes its monotone constraint."""
    return {
        "objective": "binary:logistic",
        "base_score": 0.5,
        "max_depth": 2,
        "eta": growth.eta,
        "min_child_weight": growth.min_child_weight,
        "reg_lambda": growth.reg_lambda,
        "tree_method": "hist",
        "max_bin": 64,
        "monotone_constraints": tuple(int(sign) for sign in direction),
        "seed": growth.seed,
        "nthread": 1,
    }


def grow(
    values: Array, y: Array, margin: Array, direction: Array, rounds: int, growth: Growth
) -> xgboost.Booster | None:
    """Grow ``rounds`` trees on a design (n, n_terms) above a linear margin (n,); None for 0."""
    if rounds == 0:
        return None
    data = xgboost.DMatrix(values.astype(np.float32), label=y, base_margin=margin)
    return xgboost.train(parameters(direction, growth), data, num_boost_round=rounds)


def plan_trees(folds: list[Fold], direction: Array, recipe: Recipe, seed: int) -> TreePlan:
    """Choose the trees by log-loss on patients left out; no tree is an allowed answer.

    A tuned recipe lets Optuna choose how they grow as well, by the same log-loss.
    """
    if recipe.tree_weight == 0:
        return _plan(folds, direction, 0.0, Growth(seed))
    if not recipe.tuned:
        return _plan(folds, direction, recipe.tree_weight, Growth(seed))

    def loss(trial: optuna.Trial) -> float:
        plan = _plan(folds, direction, recipe.tree_weight, _suggested(trial, seed))
        return log_losses(plan.left_out, folds[0].y).mean()

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    study.optimize(loss, n_trials=TRIALS)
    return _plan(folds, direction, recipe.tree_weight, Growth(seed, **study.best_params))


def _suggested(trial: optuna.Trial, seed: int) -> Growth:
    return Growth(
        seed,
        eta=trial.suggest_float("eta", 0.01, 0.1, log=True),
        min_child_weight=trial.suggest_float("min_child_weight", 2.0, 30.0, log=True),
        reg_lambda=trial.suggest_float("reg_lambda", 1.0, 100.0, log=True),
    )


def _plan(folds: list[Fold], direction: Array, weight: float, growth: Growth) -> TreePlan:
    """Climb from no tree until more trees have made it worse twice in a row."""
    y = folds[0].y
    margins: dict[int, Array] = {}
    for rounds, margin in left_out_by_rounds(folds, direction, weight, growth):
        margins[rounds] = margin
        losses = [log_losses(z, y).mean() for z in margins.values()]
        if len(losses) > PATIENCE and min(losses[-PATIENCE:]) > min(losses[:-PATIENCE]):
            break
    rounds = _fewest_good_rounds(margins, y)
    return TreePlan(rounds, growth, margins[rounds])


def left_out_by_rounds(
    folds: list[Fold], direction: Array, weight: float, growth: Growth
) -> Iterator[tuple[int, Array]]:
    """Yield each number of rounds tried with the log-odds (n,) of patients left out.

    Every rung takes up the boosters of the one before. Without weight there are no trees to try.
    """
    margin = np.zeros(len(folds[0].y))
    for fold in folds:
        margin[fold.test] = fold.margin[fold.test]
    yield 0, margin
    seen = [_matrix(fold, fold.train) for fold in folds]
    new = [_matrix(fold, fold.test) for fold in folds]
    boosters: list[xgboost.Booster | None] = [None] * len(folds)
    done = 0
    for rounds in ROUNDS_TRIED[1:] if weight else ():
        added = np.zeros(len(margin))
        for i, fold in enumerate(folds):
            booster = xgboost.train(
                parameters(direction, growth), seen[i], rounds - done, xgb_model=boosters[i]
            )
            raw = booster.predict(new[i], output_margin=True)
            boosters[i] = booster
            added[fold.test] = raw - fold.margin[fold.test].astype(np.float32)
        yield rounds, margin + weight * added
        done = rounds


def _matrix(fold: Fold, index: Array) -> xgboost.DMatrix:
    values, y, margin = (part[index] for part in (fold.values, fold.y, fold.margin))
    return xgboost.DMatrix(values.astype(np.float32), label=y, base_margin=margin)


def _fewest_good_rounds(margins: dict[int, Array], y: Array) -> int:
    """Return the fewest rounds whose log-loss is not surely worse than the best."""
    losses = {r: log_losses(z, y) for r, z in margins.items()}
    best = min(losses, key=lambda r: losses[r].mean())
    error = (losses[best] - losses[0]).std() / np.sqrt(len(y))
    return min(r for r in losses if losses[r].mean() <= losses[best].mean() + SURE * error)


def as_arrays(booster: xgboost.Booster, weight: float = 1.0) -> TreeEnsemble:
    """Translate depth-2 trees into complete trees of three questions and four leaves.

    A branch that XGBoost did not split gets a question that is always answered "below".
    """
    dumps = [json.loads(text) for text in booster.get_dump(dump_format="json")]
    term = np.zeros((len(dumps), NODES), int)
    threshold = np.full((len(dumps), NODES), _ALWAYS_BELOW)
    leaf = np.zeros((len(dumps), LEAVES))
    for t, root in enumerate(dumps):
        for position, node in enumerate((root, *_branches(root))):
            if "leaf" not in node:
                term[t, position] = int(node["split"].removeprefix("f"))
                threshold[t, position] = np.float32(node["split_condition"])
        leaf[t] = [value for branch in _branches(root) for value in _leaves(branch)]
    return TreeEnsemble(term, np.where(np.isinf(threshold), 1e30, threshold), leaf * weight)


def _branches(node: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the children "below" and "not below"; a leaf is both of its own children."""
    if "leaf" in node:
        return node, node
    by_id = {child["nodeid"]: child for child in node["children"]}
    return by_id[node["yes"]], by_id[node["no"]]


def _leaves(branch: dict[str, Any]) -> tuple[float, float]:
    below, above = _branches(branch)
    return float(below["leaf"]), float(above["leaf"])
