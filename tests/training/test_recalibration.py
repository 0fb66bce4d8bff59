"""A centre's own patients become a new version only where it is better, and its history is kept."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data_schemas.evidence import load_evidence
from data_schemas.patient_request import read_patient
from serving.assess import assess
from serving.model.artefact import Artefact, load_artefact
from serving.openapi import EXAMPLE_PATIENT
from training.evaluation.evaluate import evaluate
from training.judging import external_validation
from training.judging.external_validation import NotExternal, external_cohort
from training.judging.ruling import ruling_of
from training.judging.scored_file import load
from training.learning.updating import Update
from training.pipeline import Run
from training.recalibration import FEWEST_REFITS, WITHOUT_UPDATE, Recalibrated, recalibrate
from training.saving import EVALUATIONS
from training.simulation.synthetic_cohort import simulate

Array = np.ndarray


@pytest.fixture(scope="module")
def artefact(cohort_run: Run) -> Artefact:
    return cohort_run.artefact


NOWHERE = Path("nowhere")
"""Where no evaluation lies: these are tables of patients who had no hand in any version."""


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A centre where every risk is far higher than published."""
    path = tmp_path_factory.mktemp("elsewhere") / "cohort.parquet"
    simulate(160, 2, 31, truth="shifted").table.to_parquet(path)
    return path


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def found(artefact: Artefact, elsewhere: Path, store: Path) -> Recalibrated:
    return recalibrate(artefact, external_cohort(artefact, elsewhere, NOWHERE), store)


def shipped(found: Recalibrated) -> Artefact:
    assert found.artefact is not None
    return found.artefact


# ---- What ships ----------------------------------------------------------------------------------


def test_an_update_that_improves_becomes_a_version(found: Recalibrated, store: Path) -> None:
    assert found.log_loss_after is not None
    assert found.log_loss_after < found.log_loss_before
    new = shipped(found)
    assert load_artefact(new.folder, new.sha256).version == new.version
    assert new.folder.is_relative_to(store)


def test_its_log_odds_are_the_update_of_the_parents(
    found: Recalibrated, artefact: Artefact
) -> None:
    update, columns = found.before.update, found.before.cohort.columns
    before = artefact.model.predict(columns).logit
    after = shipped(found).model.predict(columns).logit
    np.testing.assert_allclose(after, update.intercept + update.slope * before, rtol=1e-9)
    assert update.intercept > 0


def test_the_manifest_names_the_parent_the_change_and_the_patients(
    found: Recalibrated, artefact: Artefact
) -> None:
    manifest, cohort = shipped(found).manifest, found.before.cohort
    (step,) = manifest.lineage
    assert (step.parent_version, step.parent_sha256) == (artefact.version, artefact.sha256)
    assert step.change == found.before.update.how
    assert (step.patients, step.real_patients, step.events) == (len(cohort), 0, cohort.events)
    assert (step.sites, step.cohort_fingerprint) == (2, cohort.fingerprint)
    assert manifest.cohort.patients == artefact.manifest.cohort.patients + len(cohort)
    assert manifest.experiment == artefact.manifest.experiment


def test_what_judged_it_is_kept_and_can_be_measured_again(found: Recalibrated, store: Path) -> None:
    assert found.judged is not None
    scored, evaluation = found.judged
    kept = load(store / EVALUATIONS / shipped(found).version)
    assert evaluate(kept, evaluation.asked) == evaluation
    assert evaluation.leading == "cross_validated"
    assert WITHOUT_UPDATE in {c.comparator for c in evaluation.comparisons}
    np.testing.assert_array_equal(scored.comparators[WITHOUT_UPDATE], found.before.scored.model)


def test_the_update_is_repeated_as_the_experiment_declares(found: Recalibrated) -> None:
    """With two folds, once; only the refits, on which shipping rests, are no fewer than usual."""
    assert found.judged is not None
    scored, _ = found.judged
    assert scored.left_out.shape == (1, len(scored))
    assert len(scored.refits) == FEWEST_REFITS
    new = shipped(found)
    (on,) = {m.on for m in new.manifest.performance if m.name == "auroc"}
    assert on.startswith("1 x 2-fold cross-validation")
    ruling = ruling_of(new)
    assert ruling is not None
    assert (ruling.validation.folds, ruling.validation.bootstrap_refits) == (2, 3)


def test_the_corrected_log_loss_is_worked_out_by_hand(found: Recalibrated) -> None:
    assert found.judged is not None
    scored, _ = found.judged
    y = scored.outcome

    def loss(z: Array, y: Array) -> float:
        return float(np.mean(np.log1p(np.exp(-np.where(y == 1, z, -z)))))

    gains = [
        loss(z[drawn], y[drawn]) - loss(z, y)
        for z, drawn in zip(scored.refits, scored.drawn, strict=True)
    ]
    assert found.log_loss_before == pytest.approx(loss(found.before.scored.model, y))
    assert found.log_loss_after == pytest.approx(loss(scored.model, y) - np.mean(gains))


