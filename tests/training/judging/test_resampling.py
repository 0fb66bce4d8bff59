"""No repetition scores a patient whom it has learnt from, and one that fails stops no other."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_schemas.refusal import Refused
from training.cohort import LearningCohort
from training.experiment import ValidationSection
from training.judging.resampling import (
    bootstrap_samples,
    cross_validation_folds,
    internal_external,
    resample,
)

Array = np.ndarray
Build = Callable[..., LearningCohort]
VALIDATION = ValidationSection(folds=4, repeats=3, bootstrap_refits=5)


@pytest.fixture(scope="module")
def cohort(cohort_of: Build) -> LearningCohort:
    """Ninety patients of three sites and two products, treated one a day."""
    n = 90
    products = ["axicabtagene_ciloleucel", "tisagenlecleucel"]
    built = cohort_of(np.arange(n) % 5 == 0, product=[products[i % 2] for i in range(n)])
    site = np.array([f"site {i // 40}" for i in range(n)], dtype=object)
    return replace(built, site=site, infused=np.datetime64("2024-01-01") + np.arange(n))


def has_seen(seen: LearningCohort, new: LearningCohort) -> Array:
    return np.isin(new.patient, seen.patient).astype(float)


def share_seen(seen: LearningCohort, new: LearningCohort) -> Array:
    return np.full(len(new), seen.outcome.mean())


def test_no_patient_is_scored_by_what_has_seen_them(cohort: LearningCohort) -> None:
    found = resample(has_seen, cohort, VALIDATION, 1)
    assert found.left_out.shape == (3, 90)
    assert not found.left_out.any()
    assert set(found.without) == {"site", "product", "later"}
    assert not any(without[~np.isnan(without)].any() for without in found.without.values())


def test_refits_learn_from_what_they_drew_and_score_everybody(cohort: LearningCohort) -> None:
    found = resample(has_seen, cohort, VALIDATION, 1)
    assert found.drawn.shape == found.refits.shape == (5, 90)
    for drawn, refit in zip(found.drawn, found.refits, strict=True):
        np.testing.assert_array_equal(refit == 1, np.isin(np.arange(90), drawn))
    rates = resample(share_seen, cohort, VALIDATION, 1).refits[:, 0]
    np.testing.assert_allclose(rates, cohort.outcome[found.drawn].mean(axis=1))


def test_two_thirds_of_a_cohort_stand_in_a_bootstrap_sample() -> None:
    drawn = bootstrap_samples(500, 40, 3)
    share = np.mean([len(np.unique(sample)) / 500 for sample in drawn])
    assert share == pytest.approx(1 - np.exp(-1), abs=0.01)


def test_all_of_a_site_or_product_is_left_out_together(cohort: LearningCohort) -> None:
    def shares_a_word(seen: LearningCohort, new: LearningCohort) -> Array:
        site = np.isin(new.site, seen.site).all()
        product = np.isin(new.columns["product"], seen.columns["product"]).all()
        return np.full(len(new), 1.0 * site + 2.0 * product)

    found = resample(shares_a_word, cohort, VALIDATION, 1)
    assert (found.without["site"] == 2.0).all()
    assert (found.without["product"] == 1.0).all()


def test_the_last_third_is_scored_by_what_the_earlier_taught(cohort: LearningCohort) -> None:
    (fit,) = internal_external(cohort)["later"]
    assert fit.scored.tolist() == list(range(60, 90))
    assert fit.seen.tolist() == list(range(60))


@given(days=st.lists(st.integers(0, 6), min_size=2, max_size=40))
def test_no_day_is_both_earlier_and_later(cohort: LearningCohort, days: list[int]) -> None:
    some = cohort.take(np.arange(len(days)))
    some = replace(some, infused=np.datetime64("2024-01-01") + np.array(days))
    for fit in internal_external(some).get("later", []):
        assert some.infused[fit.seen].max() < some.infused[fit.scored].min()
        assert len(fit.seen) + len(fit.scored) == len(days)


def test_one_site_one_product_one_day_leave_nothing_out(cohort_of: Build) -> None:
    assert internal_external(cohort_of(np.arange(40) % 2)) == {}


@given(patient=st.lists(st.integers(0, 30), min_size=40, max_size=80), seed=st.integers(0, 1000))
def test_rows_of_one_patient_are_never_in_two_folds(
    cohort_of: Build, patient: list[int], seed: int
) -> None:
    code = np.array(patient)
    cohort = replace(cohort_of(code % 3 == 0), patient=code)
    for repeat in cross_validation_folds(cohort, 3, 2, seed):
        for fold in repeat:
            assert set(code[fold.seen]).isdisjoint(code[fold.scored])
        assert sorted(np.concatenate([fold.scored for fold in repeat])) == list(range(len(code)))


def test_folds_hold_their_share_of_events_and_repeats_differ(cohort: LearningCohort) -> None:
    first, second, _ = cross_validation_folds(cohort, 6, 3, 1)
    assert {cohort.outcome[fold.scored].sum() for fold in first} == {3.0}
    assert first[0].scored.tolist() != second[0].scored.tolist()


def test_fewer_events_than_folds_are_not_cross_validated(cohort_of: Build) -> None:
    few = cohort_of(np.arange(60) < 3)
    assert cross_validation_folds(few, 4, 2, 1) == []
    found = resample(share_seen, few, VALIDATION, 1)
    assert found.left_out.shape == (0, 60)
    assert found.not_cross_validated.startswith("fewer than 4 patients had the outcome")


def test_what_was_cross_validated_needs_no_excuse(cohort: LearningCohort) -> None:
    assert resample(share_seen, cohort, VALIDATION, 1).not_cross_validated == ""


# ---- What cannot be learnt from ------------------------------------------------------------------


@pytest.mark.parametrize("error", [Refused("no"), np.linalg.LinAlgError("singular")])
def test_a_repetition_that_fails_has_no_answer_and_stops_no_other(
    cohort: LearningCohort, error: Exception
) -> None:
    def refuses_to_learn_without_the_last(seen: LearningCohort, new: LearningCohort) -> Array:
        if 89 not in seen.patient:
            raise error
        return share_seen(seen, new)

    found = resample(refuses_to_learn_without_the_last, cohort, VALIDATION, 1)
    assert np.isnan(found.left_out[:, 89]).all()
    assert (np.isnan(found.left_out).sum(axis=1) >= 90 // 4).all()
    assert (np.isnan(found.left_out).sum(axis=1) <= 90 // 4 + 1).all()
    np.testing.assert_array_equal(
        np.isnan(found.refits).all(axis=1), ~(found.drawn == 89).any(axis=1)
    )


def test_an_error_of_ours_is_not_taken_for_a_failure_of_the_data(cohort: LearningCohort) -> None:
    def broken(_seen: LearningCohort, _new: LearningCohort) -> Array:
        raise KeyError("a bug")

    with pytest.raises(KeyError, match="a bug"):
        resample(broken, cohort, VALIDATION, 1)


def test_patients_of_one_class_teach_nothing(cohort: LearningCohort) -> None:
    only_there = replace(cohort, outcome=(cohort.site == "site 0").astype(float))
    found = resample(share_seen, only_there, VALIDATION, 1)
    np.testing.assert_array_equal(np.isnan(found.without["site"]), only_there.site == "site 0")


def test_it_tells_how_far_it_is(cohort: LearningCohort) -> None:
    told: list[tuple[int, int]] = []
    resample(share_seen, cohort, VALIDATION, 1, lambda *done: told.append(done))
    fits = 4 * 3 + 3 + 2 + 1 + 5
    assert told == [(i, fits) for i in range(1, fits + 1)]
