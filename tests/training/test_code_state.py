"""Which code ran, as git says it."""

import subprocess
from pathlib import Path

import pytest

from training import code_state as module
from training.code_state import CodeState, code_state

UNKNOWN = CodeState(commit=None, uncommitted_changes=None)


def git(place: Path, *arguments: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    done = subprocess.run(
        ["git", "-C", str(place), *who, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    git(tmp_path, "init")
    git(tmp_path, "commit", "--allow-empty", "-m", "first")
    monkeypatch.setattr(module, "_ROOT", tmp_path)
    return tmp_path


def test_it_names_the_commit_of_the_checkout_and_whether_it_was_changed(checkout: Path) -> None:
    commit = git(checkout, "rev-parse", "HEAD")
    assert code_state() == CodeState(commit=commit, uncommitted_changes=False)
    (checkout / "new").touch()
    assert code_state() == CodeState(commit=commit, uncommitted_changes=True)


def test_a_checkout_of_something_else_around_it_is_not_this_code(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = checkout / "lib"
    inside.mkdir()
    monkeypatch.setattr(module, "_ROOT", inside)
    assert code_state() == UNKNOWN


def test_a_git_that_takes_too_long_throws_no_finished_run_away(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = subprocess.run

    def slow(command: list[str], **how: object) -> object:
        if "status" in command:
            raise subprocess.TimeoutExpired(command, 10)
        return run(command, **how)

    monkeypatch.setattr(subprocess, "run", slow)
    assert code_state() == UNKNOWN


def test_nothing_is_known_without_git_or_a_checkout(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as nowhere:
        nowhere.setattr(module, "_ROOT", tmp_path)
        assert code_state() == UNKNOWN
    monkeypatch.setenv("PATH", "")
    assert code_state() == UNKNOWN