def test_the_same_patients_give_the_same_bytes(
    found: Recalibrated, artefact: Artefact, elsewhere: Path, tmp_path: Path
) -> None:
    again = recalibrate(artefact, external_cohort(artefact, elsewhere, NOWHERE), tmp_path)
    assert shipped(again).sha256 == shipped(found).sha256


# ---- On whom it rests ----------------------------------------------------------------------------


def test_simulated_patients_mark_every_answer(
    evidence_run: Run, elsewhere: Path, tmp_path: Path
) -> None:
    parent = evidence_run.artefact
    new = shipped(recalibrate(parent, external_cohort(parent, elsewhere, NOWHERE), tmp_path))
    assert new.manifest.cohort.is_simulated
    assert new.manifest.validated_on_real_patients == 0
    answer = assess(read_patient(EXAMPLE_PATIENT), {new.model.outcome: new}, load_evidence())
    assert "fitted_on_simulated_patients" in {c.code for c in answer.cautions}


def test_real_patients_are_counted_and_the_card_says_so(
    evidence_run: Run, elsewhere: Path, tmp_path: Path
) -> None:
    real = tmp_path / "real.parquet"
    pd.read_parquet(elsewhere).drop(columns="synthetic").to_parquet(real)
    parent = evidence_run.artefact
    cohort = external_cohort(parent, real, NOWHERE)
    manifest = shipped(recalibrate(parent, cohort, tmp_path)).manifest
    assert manifest.validated_on_real_patients == 0  # they had a hand in it
    (step,) = manifest.lineage
    assert step.change.startswith("Bayesian intercept")
    assert manifest.local_deviation == (
        "no effects of a cohort of its own: published evidence, updated on "
        f"{len(cohort)} real patients with {cohort.events} events ({step.change})"
    )
    assert manifest.cohort.real_patients == manifest.lineage[0].real_patients == len(cohort)
    assert not manifest.cohort.is_simulated
    assert {m.on.split(", ", 1)[1] for m in manifest.performance} == {"real patients"}
    card = next(tmp_path.glob("severe_icans/*/model_card.md")).read_text("utf-8")
    assert f"{len(cohort)} patients ({len(cohort)} real) with {cohort.events} events" in card
    rests_on = f"fitted on {len(cohort)} and validated on no real patients"
    assert f"Research use only: {rests_on}, and not for clinical decisions." in card


def test_an_update_of_an_update_remembers_both(
    found: Recalibrated, artefact: Artefact, elsewhere: Path, simulated_file: Path, tmp_path: Path
) -> None:
    parent = shipped(found)
    for own in (elsewhere, simulated_file):
        with pytest.raises(NotExternal):
            external_cohort(parent, own, NOWHERE)
    third = tmp_path / "third.parquet"
    simulate(160, 1, 32, truth="null").table.to_parquet(third)
    cohort = external_cohort(parent, third, NOWHERE)
    again = recalibrate(parent, cohort, tmp_path)
    new = shipped(again)
    assert [step.parent_sha256 for step in new.manifest.lineage] == [artefact.sha256, parent.sha256]
    updates = [
        f"updated on {step.patients} simulated patients with {step.events} events ({step.change})"
        for step in new.manifest.lineage
    ]
    kept = f"effects of version {artefact.version} kept ({artefact.manifest.local_deviation})"
    assert new.manifest.local_deviation == f"{kept}, {updates[0]}, then {updates[1]}"
    update = again.before.update
    np.testing.assert_allclose(
        new.model.predict(cohort.columns).logit,
        update.intercept + update.slope * parent.model.predict(cohort.columns).logit,
        rtol=1e-9,
    )


# ---- What is kept --------------------------------------------------------------------------------


def test_few_events_leave_the_model_as_it_is(
    artefact: Artefact, elsewhere: Path, tmp_path: Path
) -> None:
    table = pd.read_parquet(elsewhere)
    severe = np.flatnonzero(table["icans_grade"] >= 3)
    table.loc[severe[9:], "icans_grade"] = 1.0
    path = tmp_path / "few.parquet"
    table.to_parquet(path)
    kept = recalibrate(artefact, external_cohort(artefact, path, NOWHERE), tmp_path / "store")
    assert (kept.artefact, kept.judged, kept.log_loss_after) == (None, None, None)
    assert "9 events, fewer than 10" in kept.before.update.how
    assert not (tmp_path / "store").exists()


def test_an_update_that_does_not_improve_is_not_shipped(
    artefact: Artefact, elsewhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def harmful(_log_odds: Array, _outcome: Array) -> Update:
        return Update(-2.0, 1.0, np.eye(2), "a harmful rule")

    monkeypatch.setattr(external_validation, "by_policy", harmful)
    kept = recalibrate(artefact, external_cohort(artefact, elsewhere, NOWHERE), tmp_path / "store")
    assert kept.log_loss_after is not None
    assert kept.log_loss_after > kept.log_loss_before
    assert kept.artefact is None
    assert kept.judged is not None
    assert not (tmp_path / "store").exists()
