"""Shallow boosted trees without the library that grew them, and their exact Shapley values.

A tree of depth 2 asks one question at its root and one in each branch, so it is the sum of two
functions of two terms each: what the branch below says, and what the branch above says.
All trees together are therefore a sum of step functions, one for each pair of terms, and so are
their Shapley values: each is read from a small table.
Training writes the trees beside XGBoost's own file and proves that both say the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from serving.model.pair_effects import PairEffects, Step, pair_effects

Array = np.ndarray

NODES = 3
LEAVES = 4


@dataclass(frozen=True)
class TreeEnsemble:
    """Trees as complete depth-2 trees.

    ``term`` and ``threshold`` have shape (n_trees, 3): root, left child, right child; a question
    is "is the term below the threshold?", compared in single precision as XGBoost does.
    ``leaf`` has shape (n_trees, 4) in log-odds: below-below, below-above, above-below, above-above.
    """

    term: Array
    threshold: Array
    leaf: Array

    @classmethod
    def none(cls) -> "TreeEnsemble":
        """Return the ensemble of no trees, an allowed answer."""
        return cls(np.zeros((0, NODES), int), np.zeros((0, NODES)), np.zeros((0, LEAVES)))

    def __len__(self) -> int:
        """Return the number of trees."""
        return len(self.term)

    def log_odds(self, values: Array) -> Array:
        """Return what the trees add for each patient, shape (n,), from a design (n, n_terms)."""
        return self.effects.log_odds(values)

    def contributions(self, values: Array) -> Array:
        """Return exact Shapley values against the typical patient (all terms 0).

        Returns
        -------
        array of shape (n, n_terms) in log-odds
            Rows sum to ``log_odds(values) - log_odds(0)``. Interventional Shapley values with one
            reference (Lundberg SM, Nat Mach Intell 2020;2:56-67).
        """
        return self.effects.contributions(values)

    @cached_property
    def effects(self) -> PairEffects:
        """The trees as step functions of pairs of terms."""
        steps = []
        for term, threshold, leaf in zip(self.term, self.threshold, self.leaf, strict=True):
            root = Step(int(term[0]), np.float32(threshold[0]))
            below, above = (Step(int(term[i]), np.float32(threshold[i])) for i in (1, 2))
            steps.append((root, below, (float(leaf[0]), float(leaf[1]), 0.0, 0.0)))
            steps.append((root, above, (0.0, 0.0, float(leaf[2]), float(leaf[3]))))
        return pair_effects(steps)

    def to_json(self) -> dict[str, list[list[float]]]:
        """Return the arrays as lists."""
        return {name: getattr(self, name).tolist() for name in ("term", "threshold", "leaf")}

    @classmethod
    def from_json(cls, data: Mapping[str, list[list[float]]]) -> "TreeEnsemble":
        """Read what :meth:`to_json` wrote."""
        return cls(
            np.array(data["term"], int).reshape(-1, NODES),
            np.array(data["threshold"], float).reshape(-1, NODES),
            np.array(data["leaf"], float).reshape(-1, LEAVES),
        )
