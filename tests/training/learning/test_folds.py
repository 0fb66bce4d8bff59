"""A patient is never learnt from and scored at once, however often they stand in the table."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedKFold

from training.learning.folds import patient_folds, why_no_folds


@given(codes=st.lists(st.integers(0, 30), min_size=40, max_size=80), seed=st.integers(0, 1000))
def test_copies_of_a_patient_stay_together(codes: list[int], seed: int) -> None:
    patient = np.array(codes)
    folds = patient_folds(patient, (patient % 3 == 0).astype(float), 3, seed)
    for seen, scored in folds:
        assert set(patient[seen]).isdisjoint(patient[scored])
        assert len(seen) + len(scored) == len(patient)
    if folds:
        assert sorted(np.concatenate([scored for _, scored in folds])) == list(range(len(patient)))


def test_where_nobody_stands_twice_they_are_ordinary_stratified_folds() -> None:
    outcome = (np.arange(60) % 4 == 0).astype(float)
    plain = StratifiedKFold(5, shuffle=True, random_state=3).split(outcome, outcome)
    for ours, theirs in zip(patient_folds(np.arange(60), outcome, 5, 3), plain, strict=True):
        np.testing.assert_array_equal(ours[0], theirs[0])
        np.testing.assert_array_equal(ours[1], theirs[1])


@pytest.mark.parametrize("events", [0, 4, 56, 60])
def test_fewer_of_a_class_than_folds_are_not_split(events: int) -> None:
    assert patient_folds(np.arange(60), (np.arange(60) < events).astype(float), 5, 1) == []


@pytest.mark.parametrize(
    ("events", "why"),
    [(4, "fewer than 5 patients had the outcome"), (56, "fewer than 5 patients were without it")],
)
def test_why_they_are_not_split_is_said(events: int, why: str) -> None:
    outcome = (np.arange(60) < events).astype(float)
    said = why_no_folds(np.arange(60), outcome, 5)
    assert said == f"{why}, and each of 5 folds needs one"
    assert why_no_folds(np.arange(60), (np.arange(60) < 5).astype(float), 5) is None


def test_a_second_infusion_without_the_event_does_not_hide_the_first() -> None:
    patient = np.repeat(np.arange(20), 2)
    outcome = np.tile([1.0, 0.0], 20) * (patient < 8)
    for _, scored in patient_folds(patient, outcome, 4, 1):
        assert outcome[scored].sum() == 2.0
