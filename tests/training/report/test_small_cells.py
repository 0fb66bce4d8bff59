"""What is hidden cannot be found by subtraction, and no more is hidden than that takes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from training.report.small_cells import hidden

tables = arrays(int, array_shapes(min_dims=2, max_dims=2, max_side=5), elements=st.integers(0, 40))


@given(tables, st.integers(1, 12))
def test_few_are_hidden_and_never_alone_in_a_line(counts: np.ndarray, smallest: int) -> None:
    hides = hidden(counts, smallest)
    assert hides[(counts > 0) & (counts < smallest)].all()
    for lines in (hides, hides.T):
        for line in lines:
            assert line.sum() != 1 or len(line) == 1


@given(tables)
def test_nothing_is_hidden_where_nobody_is_few(counts: np.ndarray) -> None:
    assert not hidden(counts, 1).any()


def test_three_with_the_outcome_cannot_be_found_from_all_and_those_without() -> None:
    """30 given a product, of whom 3 had the outcome; 67 others, of whom 12 had it."""
    hides = hidden(np.array([[3, 27], [12, 55]]), 10)
    assert hides.all()
    assert hidden(np.array([[3, 27], [12, 55], [20, 50]]), 10).tolist() == [
        [True, True], [True, True], [False, False],
    ]  # fmt: skip
