"""A model that keeps its limits may answer; one with a defect may not, for a reason in words."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from data_schemas.model_manifest import Measure
from serving.model.risk_model import Recalibration
from training.acceptance import Acceptance, RehearsalAcceptance
from training.evaluation.asked import Asked
from training.evaluation.estimate import Estimate
from training.evaluation.evaluate import evaluate
from training.evaluation.record import Evaluation
from training.evaluation.scored_cohort import ScoredCohort
from training.judging.gates import external_verdict, rehearsal_verdict, verdict
from training.judging.leakage import Separation
from training.judging.ruling import ruling_of
from training.judging.verdict import Limit, Verdict
from training.learning import learner
from training.pipeline import train
from training.simulation.synthetic_cohort import simulate

Array = np.ndarray

PATIENTS = 1500
ASKED = Asked(seed=1, draws=100, net_benefit_range=(0.02, 0.30))
LIMITS = Acceptance().of("severe_crs")
REAL = "real patients"


def scored(**changes: Any) -> ScoredCohort:
    """Return a good model: true log-odds, refits that barely move, a product's rate to beat."""
    rng = np.random.default_rng(3)
    truth = -2.5 + rng.normal(size=PATIENTS)
    outcome = (rng.random(PATIENTS) < 1 / (1 + np.exp(-truth))).astype(float)
    refits = truth + 0.05 * rng.normal(size=(30, 1))
    good = ScoredCohort(
        on=REAL,
        fitted_here=True,
        outcome=outcome,
        model=truth,
        low=truth - 1,
        high=truth + 1,
        left_out=truth[None],
        refits=refits,
        drawn=rng.integers(0, PATIENTS, (30, PATIENTS)),
        comparators={"product_rate": np.full(PATIENTS, -2.0)},
    )
    return replace(good, **changes)


def judged(cohort: ScoredCohort, strongest: Separation | None = None, **limits: Any) -> Verdict:
    acceptance = LIMITS.model_copy(update=limits)
    return verdict(evaluate(cohort, ASKED), acceptance, strongest)


def broken(found: Verdict) -> dict[str, str]:
    return {limit.name: limit.in_words for limit in found.limits if not limit.met}


def named(found: Verdict, name: str) -> Limit:
    (limit,) = (limit for limit in found.limits if limit.name == name)
    return limit


# ---- One defect at a time ------------------------------------------------------------------------


def test_a_good_model_may_answer() -> None:
    found = judged(scored())
    assert broken(found) == {}
    assert found.accepted
    assert found.in_words == f"May answer: all {len(found.limits)} limits are kept on {REAL}."


def test_doubled_log_odds_are_too_extreme() -> None:
    good = scored()
    found = judged(replace(good, left_out=2 * good.left_out + 2.5))
    slope = named(found, "calibration_slope")
    assert not found.accepted
    assert slope.reached == pytest.approx(0.5, abs=0.1)
    assert slope.at_least == 0.8
    assert f"Calibration slope {slope.reached:.2f} (" in slope.in_words
    assert f"lies {0.8 - slope.reached:.2f} below 0.80: risks are too extreme." in slope.in_words
    assert "calibration slope" in found.in_words


@pytest.mark.parametrize(("shift", "word"), [(1.0, "too high"), (-1.0, "too low")])
def test_risks_that_are_wrong_on_average(shift: float, word: str) -> None:
    found = judged(scored(left_out=scored().left_out + shift))
    assert f"risks are {word}" in broken(found)["observed_over_expected"]
    assert "ici" in broken(found)


def test_a_model_worse_than_the_rate_of_the_product() -> None:
    noise = np.random.default_rng(5).normal(-2.3, 1.0, (1, PATIENTS))
    found = broken(judged(scored(left_out=noise)))
    assert "the product's published rate does better alone" in found["log_loss_over_product_rate"]
    assert "better served by the product's rate" in found["net_benefit_over_product_rate"]
    assert "by chance alone" in found["auroc_lower_end"]


def test_without_a_published_rate_the_prevalence_must_be_beaten() -> None:
    assert judged(scored(comparators={})).accepted
    noise = np.random.default_rng(5).normal(-2.3, 1.0, (1, PATIENTS))
    found = broken(judged(scored(comparators={}, left_out=noise)))
    assert "share of these patients with the outcome does better alone" in found["scaled_brier"]


