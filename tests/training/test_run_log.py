"""A data scientist finds in MLflow what made a model, how it was judged, and not one patient."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run as Logged

from data_schemas.cohort_table import CohortRefused, Purpose, read_cohort
from serving.model.artefact import ArtefactRefused, sha256
from serving.openapi import EXAMPLE_PATIENT
from training.judging.repetitions import Number, repetitions
from training.judging.scored_file import SCORED_FILE
from training.pipeline import Run, train
from training.run_record import RunRecord, of_training
from training.tracking import Registered, Registry
from training.tracking.loaded_model import _load_pyfunc
from training.tracking.model_folder import columns_read, invented_patient

ICANS = "severe_icans"


@pytest.fixture(scope="module")
def run(
    experiment_file: Callable[..., Path],
    simulated_file: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Run:
    """A model of a cohort of three sites, with enough refits to be judged by them."""
    path = experiment_file(sections="thresholds = [0.1]\n")
    text = path.read_text("utf-8").replace("bootstrap_refits = 3", "bootstrap_refits = 20")
    path.write_text(text, "utf-8")
    return train(path, simulated_file, tmp_path_factory.mktemp("store"))


@dataclass(frozen=True)
class Told:
    """A run, what was told of it, and where."""

    record: RunRecord
    registered: Registered
    client: MlflowClient
    home: Path
    run: Logged

    @property
    def within(self) -> list[Logged]:
        """The runs within the run."""
        wanted = f"tags.mlflow.parentRunId = '{self.run.info.run_id}'"
        return list(self.client.search_runs([self.run.info.experiment_id], wanted))

    def artifact(self, path: str) -> bytes:
        return Path(self.client.download_artifacts(self.run.info.run_id, path)).read_bytes()


@pytest.fixture(scope="module")
def told(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    home = tmp_path_factory.mktemp("registry")
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("MLFLOW_TRACKING_URI", raising=False)
        environment.chdir(home)
        record = of_training(run)
        registry = Registry(home / "models")
        registered = registry.record(record)
        client = MlflowClient(registry.uri)
        found = client.get_model_version(ICANS, registered.number)
        yield Told(record, registered, client, home, client.get_run(str(found.run_id)))


# ---- The run -------------------------------------------------------------------------------------


def test_parameters_say_what_was_asked_for(told: Told) -> None:
    params = told.run.data.params
    assert params["learner"] == params["learner.name"] == "anchored_ridge"
    assert params["validation.folds"] == "2"
    assert params["validation.thresholds"] == "0.1"
    assert params["acceptance.calibration_slope"] == "0.8, 1.25"
    assert params["predictors"] == "crp, ferritin, ldh, platelets, age"


def test_numbers_stand_with_the_ends_of_their_intervals(told: Told, run: Run) -> None:
    metrics = told.run.data.metrics
    for m in run.artefact.manifest.performance:
        assert metrics[m.name] == m.value
        assert metrics.get(f"{m.name}_low") == m.low
        assert metrics.get(f"{m.name}_high") == m.high
    evaluation = run.judgement.evaluation
    assert evaluation.apparent is not None
    assert evaluation.optimism_corrected is not None
    assert metrics["apparent/auroc"] == evaluation.apparent.measures.auroc.value
    corrected = evaluation.optimism_corrected.auroc.corrected
    assert metrics["optimism_corrected/auroc"] == corrected.value
    assert {"beside_product_rate/log_loss_difference_low", "limits/not_kept"} <= set(metrics)


def test_tags_are_those_one_searches_by(told: Told, run: Run) -> None:
    tags = told.run.data.tags
    artefact = run.artefact
    assert tags["version"] == artefact.version
    assert tags["sha256"] == artefact.sha256
    assert tags["accepted"] == ("yes" if told.record.accepted else "no")
    assert tags["outcome"] == ICANS
    assert tags["mlflow.runName"] == f"{ICANS} {artefact.version}"
    assert told.record.note == tags["mlflow.note.content"]
    assert "285 simulated" in told.record.note
    assert tags["python"].startswith("3.")
    assert {"git_commit", "git_dirty", "mlflow.user"} <= set(tags)
    lock = Path(__file__).parents[2] / "requirements.lock"
    assert tags["requirements_lock_sha256"] == sha256(lock.read_bytes())
    wanted = f"tags.accepted = '{tags['accepted']}' and metrics.auroc > 0.5"
    found = told.client.search_runs([told.run.info.experiment_id], wanted)
    assert told.run.info.run_id in [r.info.run_id for r in found]


def test_an_account_without_a_name_logs_its_run_by_its_number(
    evidence_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container whose number stands in no list of users: the training is done by then."""

    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 4321")

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("getpass.getuser", nameless)
    monkeypatch.setattr("os.getuid", lambda: 4321)
    registry = Registry(tmp_path / "models")
    registered = registry.record(of_training(evidence_run))
    client = MlflowClient(registry.uri)
    run_id = client.get_model_version(registered.outcome, registered.number).run_id
    assert client.get_run(str(run_id)).data.tags["mlflow.user"] == "uid 4321"


