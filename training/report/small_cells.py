"""Which counts a report does not show, so that no few patients can be told from the others.

A count of few patients is hidden, and with it as many others as keep it from being found by
subtraction from the sums (complementary suppression; Hundepool A, Statistical Disclosure Control,
2012, chapter 4).
"""

import numpy as np

Array = np.ndarray


def hidden(counts: Array, smallest_cell: int) -> Array:
    """Return which counts are not shown: none alone in its row or in its column.

    Parameters
    ----------
    counts
        Patients in each cell of a table whose rows and columns have known sums, shape (r, c).
    smallest_cell
        Fewer patients than these, but not none, are hidden.

    Returns
    -------
    array of bool, shape (r, c)
    """
    hides = (counts > 0) & (counts < smallest_cell)
    while (alone := _first_alone(hides, counts)) is not None:
        line, count = alone
        others = np.flatnonzero(~line)
        # None at all is the last to be hidden: it would tell little and hide nothing.
        line[others[np.lexsort((count[others], count[others] == 0))[0]]] = True
    return hides


def _first_alone(hides: Array, counts: Array) -> tuple[Array, Array] | None:
    """Return a line in which one count alone is hidden, as a view, rows before columns."""
    for lines, of in ((hides, counts), (hides.T, counts.T)):
        for line, count in zip(lines, of, strict=True):
            if line.sum() == 1 < len(line):
                return line, count
    return None
