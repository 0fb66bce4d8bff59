"""The whole record of one model: what leads, what is missing and why, always the same."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.special import expit

from tests.training.evaluation.conftest import Array, asked, drawn, scored
from training.evaluation.evaluate import NOT_CROSS_VALIDATED, evaluate
from training.evaluation.record import Evaluation
from training.evaluation.scored_cohort import ScoredCohort


def with_(cohort: ScoredCohort, **parts: Any) -> ScoredCohort:
    return ScoredCohort(**vars(cohort) | parts)


def strictly_json(found: Evaluation) -> str:
    """The record as JSON, after it was read back, without any NaN."""
    text = found.model_dump_json()
    json.loads(text, parse_constant=lambda word: pytest.fail(word))
    assert Evaluation.model_validate_json(text) == found
    return text


@pytest.mark.parametrize("fitted_here", [True, False])
def test_the_same_question_has_the_same_bytes(fitted_here: bool) -> None:
    first = evaluate(scored(fitted_here=fitted_here), asked(thresholds=(0.2,), parameters=3))
    again = evaluate(scored(fitted_here=fitted_here), asked(thresholds=(0.2,), parameters=3))
    assert strictly_json(first) == strictly_json(again)


def test_another_seed_changes_bootstrap_intervals_and_nothing_else(whole: ScoredCohort) -> None:
    one, other = (evaluate(whole, asked(seed=seed)).headline for seed in (1, 2))
    assert one is not None
    assert other is not None
    for name, estimate in one.measures.estimates().items():
        same = getattr(other.measures, name)
        assert (estimate == same) is (estimate.method != "bootstrap"), name


def test_what_left_out_patients_say_leads_where_the_model_was_fitted(whole: ScoredCohort) -> None:
    found = evaluate(whole, asked())
    assert found.leading == "cross_validated"
    assert found.headline is found.cross_validated
    assert found.apparent is not None
    assert found.external is None
    assert {a.by for a in found.across} == {"site", "later"}
    assert {c.comparator for c in found.comparisons} == {"product_rate", "score"}
    assert set(found.absent) == {"external"}


def test_a_model_from_elsewhere_leads_with_its_own_risks() -> None:
    found = evaluate(scored(fitted_here=False), asked())
    assert found.leading == "external"
    assert found.headline is found.external
    assert (found.apparent, found.cross_validated, found.optimism_corrected) == (None, None, None)
    assert [a.by for a in found.across] == ["site"]
    assert found.absent["apparent"] == "the model was not fitted on these patients"
    assert {c.name.split("_")[0] for c in found.sample_size.criteria} == {"external"}


def test_without_cross_validation_nothing_leads(whole: ScoredCohort) -> None:
    found = evaluate(with_(whole, left_out=np.empty((0, 0))), asked())
    assert found.leading is None
    assert found.headline is None
    assert (found.comparisons, found.subgroups) == ((), ())
    for part in ("leading", "cross_validated", "comparisons", "subgroups"):
        assert found.absent[part] == NOT_CROSS_VALIDATED


def test_why_there_is_no_cross_validation_is_said(whole: ScoredCohort) -> None:
    few = with_(whole, left_out=np.empty((0, 0)), not_cross_validated="one patient had it")
    for part in ("leading", "comparisons"):
        said = evaluate(few, asked()).absent[part]
        assert said == f"{NOT_CROSS_VALIDATED}: one patient had it"


def test_every_missing_part_has_a_reason() -> None:
    bare = scored(without={}, comparators={}, groups={}, refits=np.empty((0, 0)))
    found = evaluate(with_(bare, drawn=np.empty((0, 0), int)), asked())
    expected = {"external", "optimism_corrected", "across", "comparisons", "subgroups"}
    assert set(found.absent) == expected | {"instability"}
    for part in found.absent:
        assert not getattr(found, part)


def test_shares_are_only_shown_at_declared_thresholds(whole: ScoredCohort) -> None:
    assert evaluate(whole, asked()).headline.at_thresholds == ()  # type: ignore[union-attr]
    declared = evaluate(whole, asked(thresholds=(0.1, 0.2)))
    assert declared.headline is not None
    assert [t.threshold for t in declared.headline.at_thresholds] == [0.1, 0.2]
    assert declared.instability is not None
    assert [r.threshold for r in declared.instability.reclassified] == [0.1, 0.2]


DEGENERATE: dict[str, Array] = {
    "no events": np.zeros(160),
    "only events": np.ones(160),
    "one event": np.r_[1.0, np.zeros(159)],
    "two events": np.r_[1.0, 1.0, np.zeros(158)],
    "all but one": np.r_[0.0, np.ones(159)],
}


@pytest.mark.parametrize("fitted_here", [True, False])
@pytest.mark.parametrize("name", DEGENERATE)
def test_degenerate_outcomes_are_answered_in_words(name: str, fitted_here: bool) -> None:
    cohort = scored(fitted_here=fitted_here, outcome=DEGENERATE[name])
    strictly_json(evaluate(cohort, asked(thresholds=(0.2,), parameters=4)))


@pytest.mark.parametrize("name", ["no events", "only events"])
def test_patients_of_one_kind_give_no_interval_that_leaves_the_other_kind_out(name: str) -> None:
    found = evaluate(scored(fitted_here=False, outcome=DEGENERATE[name]), asked(thresholds=(0.2,)))
    assert found.external is not None
    measures, curve = found.external.measures, found.external.decision_curve
    (acting,) = found.external.at_thresholds
    assert curve is not None
    assert found.comparisons
    for beside in found.comparisons:
        assert beside.log_loss_difference.value is not None
        assert beside.log_loss_difference.low is None
        assert beside.net_benefit_difference.low is None
    for estimate in (measures.log_loss, measures.brier, acting.net_benefit):
        assert estimate.value is not None
        assert estimate.low is None
        assert "patient had the outcome" in str(estimate.reason)
    assert curve.model.low is None
    assert curve.treat_all.low is None


Z, Y = drawn(160)
PREDICTIONS: dict[str, Array] = {
    "no answers": np.full(160, np.nan),
    "one answer": np.r_[0.3, np.full(159, np.nan)],
    "one risk": np.full(160, -1.5),
    "two risks": np.where(np.arange(160) % 2, -2.0, -1.0),
    "perfect": np.where(Y == 1, 5.0, -5.0) + np.arange(160) / 1000,
    "perfectly wrong": np.where(Y == 1, -5.0, 5.0),
    "certain": np.where(Z > 0, 699.0, -699.0),
    "nearly one risk": -1.5 + 1e-13 * Z,
    "one outlier": np.r_[600.0, Z[1:]],
}


@pytest.mark.parametrize("fitted_here", [True, False])
@pytest.mark.parametrize("name", PREDICTIONS)
def test_degenerate_predictions_are_answered_in_words(name: str, fitted_here: bool) -> None:
    z = PREDICTIONS[name]
    parts: dict[str, Any] = {"outcome": Y, "model": z, "low": z, "high": z}
    parts["comparators"] = {"same": z, "other": Z}
    if fitted_here:
        parts |= {"left_out": np.stack([z, z]), "without": {"site": z, "later": z}}
        parts["refits"] = np.tile(z, (25, 1))
    cohort = scored(fitted_here=fitted_here, **parts)
    strictly_json(evaluate(cohort, asked(thresholds=(0.2,))))


def test_perfect_separation_is_said_to_be_one() -> None:
    cohort = scored(fitted_here=False, outcome=Y, model=PREDICTIONS["perfect"])
    measures = evaluate(cohort, asked()).headline.measures  # type: ignore[union-attr]
    assert measures.auroc.value == 1.0
    assert measures.calibration_slope.reason == (
        "the risks of patients with and without the outcome do not overlap"
    )


def test_nobody_is_answered_in_words() -> None:
    nothing = np.empty(0)
    cohort = ScoredCohort("nobody", False, nothing, nothing, nothing, nothing)
    found = evaluate(cohort, asked(thresholds=(0.2,)))
    strictly_json(found)
    assert found.headline is not None
    assert found.headline.measures.auroc.reason == "no patient has a log-odds"


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(1, 40),
    missing=st.floats(0, 1),
    fitted_here=st.booleans(),
)
def test_small_cohorts_with_holes_are_answered(
    seed: int, n: int, missing: float, fitted_here: bool
) -> None:
    rng = np.random.default_rng(seed)
    cohort = scored(n, seed=seed, fitted_here=fitted_here)

    def with_holes(z: Array) -> Array:
        return np.where(rng.random(z.shape) < missing, np.nan, z)

    holed = {
        name: with_holes(getattr(cohort, name))
        for name in ("model", "low", "high", "left_out", "refits")
        if len(getattr(cohort, name))
    }
    strictly_json(evaluate(with_(cohort, **holed), asked(thresholds=(0.2,), smallest_cell=2)))


def test_a_mis_calibrated_model_and_a_leak_are_plain_to_see() -> None:
    z, y = drawn(1500)
    too_extreme = evaluate(scored(1500, fitted_here=False, outcome=y, model=2 * z), asked())
    assert too_extreme.headline is not None
    slope = too_extreme.headline.measures.calibration_slope
    assert slope.value == pytest.approx(0.5, abs=0.1)
    assert slope.high is not None
    assert slope.high < 0.8
    leaked = evaluate(scored(1500, fitted_here=False, outcome=y, model=z + 6 * y), asked())
    assert leaked.headline is not None
    assert leaked.headline.measures.auroc.value is not None
    assert leaked.headline.measures.auroc.value > 0.98


def test_sums_agree_with_each_other(whole: ScoredCohort) -> None:
    """Counts of one part are those of another."""
    found = evaluate(whole, asked())
    assert found.headline is not None
    measures, histogram = found.headline.measures, found.headline.risk_distribution
    assert sum(histogram.events) == pytest.approx(measures.events)
    assert sum(histogram.non_events) == pytest.approx(measures.patients - measures.events)
    for table in found.subgroups:
        assert sum(cell.patients for cell in table.cells) == measures.patients
    assert measures.patients + measures.without_answer == found.patients
    assert measures.observed_over_expected.value == pytest.approx(
        np.mean([found.events / expit(z).sum() for z in whole.left_out])
    )
