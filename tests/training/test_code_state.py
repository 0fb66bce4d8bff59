"""Which code ran, as git says it."""

import subprocess
from pathlib import Path

import pytest

from training import code_state as module
from training.code_state import CodeState, code_state


def test_it_names_the_commit_of_the_checkout() -> None:
    here = Path(module.__file__).parent
    done = subprocess.run(
        ["git", "-C", str(here), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    assert code_state().commit == (done.stdout.strip() or None)


def test_nothing_is_known_without_git(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert code_state() == CodeState(commit=None, uncommitted_changes=None)


def test_nothing_is_known_outside_a_checkout(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "__file__", str(tmp_path / "code_state.py"))
    assert code_state() == CodeState(commit=None, uncommitted_changes=None)