def test_an_outcome_in_disguise_separates_too_well() -> None:
    good = scored()
    told = good.left_out + 8 * good.outcome
    assert "leaked into a predictor" in broken(judged(replace(good, left_out=told)))["auroc"]
    assert "auroc" not in broken(judged(replace(good, left_out=told), auroc=1.0))


def test_a_predictor_that_knows_too_much_is_named() -> None:
    alone = Separation("ferritin", "its value", Estimate(value=0.97, reason="a test"))
    found = broken(judged(scored(), alone))
    assert list(found) == ["single_predictor_auroc"]
    assert "AUROC of ferritin alone, by its value, 0.97 lies 0.07 above 0.90" in found.popitem()[1]
    usual = replace(alone, auroc=Estimate(value=0.75, reason="a test"))
    assert judged(scored(), usual).accepted


def test_a_model_that_learns_patients_by_heart_is_overfitted() -> None:
    """Refits know two thirds of the patients by heart, so that the bootstrap sees little of it."""
    good = scored()
    seen = np.zeros((30, PATIENTS))
    np.put_along_axis(seen, good.drawn, 1.0, axis=1)
    known = 8 * (2 * good.outcome - 1)
    found = broken(
        judged(replace(good, model=good.model + known, refits=good.refits + seen * known))
    )
    assert "overfitted" in found["auroc_apparent_over_cross_validated"]
    assert "auroc_optimism" not in found


def test_refits_that_only_hold_for_whom_they_drew_are_overfitted() -> None:
    """Each refit ranks its own sample well and everybody no better than chance."""
    good = scored()
    rng = np.random.default_rng(2)
    by_chance = rng.normal(-2.5, 1.0, good.refits.shape)
    few = rng.integers(0, 60, good.drawn.shape)
    by_chance[:, :60] = 3 * good.outcome[:60] - 3
    found = broken(judged(replace(good, refits=by_chance, drawn=few)))
    assert "overfitted" in found["auroc_optimism"]


def test_refits_that_move_risks_are_unstable() -> None:
    good = scored()
    moved = good.refits + np.random.default_rng(1).normal(0, 1.0, good.refits.shape)
    found = broken(judged(replace(good, refits=moved)))
    assert "would have made another model" in found["mean_absolute_change"]


def test_sites_left_out_are_held_where_there_are_enough_of_them() -> None:
    good = scored()
    for sites, asked in ((3, False), (5, True)):
        site = np.array([f"s{i % sites}" for i in range(PATIENTS)], dtype=object)
        elsewhere = replace(good, groups={"site": site}, without={"site": 3 * good.model + 5})
        assert ("calibration_slope_across_sites" in broken(judged(elsewhere))) == asked


def test_reclassification_is_held_at_each_declared_threshold() -> None:
    good, asked = scored(), ASKED.model_copy(update={"thresholds": (0.05, 0.1)})
    moved = good.refits + np.random.default_rng(1).normal(0, 1.5, good.refits.shape)
    found = verdict(evaluate(replace(good, refits=moved), asked), LIMITS, None)
    assert [limit.met for limit in found.limits if limit.name == "reclassified"] == [False, False]


# ---- What could not be measured ------------------------------------------------------------------


def test_without_refits_stability_was_not_reached() -> None:
    found = judged(scored(refits=np.empty((0, 0)), drawn=np.empty((0, 0), dtype=int)))
    assert set(broken(found)) == {"auroc_optimism", "mean_absolute_change"}
    for said in broken(found).values():
        assert "could not be measured: too few refits" in said
    assert not found.accepted


def test_without_cross_validation_nothing_was_reached() -> None:
    found = judged(scored(left_out=np.empty((0, 0))))
    missing = broken(found)
    assert {"calibration_slope", "observed_over_expected", "ici", "auroc_lower_end"} <= set(missing)
    assert "nothing was predicted of patients whom the fit had not seen" in missing["ici"]


def test_too_few_events_are_the_reason_that_is_given() -> None:
    """Nothing is known of the product's rate then: it must not be said to be unpublished."""
    few = "fewer than 5 patients had the outcome, and each of 5 folds needs one"
    missing = broken(judged(scored(left_out=np.empty((0, 0)), not_cross_validated=few)))
    held = {"calibration_slope", "scaled_brier", "ici", "auroc_apparent_over_cross_validated"}
    assert held <= set(missing)
    for name in held:
        assert few in missing[name]
    assert not any("published" in said for said in missing.values())


