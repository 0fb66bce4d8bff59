"""A training, a trial elsewhere and an update each end in the report that belongs to them."""

import json
from pathlib import Path
from typing import Any

import pytest

from training.judging.external_validation import evaluate_on, external_cohort
from training.judging.ruling import ruling_of
from training.pipeline import Run
from training.recalibration import recalibrate
from training.reporting import report_elsewhere
from training.saving import EVALUATION_FILE, EVALUATIONS
from training.simulation.synthetic_cohort import simulate, write


def read(folder: Path) -> dict[str, Any]:
    assert (folder / "report.html").read_text("utf-8").startswith("<!doctype html>")
    found: dict[str, Any] = json.loads((folder / "report.json").read_text("utf-8"))
    return found


@pytest.fixture(scope="module")
def other_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Patients of another centre."""
    return write(simulate(400, 1, 77), tmp_path_factory.mktemp("other") / "centre.parquet")[0]


@pytest.fixture(scope="module")
def shifted_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Patients of a centre where every risk is far higher than published: an update pays."""
    simulated = simulate(160, 2, 31, truth="shifted")
    return write(simulated, tmp_path_factory.mktemp("shifted") / "centre.parquet")[0]


@pytest.mark.parametrize(
    ("name", "kind"), [("cohort_run", "development"), ("evidence_run", "rehearsal")]
)
def test_a_training_ends_in_its_report(
    name: str, kind: str, request: pytest.FixtureRequest
) -> None:
    run: Run = request.getfixturevalue(name)
    said, ruling = read(run.evaluation_folder), ruling_of(run.artefact)
    assert ruling is not None
    assert said["kind"] == kind
    assert said["version"] == run.artefact.version
    assert said["verdict"] == ruling.verdict.model_dump(mode="json")
    assert said["evaluation"] == json.loads((run.evaluation_folder / EVALUATION_FILE).read_bytes())
    assert {"importance.png", "prior.png"} <= set(run.figures)


def test_a_trial_elsewhere_is_held_against_the_limits_of_the_model(
    cohort_run: Run, other_file: Path, tmp_path: Path
) -> None:
    artefact = cohort_run.artefact
    found = evaluate_on(artefact, external_cohort(artefact, other_file, Path("nowhere")))
    report_elsewhere(tmp_path, artefact, found)
    said = read(tmp_path)
    assert said["kind"] == "external validation"
    assert said["verdict"]["limits"]
    assert "no limit" not in said["verdict"]["in_words"].lower()
    assert said["updating"]["allowed"] == found.update.in_words
    assert said["environment"]["cohort_fingerprint"] == found.cohort.fingerprint
    for limit in said["verdict"]["limits"]:
        if limit["measure"] is not None and limit["reached"] is not None:
            assert at(said["evaluation"], limit["measure"]) == limit["reached"]


def at(document: Any, path: str) -> Any:
    for step in path.split("."):
        document = document[int(step)] if isinstance(document, list) else document[step]
    return document


def test_an_update_ends_in_the_report_of_the_new_version(
    evidence_run: Run, shifted_file: Path, tmp_path: Path
) -> None:
    artefact = evidence_run.artefact
    found = recalibrate(
        artefact, external_cohort(artefact, shifted_file, Path("nowhere")), tmp_path
    )
    if found.artefact is None:
        pytest.fail("the update of this cohort improves, so that there is a version to report")
    said = read(tmp_path / EVALUATIONS / found.artefact.version)
    assert said["kind"] == "updating"
    assert [step["parent_version"] for step in said["manifest"]["lineage"]] == [artefact.version]
    assert said["tripod_ai"]["20c"]["status"] == "todo"
