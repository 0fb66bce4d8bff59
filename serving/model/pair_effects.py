"""Step functions of two terms, summed: values and exact Shapley values from small tables.

For a function ``h`` of two terms and a reference 0 the Shapley value of the first is::

    phi_j = ( h(x_j, x_k) - h(0, x_k) + h(x_j, 0) - h(0, 0) ) / 2

and a sum of such functions has the sums of their Shapley values (Shapley LS, 1953).
As ``h`` changes only at thresholds, both are tables over the intervals between them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

Array = np.ndarray


class Step(NamedTuple):
    """The question "is this term below this threshold?", in single precision."""

    term: int
    threshold: np.float32


Branch = tuple[Step, Step, tuple[float, float, float, float]]
"""Two questions and what is added: below-below, below-above, above-below, above-above."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One function of two terms, or of one term where ``first == second``.

    ``first_cell`` and ``second_cell`` turn the interval of a term (see :class:`PairEffects`) into
    a number; their sum is the place in the tables.
    """

    first: int
    second: int
    first_cell: Array
    second_cell: Array


@dataclass(frozen=True)
class PairEffects:
    """A sum of step functions of pairs of terms.

    ``thresholds`` holds each term's thresholds in rising order; the interval of a value is the
    number of thresholds that it reaches.
    ``value``, ``of_first`` and ``of_second`` have shape (n_cells,), in log-odds: what is added,
    and the Shapley values of the two terms.
    """

    thresholds: dict[int, Array]
    pairs: tuple[Pair, ...]
    value: Array
    of_first: Array
    of_second: Array

    def intervals(self, values: Array) -> dict[int, Array]:
        """Return the interval of each patient by term, from a design (n, n_terms)."""
        return {
            term: np.searchsorted(known, values[:, term].astype(np.float32), side="right")
            for term, known in self.thresholds.items()
        }

    def log_odds(self, values: Array) -> Array:
        """Return the sum for each patient, shape (n,)."""
        interval, total = self.intervals(values), np.zeros(len(values))
        for pair in self.pairs:
            total += self.value[_cell(pair, interval)]
        return total

    def contributions(self, values: Array) -> Array:
        """Return Shapley values against a patient of zeros, shape (n, n_terms)."""
        interval = self.intervals(values)
        phi = np.zeros(values.shape[::-1])
        for pair in self.pairs:
            cell = _cell(pair, interval)
            phi[pair.first] += self.of_first[cell]
            phi[pair.second] += self.of_second[cell]
        return phi.T

    @cached_property
    def at_reference(self) -> float:
        """The sum where every term is 0."""
        terms = 1 + max(self.thresholds, default=0)
        return float(self.log_odds(np.zeros((1, terms)))[0])


def _cell(pair: Pair, interval: dict[int, Array]) -> Array:
    return pair.first_cell[interval[pair.first]] + pair.second_cell[interval[pair.second]]


def pair_effects(branches: Iterable[Branch]) -> PairEffects:
    """Add up branches by the pair of terms that they ask about."""
    by_pair: dict[tuple[int, int], list[Branch]] = {}
    for branch in map(_in_order, branches):
        by_pair.setdefault((branch[0].term, branch[1].term), []).append(branch)
    thresholds = _thresholds(by_pair)
    pairs, tables, start = [], [], 0
    for (first, second), same in sorted(by_pair.items()):
        rows = _sorted(b[0] for b in same)
        columns = _sorted(b[1] for b in same)
        if first == second:
            rows, columns = _sorted(s for b in same for s in b[:2]), columns[:0]
        width = len(columns) + 1
        place = start + width * _local(thresholds[first], rows)
        pairs.append(Pair(first, second, place, _local(thresholds[second], columns)))
        tables.append(_tables(same, rows, columns))
        start += tables[-1].shape[1]
    value, of_first, of_second = np.concatenate([*tables, np.zeros((3, 0))], axis=1)
    return PairEffects(thresholds, tuple(pairs), value, of_first, of_second)


def _in_order(branch: Branch) -> Branch:
    """Put the lower term first; a question that changes nothing is asked of the other's term."""
    one, other, (bb, ba, ab, aa) = branch
    if bb == ba and ab == aa:
        other = one
    if one.term <= other.term:
        return one, other, (bb, ba, ab, aa)
    return other, one, (bb, ab, ba, aa)


def _thresholds(by_pair: dict[tuple[int, int], list[Branch]]) -> dict[int, Array]:
    known: dict[int, set[np.float32]] = {}
    for one, other, _ in (branch for same in by_pair.values() for branch in same):
        for step in (one, other):
            known.setdefault(step.term, set()).add(step.threshold)
    return {term: np.array(sorted(found), np.float32) for term, found in sorted(known.items())}


def _sorted(steps: Iterable[Step]) -> Array:
    return np.array(sorted({step.threshold for step in steps}), np.float32)


def _local(everywhere: Array, here: Array) -> Array:
    """Return for each interval between all thresholds the interval between those used here."""
    return np.concatenate([[0], np.searchsorted(here, everywhere, side="right")])


def _tables(branches: list[Branch], rows: Array, columns: Array) -> Array:
    """Return value and Shapley values of one pair's branches, shape (3, n_cells)."""
    row, column = np.arange(len(rows) + 1)[:, None], np.arange(len(columns) + 1)
    h = np.zeros((len(row), len(column)))
    for one, other, (bb, ba, ab, aa) in branches:
        below = row <= np.searchsorted(rows, one.threshold)
        if one.term == other.term:
            also = row <= np.searchsorted(rows, other.threshold)
        else:
            also = column <= np.searchsorted(columns, other.threshold)
        h += np.where(below, np.where(also, bb, ba), np.where(also, ab, aa))
    i, j = (np.searchsorted(known, np.float32(0), side="right") for known in (rows, columns))
    of_first, of_second = h - h[i], h - h[:, [j]]
    # Each mean is over the other term's own value and its typical one; alone there is no other.
    of_first = (of_first + of_first[:, [j]]) / 2
    of_second = (of_second + of_second[i]) / 2
    return np.stack([h, of_first, of_second]).reshape(3, -1)
