"""Branches added up by pair of terms say what the branches say, one by one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.model.pair_effects import Branch, PairEffects, Step, pair_effects

TERMS = 4
STEPS = st.builds(
    Step, st.integers(0, TERMS - 1), st.sampled_from([-1.5, -0.0, 0.0, 0.5, 1e30]).map(np.float32)
)
ADDED = st.tuples(*[st.sampled_from([0.0, -1.0, 0.25, 3.0])] * 4)
BRANCHES = st.lists(st.tuples(STEPS, STEPS, ADDED), max_size=12)
PATIENTS = st.lists(
    st.lists(st.sampled_from([-2.0, -1.5, 0.0, 0.3, 0.5, 2.0]), min_size=TERMS, max_size=TERMS),
    min_size=1,
    max_size=5,
).map(np.array)


def added_by(branch: Branch, patient: np.ndarray) -> float:
    """The answer of one branch, read as it is written."""
    one, other, added = branch
    below = [np.float32(patient[step.term]) < step.threshold for step in (one, other)]
    return added[2 * (not below[0]) + (not below[1])]


def mixed(patient: np.ndarray, own: set[int]) -> np.ndarray:
    return np.array([patient[term] if term in own else 0.0 for term in range(TERMS)])


@given(BRANCHES, PATIENTS)
def test_the_sum_is_that_of_the_branches(branches: list[Branch], patients: np.ndarray) -> None:
    expected = [sum(added_by(b, patient) for b in branches) for patient in patients]
    np.testing.assert_allclose(pair_effects(branches).log_odds(patients), expected, atol=1e-12)


@given(BRANCHES, PATIENTS)
def test_a_contribution_is_half_of_entering_first_and_half_of_entering_second(
    branches: list[Branch], patients: np.ndarray
) -> None:
    phi = pair_effects(branches).contributions(patients)
    for patient, shares in zip(patients, phi, strict=True):
        expected = np.zeros(TERMS)
        for one, other, added in branches:
            for term, partner in ((one.term, other.term), (other.term, one.term)):
                for before in (set(), {partner} - {term}):
                    entered = added_by((one, other, added), mixed(patient, before | {term}))
                    left = added_by((one, other, added), mixed(patient, before))
                    # Where both questions are about one term, the term is met twice.
                    weight = 0.25 if one.term == other.term else 0.5
                    expected[term] += weight * (entered - left)
        np.testing.assert_allclose(shares, expected, atol=1e-12)


def test_a_question_that_changes_nothing_makes_no_pair() -> None:
    branch = (Step(2, np.float32(0.5)), Step(0, np.float32(9)), (1.0, 1.0, -1.0, -1.0))
    effects = pair_effects([branch])
    assert [(pair.first, pair.second) for pair in effects.pairs] == [(2, 2)]
    assert list(effects.thresholds) == [2]


def test_branches_of_one_pair_share_one_table_whichever_asks_first() -> None:
    one, other = Step(0, np.float32(0.5)), Step(3, np.float32(-1))
    effects = pair_effects([(one, other, (1.0, 2.0, 3.0, 4.0)), (other, one, (1.0, 0.0, 0.0, 5.0))])
    assert [(pair.first, pair.second) for pair in effects.pairs] == [(0, 3)]
    assert len(effects.value) == 4


@pytest.mark.parametrize("patients", [np.zeros((0, 3)), np.zeros((2, 3))])
def test_nothing_added_is_nothing(patients: np.ndarray) -> None:
    none: PairEffects = pair_effects([])
    assert none.log_odds(patients).tolist() == [0.0] * len(patients)
    assert none.contributions(patients).shape == patients.shape
    assert none.at_reference == 0.0