def test_the_experiment_is_one_of_model_training(told: Told) -> None:
    experiment = told.client.get_experiment(told.run.info.experiment_id)
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"


def test_the_run_lasted_as_long_as_the_training(told: Told, run: Run) -> None:
    assert told.run.info.status == "FINISHED"
    assert told.run.info.start_time == int(1000 * run.began)
    assert told.run.info.end_time > told.run.info.start_time


def test_the_evaluation_is_the_one_that_the_verdict_rests_on(told: Told, run: Run) -> None:
    content = told.artifact("evaluation.json")
    assert sha256(content) == told.run.data.tags["evaluation_sha256"]
    assert content == (run.evaluation_folder / "evaluation.json").read_bytes()


def test_files_lie_where_one_looks_for_them(told: Told, run: Run) -> None:
    for name in ("report.html", "report.json"):
        assert told.artifact(name) == (run.evaluation_folder / name).read_bytes()
    assert told.artifact("figures/calibration.png").startswith(b"\x89PNG")
    environment = json.loads(told.artifact("environment.json"))
    assert environment["packages"]["cart-risk"]
    assert environment["packages"]["mlflow"]


def test_the_environment_names_no_machine_and_no_place(told: Told) -> None:
    said = told.artifact("environment.json").decode()
    assert set(json.loads(said)) == {
        "python", "platform", "packages", "requirements_lock_sha256", "git_commit", "git_dirty",
    }  # fmt: skip
    assert "/" not in said


# ---- No patient ----------------------------------------------------------------------------------


def test_no_patient_leaves_the_machine_by_the_run(told: Told, run: Run) -> None:
    """Neither the scored cohort nor any of its rows, nor an identifier, nor a file's name."""
    assert (run.evaluation_folder / SCORED_FILE).is_file()
    assert list(told.home.rglob("*.parquet")) == []
    assert list(told.home.rglob(SCORED_FILE)) == []
    everything = b"".join(p.read_bytes() for p in told.home.rglob("*") if p.is_file())
    scored = run.judgement.scored
    rows = [repr(float(z)).encode() for z in scored.model[:50]]
    assert [row for row in rows if row in everything] == []
    assert b"centre.parquet" not in everything
    assert b"sim-0" not in everything


def test_the_cohort_is_known_by_its_fingerprint(told: Told, run: Run) -> None:
    inputs = told.run.inputs.dataset_inputs
    by_name = {i.dataset.name: i.dataset for i in inputs}
    assert set(by_name) == {"simulated cohort", "published evidence"}
    cohort, said = by_name["simulated cohort"], run.artefact.manifest.cohort
    assert json.loads(cohort.source) == {"sha256": said.fingerprint}
    assert said.fingerprint.startswith(cohort.digest)
    assert json.loads(cohort.profile) == {
        "num_rows": said.patients,
        "events": said.events,
        "sites": said.sites,
    }


# ---- Runs within the run -------------------------------------------------------------------------


