"""A model is called by its folder, its outcome or its version; a name of two models is no name."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from serving.model.artefact import Artefact, ArtefactRefused
from serving.model.store import make_current
from training.model_lookup import find_model
from training.pipeline import Run, train
from training.run_record import of_training
from training.tracking import NotRegistered, Registry

ICANS, CRS = "severe_icans", "severe_crs"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("MLFLOW_TRACKING_URI", raising=False)
        yield Registry(tmp_path_factory.mktemp("registry"))


@pytest.fixture(scope="module")
def crs_run(experiment_file: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(experiment_file(outcome=CRS), None, tmp_path_factory.mktemp("crs"))


@pytest.fixture(scope="module")
def crs(crs_run: Run) -> Artefact:
    return crs_run.artefact


@pytest.fixture(scope="module")
def store(
    registry: Registry, evidence_run: Run, crs_run: Run, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A store in which severe ICANS answers; both models are registered."""
    root = tmp_path_factory.mktemp("store")
    make_current(root, evidence_run.artefact)
    for run in (evidence_run, crs_run):
        registry.record(of_training(run))
    return root


@pytest.fixture
def found(registry: Registry, store: Path, tmp_path: Path) -> Callable[[str], Artefact]:
    return lambda wanted: find_model(wanted, store, registry, tmp_path)


def test_a_folder_is_its_artefact(found: Callable[[str], Artefact], crs: Artefact) -> None:
    assert found(str(crs.folder)).sha256 == crs.sha256


def test_an_outcome_is_its_current_model(
    found: Callable[[str], Artefact], evidence_run: Run
) -> None:
    assert found(ICANS).sha256 == evidence_run.artefact.sha256


def test_a_version_is_found_by_its_start_alone(
    found: Callable[[str], Artefact], crs: Artefact
) -> None:
    assert found(crs.version[:8]).sha256 == crs.sha256
    assert found(f"{CRS}@{crs.version[:4]}").sha256 == crs.sha256


def test_an_alias_of_two_models_needs_the_outcome(
    found: Callable[[str], Artefact], crs: Artefact
) -> None:
    with pytest.raises(NotRegistered, match=f"{CRS}@challenger or {ICANS}@challenger"):
        found("challenger")
    assert found(f"{CRS}@challenger").sha256 == crs.sha256


def test_an_outcome_that_nothing_answers_for_yet_is_told_by_what_it_is_called(
    found: Callable[[str], Artefact],
) -> None:
    with pytest.raises(NotRegistered, match=f"no version of {CRS} is in service: say {CRS}@chall"):
        found(CRS)


@pytest.mark.parametrize("wanted", ["0000000000", "", "nowhere/at/all", f"{CRS}@champion"])
def test_what_is_called_otherwise_is_not_found(
    found: Callable[[str], Artefact], wanted: str
) -> None:
    with pytest.raises(NotRegistered):
        found(wanted)


def test_a_folder_that_was_tampered_with_is_refused(
    found: Callable[[str], Artefact], crs: Artefact, tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    folder.mkdir()
    for path in crs.folder.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "model_card.md").write_text("a better model", "utf-8")
    with pytest.raises(ArtefactRefused, match=r"model_card\.md"):
        found(str(folder))
