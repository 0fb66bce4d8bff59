"""A run gives the same bytes twice, tells the truth about itself, and is whole or not there."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data_schemas.cohort_table import CohortRefused
from data_schemas.evidence import load_evidence
from data_schemas.patient_request import read_patient
from serving.assess import assess
from serving.model.artefact import ArtefactRefused, load_artefact
from serving.model.store import load_current, make_current
from serving.openapi import EXAMPLE_PATIENT
from training.evaluation.evaluate import evaluate
from training.evaluation.record import Evaluation
from training.experiment import ExperimentRefused
from training.judging.scored_file import load
from training.pipeline import Run, train
from training.report.record import Report
from training.simulation import rehearsal
from training.simulation.synthetic_cohort import SimulatedCohort, simulate

ROOT = Path(__file__).parents[2]
WITH_TREES = 'name = "anchored"'


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def left_behind(store: Path) -> list[str]:
    return sorted(str(p.relative_to(store)) for p in store.rglob("*") if p.is_file())


@pytest.fixture(scope="module")
def stepped_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Simulated patients whose outcome has a step that only trees can say."""
    table = simulate(700, 2, 3).table
    rng = np.random.default_rng(1)
    risk = np.where(table["age_years"] > table["age_years"].quantile(0.7), 0.6, 0.06)
    table["icans_grade"] = np.where(rng.random(len(table)) < risk, 3.0, 1.0)
    path = tmp_path_factory.mktemp("stepped") / "cohort.parquet"
    table.to_parquet(path)
    return path


@pytest.fixture(scope="module")
def with_trees(experiment_file: Callable[..., Path]) -> Path:
    text = experiment_file().read_text("utf-8").replace('name = "anchored_ridge"', WITH_TREES)
    return experiment_file(text)


# ---- The same bytes ----------------------------------------------------------------------------


def test_the_same_seed_and_patients_give_the_same_bytes(
    with_trees: Path, stepped_file: Path, tmp_path: Path
) -> None:
    """However the table was sorted."""
    pd.read_parquet(stepped_file).sort_values("age_years").to_parquet(tmp_path / "sorted.parquet")
    files = {"a": stepped_file, "b": tmp_path / "sorted.parquet"}
    first, again = (train(with_trees, file, tmp_path / part) for part, file in files.items())
    assert len(first.artefact.model.trees) > 0
    assert first.artefact.version == again.artefact.version
    assert content(first.artefact.folder) == content(again.artefact.folder)
    assert "booster.ubj" in content(first.artefact.folder)


def test_another_seed_gives_another_version(
    experiment_file: Callable[..., Path], evidence_run: Run, tmp_path: Path
) -> None:
    other = train(experiment_file(seed=8), None, tmp_path)
    assert other.artefact.version != evidence_run.artefact.version


def test_training_again_into_the_same_store_is_the_same_artefact(
    experiment_file: Callable[..., Path], evidence_run: Run
) -> None:
    store = evidence_run.artefact.folder.parents[1]
    before = left_behind(store)
    again = train(experiment_file(), None, store)
    assert again.artefact.folder == evidence_run.artefact.folder
    assert left_behind(store) == before


# ---- On whom it rests --------------------------------------------------------------------------


def test_a_model_of_the_evidence_says_no_patient(evidence_run: Run) -> None:
    manifest = evidence_run.artefact.manifest
    cohort = manifest.cohort
    assert (cohort.patients, cohort.real_patients, cohort.simulated_patients) == (0, 0, 0)
    assert cohort.fingerprint == ""
    assert manifest.validated_on_real_patients == 0
    assert manifest.local_deviation == "no cohort: evidence only"
    assert {m.on for m in manifest.performance} == {rehearsal.SIMULATED}
    assert manifest.evidence.rows > 10


def test_a_simulated_cohort_is_marked_in_manifest_and_card(cohort_run: Run) -> None:
    manifest = cohort_run.artefact.manifest
    assert manifest.cohort.is_simulated
    assert manifest.cohort.real_patients == 0
    assert manifest.cohort.simulated_patients == manifest.cohort.patients > 250
    assert manifest.cohort.sites == 3
    assert {"simulated patients, never clinical performance"} == {
        m.on.split(", ", 1)[1] for m in manifest.performance
    }
    card = (cohort_run.artefact.folder / "model_card.md").read_text("utf-8")
    assert "Fitted on simulated patients: a rehearsal" in card