def test_patients_of_one_outcome_carry_a_reason() -> None:
    found = judged(scored(outcome=np.zeros(PATIENTS)))
    assert "no patient had the outcome" in broken(found)["calibration_slope_few_events"]


def test_a_model_that_was_not_fitted_here_is_not_asked_for_refits() -> None:
    good = scored()
    nothing = {"left_out": np.empty((0, 0)), "refits": np.empty((0, 0))}
    found = judged(replace(good, fitted_here=False, drawn=np.empty((0, 0), dtype=int), **nothing))
    assert found.accepted
    assert not {"auroc_optimism", "mean_absolute_change"} & {limit.name for limit in found.limits}


# ---- Few events, and where numbers stand ---------------------------------------------------------


@pytest.mark.parametrize(("events", "name"), [(99, "_few_events"), (100, "")])
def test_few_events_have_a_wider_range_of_slopes(events: int, name: str) -> None:
    outcome = np.zeros(PATIENTS)
    outcome[np.argsort(-scored().model)[: 2 * events : 2]] = 1
    limit = named(judged(scored(outcome=outcome)), f"calibration_slope{name}")
    expected = LIMITS.calibration_slope_few_events if name else LIMITS.calibration_slope
    assert (limit.at_least, limit.at_most) == expected


def test_every_number_stands_in_the_evaluation_where_its_limit_says() -> None:
    good = scored(groups={"site": np.array([f"s{i % 5}" for i in range(PATIENTS)], dtype=object)})
    evaluation = evaluate(
        replace(good, without={"site": good.model}), ASKED.model_copy(update={"thresholds": (0.1,)})
    )
    limits = [limit for limit in verdict(evaluation, LIMITS, None).limits if limit.measure]
    assert len(limits) == 11
    for limit in limits:
        assert limit.measure is not None
        assert at(evaluation, limit.measure) == limit.reached


def at(evaluation: Evaluation, path: str) -> Any:
    found: Any = evaluation.model_dump(mode="json")
    for step in path.split("."):
        found = found[int(step)] if isinstance(found, list) else found[step]
    return found


# ---- Another centre ------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [1.0, 2.0])
def test_a_verdict_on_another_centre_leaves_the_answer_to_a_promotion(factor: float) -> None:
    """Which obeys the verdict on the development: stability is not judged elsewhere."""
    elsewhere = scored(fitted_here=False, on="another centre")
    evaluation = evaluate(replace(elsewhere, model=factor * (elsewhere.model + 2.5) - 2.5), ASKED)
    found, development = (judge(evaluation, LIMITS, None) for judge in (external_verdict, verdict))
    assert (found.limits, found.accepted) == (development.limits, development.accepted)
    assert found.accepted == (factor == 1.0)
    many = len(found.limits)
    if found.accepted:
        assert found.in_words.startswith(f"Keeps all {many} external limits on another centre. ")
    else:
        said = f"Does not keep {len(broken(found))} of {many} external limits on another centre: "
        assert found.in_words.startswith(f"{said}observed over expected, calibration slope")
    assert found.in_words.endswith("is for a promotion, which judges its development, too.")
    assert "mean_absolute_change" not in {limit.name for limit in found.limits}


# ---- A model of no patient -----------------------------------------------------------------------


def rehearsed(slope: float = 1.0, **measures: float) -> Verdict:
    good = scored(on="simulated centres", fitted_here=False)
    evaluation = evaluate(replace(good, model=(good.model + 2.5) / slope - 2.5), ASKED)
    values = {"interval_coverage": 0.9, "excess_over_product_rate": 0.5} | measures
    told = [Measure(name=n, value=v, on="a test", patients=9) for n, v in values.items()]
    return rehearsal_verdict(evaluation, told, RehearsalAcceptance())


def test_a_rehearsed_model_may_answer_as_evidence_only() -> None:
    found = rehearsed()
    assert found.accepted
    assert found.in_words.startswith("Published evidence only: fitted on no patient. May answer")


