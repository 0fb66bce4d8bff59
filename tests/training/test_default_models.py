"""`make serve` lets default models answer where none does, and leaves what people did as it is."""

import csv
import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

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


def test_prepare_touches_nothing_while_somebody_listens_on_the_port(home: Home) -> None:
    """It would take from a service that still runs the key by which it is asked."""
    keys = home.store.parent.joinpath("keys.json").read_bytes()
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        refused = cart_risk("prepare", "--experiments", EXPERIMENTS, "--port", port)
    assert refused.exit_code == 1
    assert f"port {port} cannot be listened on (Address already in use)" in words(refused)
    assert "make serve PORT=" in words(refused)
    assert home.store.parent.joinpath("keys.json").read_bytes() == keys


def test_a_default_model_does_not_take_the_place_of_a_challenger(home: Home) -> None:
    """`severe_crs@challenger`, and `promote` by itself, still mean what somebody trained."""
    registry, answering = home.registry, home.answering()
    assert registry.find(CRS, CHALLENGER).version == home.own != answering[CRS]
    assert registry.find(CRS, CHAMPION).version == answering[CRS]
    assert registry.find(ICANS, CHALLENGER).version == answering[ICANS]


@pytest.mark.parametrize("width", ["80", "60"])
def test_a_listed_version_can_be_copied_whole(
    home: Home, monkeypatch: pytest.MonkeyPatch, width: str
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    versions = {home.own, *home.answering().values()}
    assert {row["version"] for row in csv.DictReader(cart_risk("models").stdout.splitlines())} == (
        versions
    )
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    listed = re.sub(r"\x1b\[[0-9;]*m", "", cart_risk("models").output)
    assert max(map(len, listed.splitlines())) <= int(width)
    assert versions <= set(listed.split())


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


def test_an_outcome_that_was_withdrawn_is_not_brought_back_by_the_next_start(home: Home) -> None:
    before = home.answering()
    with_name = ("--reason", "no evidence for our products", "--who", "Dr A")
    for outcome in (CRS, ICANS):
        assert cart_risk("withdraw", outcome, *with_name).exit_code == 0
    again = cart_risk("prepare", "--experiments", "/nowhere")
    assert again.exit_code == 0, again.output
    assert home.answering() == {}
    for outcome in (CRS, ICANS):
        assert f"{outcome} was withdrawn and stays out of service" in words(again)
        back = cart_risk("rollback", outcome, "--reason", "there is")
        assert f"{outcome}: {before[outcome]} answers again" in words(back)
    assert home.answering() == before


def test_a_withdrawal_says_what_answered_and_stands_in_the_history(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = home.answering()[ICANS]
    told = cart_risk("withdraw", ICANS, "--reason", "alarm", "--who", "Dr A")
    assert f"{ICANS}: no version answers now (before: {answers})" in words(told)
    twice = cart_risk("withdraw", ICANS, "--reason", "alarm", "--who", "Dr A")
    assert twice.exit_code == 1
    assert f"WithdrawalRefused: {ICANS} {answers} was withdrawn by Dr A" in words(twice)
    monkeypatch.setenv("COLUMNS", "400")
    for shown in ("withdraw", "alarm", "Dr A ("):
        assert shown in words(cart_risk("history", ICANS))
    assert cart_risk("rollback", ICANS, "--reason", "again").exit_code == 0