def test_each_part_of_the_judgement_is_a_run_within_the_run(told: Told, run: Run) -> None:
    names = [r.data.tags["mlflow.runName"] for r in told.within]
    scored = run.judgement.scored
    repeats = [n for n in names if n.startswith("cross-validation, repeat")]
    assert len(repeats) == len(scored.left_out)
    assert "20 bootstrap refits" in names
    shown = [
        f"{across.by} left out: {cell.group}"
        for across in run.judgement.evaluation.across
        for cell in across.cells
        if not cell.suppressed
    ]
    assert shown
    assert set(names) == {*repeats, *shown, "20 bootstrap refits"}
    assert {r.info.status for r in told.within} == {"FINISHED"}


def test_the_mean_over_repeats_is_the_leading_number(told: Told) -> None:
    repeats = [r for r in told.within if r.data.tags["kind"] == "cross-validation"]
    for name in ("auroc", "calibration_slope", "log_loss", "observed_over_expected"):
        mean = np.mean([r.data.metrics[name] for r in repeats])
        assert mean == pytest.approx(told.run.data.metrics[name], abs=1e-12)


def test_refits_are_steps_of_one_run(told: Told, run: Run) -> None:
    (refits,) = (r for r in told.within if r.data.tags["kind"] == "bootstrap")
    history = told.client.get_metric_history(refits.info.run_id, "mean_absolute_change")
    assert sorted(m.step for m in history) == list(range(1, 21))
    instability = run.judgement.evaluation.instability
    assert instability is not None
    mean = np.mean([m.value for m in history])
    assert mean == pytest.approx(instability.mean_absolute_change, abs=1e-12)


def test_groups_that_are_suppressed_are_not_shown(run: Run) -> None:
    judgement = run.judgement
    hidden = [c.group for a in judgement.evaluation.across for c in a.cells if c.suppressed]
    names = " ".join(r.name for r in repetitions(judgement.scored, judgement.evaluation))
    assert hidden
    assert [group for group in hidden if f"left out: {group}" in names] == []


def test_a_refit_that_failed_is_left_out_of_the_steps(run: Run) -> None:
    scored = run.judgement.scored
    refits = scored.refits.copy()
    refits[3] = np.nan
    *_, last = repetitions(replace(scored, refits=refits), run.judgement.evaluation)
    assert 4 not in {number.step for number in last.numbers}
    assert len({number.step for number in last.numbers}) == 19


def test_more_numbers_than_one_request_may_hold_are_all_logged(told: Told, run: Run) -> None:
    many = tuple(Number("change", float(i), i) for i in range(2300))
    part = replace(told.record.repetitions[0], numbers=many)
    record = replace(of_training(run), repetitions=(part,))
    registry = Registry(told.home / "models")
    found = told.client.get_model_version(ICANS, registry.record(record).number)
    wanted = f"tags.mlflow.parentRunId = '{found.run_id}'"
    (within,) = told.client.search_runs([told.run.info.experiment_id], wanted)
    assert len(told.client.get_metric_history(within.info.run_id, "change")) == 2300


def test_a_run_that_could_not_be_logged_is_marked(told: Told, run: Run) -> None:
    record = replace(of_training(run), files={"evaluation.json": "no bytes"})  # type: ignore[dict-item]
    with pytest.raises(TypeError):
        Registry(told.home / "models").record(record)
    failed = told.client.search_runs([told.run.info.experiment_id], "attributes.status = 'FAILED'")
    assert len(failed) == 1


# ---- The model -----------------------------------------------------------------------------------


def test_the_registered_version_has_a_signature_and_an_example(told: Told) -> None:
    import mlflow

    found = told.client.get_model_version(ICANS, told.registered.number)
    loaded = mlflow.pyfunc.load_model(found.source)
    assert loaded.metadata.signature.outputs.input_names()[1:] == [
        ICANS, f"{ICANS}_low", f"{ICANS}_high", f"{ICANS}_status",
    ]  # fmt: skip
    assert {"crp_mg_l", "ldh_uln_u_l", "age_years"} <= set(loaded.input_example)


