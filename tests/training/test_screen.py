"""What people wrote is shown as they wrote it, whatever rich would make of it."""

import csv
import io
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from training.__main__ import app
from training.promoting.ledger import Ledger
from training.screen import screen
from training.terminal import show_notices
from training.tracking import Registered

ROOT = Path(__file__).parents[2]
WRITTEN = ["board [/minutes/12]", "signed [see ICANS audit]", "ward [red]7", "night :fire: team"]
"""An end without a beginning, two styles, and a picture."""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CART_RISK_MODELS", str(tmp_path / "in_service"))
    monkeypatch.setenv("CART_RISK_KEYS", str(tmp_path / "keys.json"))
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shown(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("text", WRITTEN)
def test_the_history_keeps_every_word_of_a_reason_and_of_a_name(
    home: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    version = Registered("severe_crs", "1", "abc", "0" * 64, (), 0, 0, "evidence only", "yes")
    Ledger(home / "in_service").append(
        "promote", version, text, signed_by=f"Dr {text}", overridden=(f"limit {text}",)
    )
    (line,) = csv.DictReader(shown("history", "severe_crs").splitlines())
    assert line["reason"] == text
    assert line["who"].startswith(f"Dr {text} (")
    assert line["overridden"] == f"limit {text}"
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    history = re.sub(r"\x1b\[[0-9;]*m", "", shown("history", "severe_crs"))
    assert f"│ {text} " in history
    assert f"Dr {text} (" in history
    assert f"limit {text} " in history


def test_piped_history_is_whole_at_any_width(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At 80 columns a version was folded over two lines: no program could look it up."""
    monkeypatch.setenv("COLUMNS", "80")
    version = Registered("severe_crs", "1", "a" * 12, "0" * 64, (), 0, 0, "evidence only", "yes")
    ledger, reason = Ledger(home / "in_service"), 'first, "second" and third ' * 9
    ledger.append("promote", version, reason, overridden=("one limit", "another"))
    ledger.append("withdraw", version, "no fit", signed_by="Dr A. Nobody")
    lines = list(csv.DictReader(io.StringIO(shown("history", "severe_crs"))))
    assert [(line["act"], line["version"]) for line in lines] == [
        ("promote", "a" * 12),
        ("withdraw", "a" * 12),
    ]
    assert lines[0]["reason"] == reason
    assert lines[0]["overridden"] == "one limit\nanother"
    assert lines[1]["before"] == "a" * 12


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("text", WRITTEN)
def test_a_key_is_listed_by_its_whole_label(text: str) -> None:
    shown("keys", "add", text, "--scope", "assess")
    assert f"│ {text} " in shown("keys", "list")


@pytest.mark.parametrize("text", WRITTEN)
def test_a_notice_names_a_site_as_the_cohort_does(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    show_notices(screen(), [f"crp_mg_l at site {text!r}: read in mg/L"])
    assert f"note: crp_mg_l at site '{text}'" in capsys.readouterr().out


@pytest.mark.parametrize("text", WRITTEN)
def test_a_refusal_names_a_column_as_the_cohort_does(home: Path, text: str) -> None:
    (home / "cohort.csv").write_text(f"patient_id,{text}\nP1,1\n", "utf-8")
    result = CliRunner().invoke(app, ["score", "--cohort", "cohort.csv", "--out", "risks.csv"])
    assert result.exit_code == 1
    assert f"  - {text}: not a column of the contract; " in result.output


@pytest.mark.usefixtures("home")
def test_the_bar_names_an_experiment_as_its_file_does() -> None:
    result = CliRunner().invoke(app, ["train", "plan [draft].toml", "--models", "models"])
    bar, refusal = result.output.splitlines()
    assert " plan [draft] " in bar
    assert refusal.startswith("ExperimentRefused: plan [draft].toml cannot be read")


def test_every_command_speaks_through_the_one_screen() -> None:
    files = [path for room in ("serving", "training") for path in (ROOT / room).rglob("*.py")]
    consoles = [f for f in files if re.search(r"\bConsole\(", f.read_text("utf-8"))]
    assert consoles == [ROOT / "training" / "screen.py"]
