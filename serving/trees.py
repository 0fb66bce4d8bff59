"""Shallow boosted trees without the library that grew them, and their exact Shapley values.

A tree of depth 2 asks at most three questions, so what it says of a patient against a reference
patient is settled by three bits each; its Shapley values are a sum over at most eight coalitions.
The tables below are plain arrays: training writes them beside XGBoost's own file and proves that
both say the same.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import factorial

import numpy as np

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
        if not len(self):
            return np.zeros(len(values))
        below = self._answers(values)
        leaf = np.where(below[:, :, 0], 0, 2) + np.where(
            below[:, :, 0], ~below[:, :, 1], ~below[:, :, 2]
        )
        return self.leaf[np.arange(len(self)), leaf].sum(axis=1)

    def contributions(self, values: Array) -> Array:
        """Return exact Shapley values against the typical patient (all terms 0).

        Returns
        -------
        array of shape (n, n_terms) in log-odds
            Rows sum to ``log_odds(values) - log_odds(0)``. Interventional Shapley values with one
            reference (Lundberg SM, Nat Mach Intell 2020;2:56-67).
        """
        phi = np.zeros(values.shape)
        if not len(self):
            return phi
        below = self._answers(values)
        pattern = below @ np.array([4, 2, 1])
        tree = np.arange(len(self))
        shares = self._shapley_tables[tree, pattern]
        rows = np.repeat(np.arange(len(values)), len(self) * NODES)
        terms = np.broadcast_to(self.term, (len(values), *self.term.shape)).ravel()
        np.add.at(phi, (rows, terms), shares.reshape(-1))
        return phi

    def _answers(self, values: Array) -> Array:
        """Return "below the threshold?" of shape (n, n_trees, 3)."""
        asked = values.astype(np.float32)[:, self.term]
        return asked < self.threshold.astype(np.float32)

    @cached_property
    def _shapley_tables(self) -> Array:
        """Shares of the three questions for each tree and answer pattern: (n_trees, 8, 3).

        Questions about one term are one player; the player's share sits at its first question.
        """
        reference = np.zeros(self.threshold.shape, np.float32) < self.threshold.astype(np.float32)
        tables = np.zeros((len(self), 8, NODES))
        for t in range(len(self)):
            players = _players(self.term[t])
            for pattern, bits in enumerate(itertools.product((False, True), repeat=NODES)):
                tables[t, pattern] = _shares(self.leaf[t], bits, tuple(reference[t]), players)
        return tables

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


def _players(terms: Array) -> tuple[tuple[int, ...], ...]:
    """Group the three questions by the term they ask about."""
    first = {int(term): i for i, term in reversed(list(enumerate(terms)))}
    groups: dict[int, list[int]] = {i: [] for i in sorted(first.values())}
    for i, term in enumerate(terms):
        groups[first[int(term)]].append(i)
    return tuple(tuple(group) for group in groups.values())


def _leaf_value(leaf: Array, below: tuple[bool, ...]) -> float:
    if below[0]:
        return float(leaf[0] if below[1] else leaf[1])
    return float(leaf[2] if below[2] else leaf[3])


def _shares(
    leaf: Array,
    patient: tuple[bool, ...],
    reference: tuple[bool, ...],
    players: tuple[tuple[int, ...], ...],
) -> Array:
    """Return the Shapley value of each question's player, at the player's first question."""

    def value(coalition: frozenset[int]) -> float:
        own = {q for player in coalition for q in players[player]}
        return _leaf_value(leaf, tuple(patient[q] if q in own else reference[q] for q in range(3)))

    shares = np.zeros(NODES)
    m = len(players)
    for i, questions in enumerate(players):
        others = [p for p in range(m) if p != i]
        for size in range(m):
            weight = factorial(size) * factorial(m - size - 1) / factorial(m)
            for chosen in itertools.combinations(others, size):
                gain = value(frozenset((*chosen, i))) - value(frozenset(chosen))
                shares[questions[0]] += weight * gain
    return shares