@pytest.mark.parametrize(
    ("change", "name", "word"),
    [
        ({"slope": 0.5}, "calibration_slope", "too extreme"),
        ({"interval_coverage": 0.6}, "interval_coverage", "too narrow"),
        ({"interval_coverage": 0.99}, "interval_coverage", "too wide"),
        ({"excess_over_product_rate": 1.2}, "excess_over_product_rate", "nearer to the truth"),
    ],
)
def test_a_rehearsal_has_limits_too(change: dict[str, float], name: str, word: str) -> None:
    found = rehearsed(**change)
    assert list(broken(found)) == [f"rehearsal.{name}"]
    assert word in broken(found)[f"rehearsal.{name}"]


def test_a_rehearsal_without_truth_is_refused() -> None:
    evaluation = evaluate(scored(fitted_here=False), ASKED)
    found = broken(rehearsal_verdict(evaluation, [], RehearsalAcceptance()))
    assert set(found) == {"rehearsal.interval_coverage", "rehearsal.excess_over_product_rate"}


# ---- Defects planted in a run of the whole pipeline ----------------------------------------------

Trained = Callable[..., dict[str, str]]


@pytest.fixture
def refused(experiment_file: Callable[..., Path], tmp_path: Path) -> Trained:
    """Train on a table and return, by limit, why the model may not answer."""

    def trained(table: pd.DataFrame, learner_name: str = "anchored_ridge", **parts: Any) -> Any:
        path = experiment_file(**parts)
        text = path.read_text("utf-8").replace("anchored_ridge", learner_name)
        path.write_text(text.replace("bootstrap_refits = 3", "bootstrap_refits = 20"), "utf-8")
        table.to_parquet(tmp_path / "centre.parquet")
        ruling = ruling_of(train(path, tmp_path / "centre.parquet", tmp_path / "store").artefact)
        assert ruling is not None
        assert not ruling.verdict.accepted
        return broken(ruling.verdict)

    return trained


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return simulate(400, 1, 5).table


def test_planted_outcome_in_disguise_is_refused(table: pd.DataFrame, refused: Trained) -> None:
    """Ferritin of the days after the infusion, under the name of that before it."""
    severe = table["icans_grade"] >= 3
    peak = table["ferritin_ng_ml"].where(~severe, 20_000 + table["ferritin_ng_ml"])
    said = refused(table.assign(ferritin_ng_ml=peak))
    assert "AUROC of ferritin alone, by its value," in said["single_predictor_auroc"]
    assert "the outcome is suspected to have leaked" in said["single_predictor_auroc"]


def test_planted_measurement_after_the_fact_is_refused(
    table: pd.DataFrame, refused: Trained
) -> None:
    """LDH that was asked for only once a patient was gravely ill."""
    severe = table["icans_grade"] >= 3
    said = refused(table.assign(ldh_u_l=table["ldh_u_l"].fillna(250.0).where(severe)))
    assert "AUROC of ldh alone, by whether it was measured," in said["single_predictor_auroc"]


def test_planted_overfitted_learner_is_refused(
    table: pd.DataFrame, refused: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No penalty, twelve effects, and too few events for half of them."""
    monkeypatch.setattr("training.learning.recipes.FREE_SPREAD", 50.0)
    names = (
        "crp",
        "ferritin",
        "ldh",
        "platelets",
        "albumin",
        "creatinine",
        "hemoglobin",
        "anc",
        "age",
        "sex",
        "ecog",
        "prior_lines",
        "bridging",
        "ld_regimen",
    )
    said = refused(table.iloc[:150], "ridge", predictors=names)
    assert "fitted to chance (overfitted)" in said["auroc_optimism"]


def test_planted_slope_of_a_third_is_refused(
    refused: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A learner whose log-odds are three times what they should be; with ten events or more."""
    monkeypatch.setattr(learner, "correction", lambda *_: Recalibration(4.0, 3.0))
    said = refused(simulate(400, 1, 9).table)
    (slope,) = (words for name, words in said.items() if name.startswith("calibration_slope"))
    assert "risks are too extreme" in slope


def test_planted_noise_is_worse_than_the_rate_of_the_product(
    table: pd.DataFrame, refused: Trained
) -> None:
    """What is published, in a centre where no predictor has to do with the outcome."""
    grades = table["icans_grade"].sample(frac=1.0, random_state=1).to_numpy()
    said = refused(table.assign(icans_grade=grades), "evidence")
    assert "published rate does better alone" in said["log_loss_over_product_rate"]
