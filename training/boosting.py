"""Monotone boosted trees on top of the linear part, and their translation into plain arrays.

XGBoost grows them with the linear log-odds as ``base_margin``, so that they learn only what is not
linear: depth 2, slow, heavily regularised, never weighted or resampled by class.
No tree at all is an allowed answer.
"""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import xgboost

from serving.trees import LEAVES, NODES, TreeEnsemble

Array = np.ndarray

ROUNDS_TRIED = (0, 10, 20, 40, 80, 160, 320)
TREE_WEIGHT = 0.5
"""The model is the average, in log-odds, of the linear part and the linear part with trees."""

_ALWAYS_BELOW = np.inf


@dataclass(frozen=True)
class GrownTrees:
    """What XGBoost grew, as its booster and as arrays; None and no trees where nothing helped."""

    booster: xgboost.Booster | None
    trees: TreeEnsemble

    @property
    def ubj(self) -> bytes | None:
        """XGBoost's own file."""
        return None if self.booster is None else bytes(self.booster.save_raw("ubj"))


def parameters(direction: Array, seed: int) -> dict[str, Any]:
    """Return XGBoost's parameters; ``direction`` (n_terms,) becomes its monotone constraint."""
    return {
        "objective": "binary:logistic",
        "base_score": 0.5,
        "max_depth": 2,
        "eta": 0.05,
        "min_child_weight": 5,
        "reg_lambda": 10.0,
        "tree_method": "hist",
        "max_bin": 64,
        "monotone_constraints": tuple(int(sign) for sign in direction),
        "seed": seed,
        "nthread": 1,
    }


def grow(
    values: Array, y: Array, margin: Array, direction: Array, rounds: int, seed: int
) -> GrownTrees:
    """Grow ``rounds`` trees on a design (n, n_terms) above a linear margin (n,)."""
    if rounds == 0:
        return GrownTrees(None, TreeEnsemble.none())
    data = xgboost.DMatrix(values.astype(np.float32), label=y, base_margin=margin)
    booster = xgboost.train(parameters(direction, seed), data, num_boost_round=rounds)
    return GrownTrees(booster, as_arrays(booster))


def margins_by_rounds(grown: GrownTrees, values: Array) -> dict[int, Array]:
    """Return what the first r trees add, for every r tried, each of shape (n,)."""
    trees = grown.trees
    counts = [r for r in ROUNDS_TRIED if r <= len(trees)]
    return {
        r: TreeEnsemble(trees.term[:r], trees.threshold[:r], trees.leaf[:r]).log_odds(values)
        for r in counts
    }


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