def test_a_simulated_cohort_is_marked_in_every_answer(cohort_run: Run, evidence_run: Run) -> None:
    for run, marked in ((cohort_run, True), (evidence_run, False)):
        answer = assess(
            read_patient(EXAMPLE_PATIENT),
            {run.artefact.model.outcome: run.artefact},
            load_evidence(),
        )
        assert ("fitted_on_simulated_patients" in {c.code for c in answer.cautions}) == marked
        reference = answer.outcomes[0].model
        assert reference.fitted_on_real_patients == 0
        assert (reference.fitted_on_simulated_patients > 0) == marked


def test_a_cohort_that_says_it_is_real_is_counted_as_real(
    experiment_file: Callable[..., Path], simulated_file: Path, tmp_path: Path
) -> None:
    path = tmp_path / "cohort.parquet"
    pd.read_parquet(simulated_file).drop(columns="synthetic").to_parquet(path)
    cohort = train(experiment_file(), path, tmp_path / "store").artefact.manifest.cohort
    assert cohort.real_patients == cohort.patients > 0
    assert not cohort.is_simulated


def test_patients_outside_the_model_do_not_count_as_fitted(
    experiment_file: Callable[..., Path], simulated_file: Path, tmp_path: Path
) -> None:
    table = pd.read_parquet(simulated_file)
    known = table["icans_grade"].notna()
    axi = (table["product"] == "axicabtagene_ciloleucel") & known
    moved = table.assign(disease=table["disease"].mask(axi, "MM"))
    moved = moved.drop(columns=[c for c in moved if moved[c].isna().all()])
    path = tmp_path / "cohort.parquet"
    moved.to_parquet(path)
    run = train(experiment_file(), path, tmp_path / "store")
    assert run.artefact.manifest.cohort.patients == (known & ~axi).sum()
    assert any(notice.startswith(f"{axi.sum()} patients") for notice in run.notices)


def test_whom_the_service_would_give_no_number_is_said_with_the_run_and_in_its_report(
    experiment_file: Callable[..., Path], simulated_file: Path, tmp_path: Path
) -> None:
    table = pd.read_parquet(simulated_file)
    adults_only = (table["disease"] == "LBCL") & table["icans_grade"].notna()
    minors = table.index[adults_only][:20]
    path = tmp_path / "cohort.parquet"
    table.assign(age_years=table["age_years"].mask(table.index.isin(minors), 17.0)).to_parquet(path)
    run = train(experiment_file(), path, tmp_path / "store")
    patients = run.artefact.manifest.cohort.patients
    said = [notice for notice in run.notices if "would give them no number" in notice]
    assert any(n.startswith(f"20 of {patients} patients have an age, or") for n in said)
    report = Report.model_validate_json((run.evaluation_folder / "report.json").read_bytes())
    assert set(said) <= set(report.notices)


def test_too_few_events_are_said_in_the_manifest(
    experiment_file: Callable[..., Path], simulated_file: Path, tmp_path: Path
) -> None:
    table = pd.read_parquet(simulated_file)
    severe = np.flatnonzero(table["icans_grade"] >= 3)
    table.loc[severe[5:], "icans_grade"] = 1.0
    path = tmp_path / "cohort.parquet"
    table.to_parquet(path)
    manifest = train(experiment_file(), path, tmp_path / "store").artefact.manifest
    assert "no local deviation fitted" in manifest.local_deviation
    assert manifest.cohort.patients == table["icans_grade"].notna().sum()


# ---- What is saved -----------------------------------------------------------------------------


def test_the_artefact_is_plain_data_that_verifies(cohort_run: Run) -> None:
    folder = cohort_run.artefact.folder
    names = set(content(folder))
    assert {"manifest.json", "model.json", "prior.json", "self_test.json", "model_card.md"} <= names
    assert not [name for name in names if name.endswith((".pkl", ".pickle", ".joblib"))]
    again = load_artefact(folder, cohort_run.artefact.sha256)
    assert again.version == cohort_run.artefact.version
    assert json.loads((folder / "prior.json").read_text("utf-8"))["effects"]


def test_what_was_judged_is_what_was_saved(cohort_run: Run) -> None:
    names = {m.name for m in cohort_run.artefact.manifest.performance}
    assert {"auroc", "log_loss", "brier", "calibration_slope"} <= names
    assert all(0 < m.patients <= 300 for m in cohort_run.artefact.manifest.performance)


def test_what_was_measured_can_be_measured_again_from_what_is_kept(
    cohort_run: Run, evidence_run: Run
) -> None:
    for run in (cohort_run, evidence_run):
        folder = run.evaluation_folder
        assert folder.name == run.artefact.version
        kept = Evaluation.model_validate_json((folder / "evaluation.json").read_bytes())
        assert kept == run.judgement.evaluation
        assert evaluate(load(folder), kept.asked) == kept