def test_what_mlflow_is_asked_is_read_by_the_contract_whole(told: Told) -> None:
    """By a signature of its inputs MLflow would drop what it does not name, without a word."""
    import mlflow

    found = told.client.get_model_version(ICANS, told.registered.number)
    loaded = mlflow.pyfunc.load_model(found.source)
    example = loaded.input_example
    plain = loaded.predict(example)
    crp = example["crp_mg_l"] / 10
    respelt = example.drop(columns="crp_mg_l").assign(crp_mg_dl=crp, patient_id=7)
    respelt["age_years"] = respelt["age_years"].astype(int)
    columns = [ICANS, f"{ICANS}_low", f"{ICANS}_status"]
    assert loaded.predict(respelt)[columns].equals(plain[columns])
    with pytest.raises(CohortRefused, match="crp: a column needs its unit"):
        loaded.predict(example.rename(columns={"crp_mg_l": "crp"}))


def test_the_logged_model_knows_its_version_and_its_numbers(told: Told) -> None:
    (output,) = told.run.outputs.model_outputs
    logged = told.client.get_logged_model(output.model_id)
    assert json.loads(logged.tags["mlflow.modelVersions"]) == [
        {"name": ICANS, "version": told.registered.number}
    ]
    assert {"auroc", "calibration_slope"} <= {m.key for m in logged.metrics}
    assert logged.status == "READY"


def test_mlflow_loads_a_model_that_answers_as_ours_does(told: Told, run: Run) -> None:
    import mlflow

    found = told.client.get_model_version(ICANS, told.registered.number)
    loaded = mlflow.pyfunc.load_model(found.source)
    answer = loaded.predict(loaded.input_example)
    logit = run.artefact.model.predict(_columns(loaded.input_example)).logit[0]
    assert answer[ICANS].iloc[0] == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-12)
    assert answer[f"{ICANS}_status"].iloc[0] == "caution"


def _columns(table: pd.DataFrame) -> dict[str, Any]:
    return read_cohort(table, Purpose.SCORING).columns()


def test_no_pickle_and_no_code_lies_in_what_mlflow_keeps(told: Told) -> None:
    suffixes = {p.suffix for p in (told.home / "models" / "mlflow_artifacts").rglob("*.*")}
    assert suffixes <= {".json", ".yaml", ".txt", ".md", ".png", ".html", ".ubj"}
    assert "python_model" not in (next(told.home.rglob("MLmodel")).read_text("utf-8"))


def test_a_changed_byte_is_refused_when_mlflow_loads_it(
    told: Told, run: Run, tmp_path: Path
) -> None:
    import shutil

    kept = next(told.home.rglob("data/model"))
    copy = Path(shutil.copytree(kept, tmp_path / "model"))
    path = next(copy.rglob("model.json"))
    path.write_bytes(path.read_bytes().replace(b"0", b"1", 1))
    with pytest.raises(ArtefactRefused, match=r"model\.json"):
        _load_pyfunc(str(copy))


def test_the_invented_patient_is_the_one_of_the_documentation(run: Run) -> None:
    (row,) = invented_patient(run.artefact).to_dict("records")
    assert row["crp_mg_l"] == 10 * EXAMPLE_PATIENT["crp"]["value"]
    assert row["product"] == EXAMPLE_PATIENT["product"]
    read = {column for _, column, _ in columns_read(run.artefact)}
    assert set(row) - {"patient_id"} <= read


def test_a_model_of_no_patient_rests_on_evidence_alone(evidence_run: Run) -> None:
    record = of_training(evidence_run)
    assert [source.name for source in record.learnt_from] == ["published evidence"]
    assert record.parameters["cohort_fingerprint"] == "no cohort"
    assert "fitted on no patient" in record.note


def test_mlflow_keeps_its_database_where_it_was_told(told: Told) -> None:
    """MLflow likes to open another one in the working directory."""
    assert list(told.home.glob("*.db")) == []
    with closing(sqlite3.connect(told.home / "models" / "mlflow.db")) as database:
        ((runs,),) = database.execute("select count(*) from runs")
    assert runs > 1
