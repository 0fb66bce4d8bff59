"""The trees for one patient: every pair of terms looked up at once, in flat arrays."""

from typing import NamedTuple

import numpy as np

from serving.model.pair_effects import PairEffects

Array = np.ndarray


class Moves(NamedTuple):
    """What changes in the trees when terms move away from 0, for several settings.

    ``pair`` and ``by`` say which pairs change their cell, and by how much; ``setting`` says in
    which setting. All of shape (n_changes,).
    """

    pair: Array
    by: Array
    setting: Array
    settings: int


class CompiledTrees:
    """Step functions of pairs of terms, for one patient at a time."""

    def __init__(self, effects: PairEffects, n_terms: int) -> None:
        """Lay the tables of all pairs end to end."""
        self.n_terms = n_terms
        self._value = effects.value
        self._shares = np.stack([effects.of_first, effects.of_second], axis=1)
        known = effects.thresholds
        order = {term: place for place, term in enumerate(known)}
        counts = [len(found) for found in known.values()]
        self._term = np.repeat(np.array(list(known), np.intp), counts)
        self._threshold = np.concatenate([*known.values(), np.zeros(0, np.float32)])
        self._starts = np.cumsum([0, *counts])[:-1]
        sides = [(p.first, p.first_cell) for p in effects.pairs]
        sides += [(p.second, p.second_cell) for p in effects.pairs]
        self._side = np.array([order[term] for term, _ in sides], np.intp)
        self._side_start = np.cumsum([0, *(len(cell) for _, cell in sides)])[:-1]
        self._side_cell = np.concatenate([*(cell for _, cell in sides), np.zeros(0, np.intp)])
        self._target = np.array([(p.first, p.second) for p in effects.pairs], np.intp).ravel()
        self.n_pairs = len(effects.pairs)

    def cells(self, values: Array) -> Array:
        """Return the cell of each pair, shape (n_pairs,), from the terms (n_terms,)."""
        reached = values.astype(np.float32)[self._term] >= self._threshold
        interval = np.add.reduceat(reached, self._starts, dtype=np.intp)
        sides = self._side_cell[self._side_start + interval[self._side]]
        return sides[: self.n_pairs] + sides[self.n_pairs :]

    def contributions(self, cells: Array) -> Array:
        """Return Shapley values against a patient of zeros, shape (n_terms,)."""
        return np.bincount(self._target, self._shares[cells].ravel(), self.n_terms)

    def moves(self, settings: Array) -> Moves:
        """Return what changes when terms that were 0 are set, from (n_settings, n_terms)."""
        typical = self.cells(np.zeros(self.n_terms))
        # Each side adds its own part to a cell, so a change is the same whatever the other side.
        by = np.array([self.cells(setting) - typical for setting in settings])
        setting, pair = np.nonzero(by)
        return Moves(pair, by[setting, pair], setting, len(settings))

    def moved(self, cells: Array, moves: Moves) -> Array:
        """Return how much each setting adds for a patient, shape (n_settings,).

        Only settings of terms that are 0 in this patient mean anything.
        """
        before = cells[moves.pair]
        added = self._value.take(before + moves.by, mode="clip") - self._value[before]
        return np.bincount(moves.setting, added, moves.settings)