def test_what_is_kept_names_no_patient(cohort_run: Run, simulated_file: Path) -> None:
    identifiers = set(pd.read_parquet(simulated_file)["patient_id"].astype(str))
    kept = pd.read_parquet(cohort_run.evaluation_folder / "scored.parquet")
    assert not any(identifiers & set(kept[column].astype(str)) for column in kept)
    said = (cohort_run.evaluation_folder / "evaluation.json").read_text("utf-8")
    assert not any(identifier in said for identifier in identifiers)


def test_a_tampered_artefact_is_replaced_by_what_was_trained(
    experiment_file: Callable[..., Path], tmp_path: Path
) -> None:
    trained = train(experiment_file(), None, tmp_path).artefact
    (trained.folder / "model_card.md").write_text("A validated model.", "utf-8")
    with pytest.raises(ArtefactRefused, match=r"model_card\.md"):
        load_artefact(trained.folder)
    again = train(experiment_file(), None, tmp_path).artefact
    assert again.folder == trained.folder
    assert load_artefact(trained.folder).files == trained.files


def test_progress_runs_from_nothing_to_all(
    experiment_file: Callable[..., Path], tmp_path: Path
) -> None:
    told: list[tuple[str, float]] = []
    train(experiment_file(), None, tmp_path, lambda doing, share: told.append((doing, share)))
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert all(doing for doing, _ in told)


def test_a_rehearsal_without_events_is_not_measured(
    experiment_file: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def harmless(*arguments: int) -> SimulatedCohort:
        cohort = simulate(*arguments)
        return replace(cohort, truth=cohort.truth.assign(severe_icans=1e-9))

    monkeypatch.setattr(rehearsal, "simulate", harmless)
    run = train(experiment_file(), None, tmp_path)
    assert not {"auroc", "calibration_slope"} & {m.name for m in run.artefact.manifest.performance}


# ---- Nothing or all ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "error"),
    [("predictors = []", ExperimentRefused), ("not toml at all =", ExperimentRefused)],
)
def test_a_refused_experiment_writes_nothing(
    experiment_file: Callable[..., Path], tmp_path: Path, text: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        train(experiment_file(text), None, tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_a_refused_cohort_writes_nothing(
    experiment_file: Callable[..., Path], tmp_path: Path
) -> None:
    with pytest.raises(CohortRefused):
        train(experiment_file(), tmp_path / "nowhere.parquet", tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_without_evidence_an_experiment_needs_a_cohort(
    experiment_file: Callable[..., Path], tmp_path: Path
) -> None:
    path = experiment_file(sections="[anchor]\nevidence = false\n")
    with pytest.raises(ValueError, match="needs a cohort"):
        train(path, None, tmp_path)


def test_a_save_that_fails_midway_leaves_nothing(
    experiment_file: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed = os.fsync
    calls = []

    def full(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        flushed(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        train(experiment_file(), None, tmp_path)
    monkeypatch.undo()
    assert left_behind(tmp_path) == []
    assert train(experiment_file(), None, tmp_path).artefact.folder.is_dir()


def test_a_run_killed_while_it_saves_leaves_nothing_that_can_answer(
    experiment_file: Callable[..., Path], evidence_run: Run, tmp_path: Path
) -> None:
    """The process dies between writing the files and giving the folder its name."""
    program = (
        "import os, sys\nfrom pathlib import Path\n"
        "from serving.model.artefact import load_artefact\n"
        "from serving.model.store import save_artefact\n"
        "artefact = load_artefact(Path(sys.argv[1]))\n"
        "files = {n: (artefact.folder / n).read_bytes() for n in artefact.manifest.files}\n"
        "Path.rename = lambda *_: os._exit(9)\n"
        "save_artefact(Path(sys.argv[2]), artefact.model, artefact.manifest, files)\n"
    )
    command = [sys.executable, "-c", program, str(evidence_run.artefact.folder), str(tmp_path)]
    assert subprocess.run(command, cwd=ROOT, check=False, timeout=60).returncode == 9
    drafts = list(tmp_path.glob("severe_icans/*"))
    assert len(drafts) == 1
    assert drafts[0].name.startswith(".")
    assert load_current(tmp_path) == {}
    run = train(experiment_file(), None, tmp_path)
    assert run.artefact.version == evidence_run.artefact.version
    make_current(tmp_path, run.artefact)
    assert list(load_current(tmp_path)) == ["severe_icans"]


def test_a_store_that_cannot_be_made_is_a_plain_error(
    experiment_file: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("not a directory", "utf-8")
    with pytest.raises(OSError, match="file"):
        train(experiment_file(), None, tmp_path / "file" / "store")
    assert left_behind(tmp_path) == ["file"]
