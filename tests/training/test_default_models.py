"""`make serve` lets default models answer where none does, and leaves what people did as it is."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from serving.model.store import load_current
from training.__main__ import app
from training.tracking import CHALLENGER, CHAMPION, Registry

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
CRS, ICANS = "severe_crs", "severe_icans"


def cart_risk(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def words(result: Result) -> str:
    return " ".join(result.output.split())


@dataclass(frozen=True)
class Home:
    """A place where somebody trained a model before the first `make serve`."""

    store: Path
    own: str
    """The version that was trained."""
    prepared: Result

    @property
    def registry(self) -> Registry:
        return Registry(self.store.parent)

    def answering(self) -> dict[str, str]:
        return {name: artefact.version for name, artefact in load_current(self.store).items()}


@pytest.fixture(scope="module")
def home(
    experiment_file: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Home]:
    folder = tmp_path_factory.mktemp("home")
    store = folder / "models" / "in_service"
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("MLFLOW_TRACKING_URI", raising=False)
        environment.setenv("CART_RISK_MODELS", str(store))
        environment.chdir(folder)
        assert cart_risk("train", experiment_file(outcome=CRS)).exit_code == 0
        own = Registry(store.parent).find(CRS, CHALLENGER).version
        prepared = cart_risk("prepare", "--experiments", EXPERIMENTS, "--port", 3210)
        yield Home(store, own, prepared)


def test_prepare_trains_what_is_missing_once(home: Home) -> None:
    assert home.prepared.exit_code == 0, home.prepared.output
    assert "http://127.0.0.1:3210/v1/assess" in home.prepared.output
    before = home.answering()
    assert sorted(before) == [CRS, ICANS]
    again = cart_risk("prepare", "--experiments", "/nowhere", "--port", 3210)
    assert again.exit_code == 0
    ended = "The key of the last start opens nothing any more."
    assert [ended in one.output for one in (home.prepared, again)] == [False, True]
    assert home.answering() == before


def test_a_default_model_does_not_take_the_place_of_a_challenger(home: Home) -> None:
    """`severe_crs@challenger`, and `promote` by itself, still mean what somebody trained."""
    registry, answering = home.registry, home.answering()
    assert registry.find(CRS, CHALLENGER).version == home.own != answering[CRS]
    assert registry.find(CRS, CHAMPION).version == answering[CRS]
    assert registry.find(ICANS, CHALLENGER).version == answering[ICANS]


@pytest.mark.parametrize("command", ["evaluate", "recalibrate"])
def test_it_is_shown_which_version_is_meant_and_whether_it_answers(
    home: Home, command: str
) -> None:
    """First of all, so that a refusal, too, is known to be that of this version."""
    answers = home.answering()[CRS]
    for model, said in (
        (CRS, f"model: {CRS} {answers}, in service"),
        (f"{CRS}@challenger", f"model: {CRS} {home.own}, not in service, where {answers} answers"),
    ):
        result = cart_risk(command, "--model", model, "--cohort", "nowhere.csv")
        assert said in words(result)
        assert "[no_such_file]" in words(result)
