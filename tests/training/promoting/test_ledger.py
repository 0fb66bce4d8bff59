"""The last line of the ledger is guarded, too; a killed run leaves a ledger that one can use."""

import hashlib
import json
import multiprocessing
import os
from pathlib import Path

import pytest

from serving.promotion_files import HEAD_FILE, LEDGER_FILE
from training.promoting.ledger import Ledger, LedgerBroken
from training.tracking import Registered

FIRST_RELEASE = {
    "when": "2026-01-01T00:00:00+00:00",
    "who": "nobody",
    "act": "promote",
    "outcome": "severe_crs",
    "version_before": None,
    "version": "0123456789ab",
    "sha256": "0" * 64,
    "reason": "first",
    "previous": "0" * 64,
}


def version(name: str) -> Registered:
    return Registered("severe_crs", "1", name, "0" * 64, (), 0, 0, "evidence only", "yes")


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    written = Ledger(tmp_path)
    written.append("promote", version("one"), "first")
    written.append(
        "promote", version("two"), "second", signed_by="A", overridden=("slope",), compared="same"
    )
    return written


def test_what_is_written_is_read(ledger: Ledger) -> None:
    first, second = ledger.lines()
    assert (first.version, first.overridden, first.signed_by) == ("one", (), None)
    assert (second.version_before, second.overridden) == ("one", ("slope",))
    assert (second.signed_by, second.compared) == ("A", "same")


@pytest.mark.parametrize("field", ["version", "reason", "signed_by", "overridden", "when"])
def test_an_edit_of_the_last_line_breaks_the_ledger(ledger: Ledger, field: str) -> None:
    *before, last = ledger.path.read_bytes().splitlines()
    edited = json.dumps({**json.loads(last), field: ["x"]}, sort_keys=True).encode()
    ledger.path.write_bytes(b"\n".join([*before, edited]) + b"\n")
    with pytest.raises(LedgerBroken, match=r"line 2 of .* is not the last that was written"):
        ledger.lines()


@pytest.mark.parametrize("kept", [0, 1])
def test_a_ledger_cut_at_its_end_is_broken(ledger: Ledger, kept: int) -> None:
    lines = ledger.path.read_bytes().splitlines(keepends=True)
    ledger.path.write_bytes(b"".join(lines[:kept]))
    with pytest.raises(LedgerBroken):
        ledger.lines()


def test_a_line_that_nobody_announced_is_refused(ledger: Ledger) -> None:
    last = ledger.path.read_bytes().splitlines()[-1]
    forged = {**json.loads(last), "previous": hashlib.sha256(last).hexdigest()}
    with ledger.path.open("ab") as file:
        file.write(json.dumps(forged, sort_keys=True).encode() + b"\n")
    with pytest.raises(LedgerBroken, match="line 3"):
        ledger.lines()


@pytest.mark.parametrize("taken", [LEDGER_FILE, HEAD_FILE])
def test_neither_file_can_be_taken_away(ledger: Ledger, tmp_path: Path, taken: str) -> None:
    (tmp_path / taken).unlink()
    with pytest.raises(LedgerBroken):
        ledger.lines()


@pytest.mark.parametrize("reached_the_file", [True, False])
def test_a_run_killed_while_writing_leaves_a_whole_ledger(
    ledger: Ledger, reached_the_file: bool
) -> None:
    """The head was told of the line; the line was, or was not, written."""
    content, head = ledger.path.read_bytes(), ledger.head.read_text("utf-8")
    ledger.append("promote", version("three"), "third")
    new = ledger.head.read_text("utf-8")
    ledger.head.write_text(head + new, "utf-8")
    if not reached_the_file:
        ledger.path.write_bytes(content)
    assert len(ledger.lines()) == 2 + reached_the_file
    ledger.append("promote", version("four"), "fourth")
    assert [p.version for p in ledger.lines()][-1] == "four"
    assert ledger.head.read_text("utf-8").count("\n") == 1


def test_a_ledger_of_the_first_release_is_read_and_guarded_from_then_on(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.path.write_text(json.dumps(FIRST_RELEASE, sort_keys=True) + "\n", "utf-8")
    (line,) = ledger.lines()
    assert (line.overridden, line.signed_by, line.compared) == ((), None, "")
    ledger.append("promote", version("two"), "second")
    ledger.head.unlink()
    with pytest.raises(LedgerBroken):
        ledger.lines()


TOGETHER = multiprocessing.get_context("spawn")


def append_many(store: Path, name: str) -> None:
    for number in range(20):
        Ledger(store).append("promote", version(f"{name}{number}"), "at once")


def test_two_processes_that_promote_at_once_leave_a_whole_ledger(tmp_path: Path) -> None:
    both = [TOGETHER.Process(target=append_many, args=(tmp_path, name)) for name in "ab"]
    for process in both:
        process.start()
    for process in both:
        process.join(60)
        assert process.exitcode == 0
    lines = Ledger(tmp_path).lines()
    assert {p.version for p in lines} == {f"{name}{n}" for name in "ab" for n in range(20)}
    assert [p.version_before for p in lines[1:]] == [p.version for p in lines[:-1]]


def test_a_promotion_waits_for_another(ledger: Ledger) -> None:
    other = TOGETHER.Process(target=append_many, args=(ledger.path.parent, "other"))
    with ledger.alone():
        other.start()
        other.join(3)
        assert other.is_alive()
        assert ledger.append("promote", version("mine"), "inside").version_before == "two"
    other.join(60)
    assert [p.version for p in ledger.lines()][2:4] == ["mine", "other0"]


def hold_and_die(store: Path) -> None:
    with Ledger(store).alone():
        os._exit(9)


def test_a_process_that_died_holds_nobody_up(ledger: Ledger) -> None:
    died = TOGETHER.Process(target=hold_and_die, args=(ledger.path.parent,))
    died.start()
    died.join(60)
    assert died.exitcode == 9
    assert ledger.append("promote", version("three"), "third").version_before == "two"


def test_an_account_without_a_name_is_written_by_its_number(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container whose number stands in no list of users: the model answers by then."""

    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 4321")

    monkeypatch.setattr("getpass.getuser", nameless)
    monkeypatch.setattr("os.getuid", lambda: 4321)
    ledger.append("promote", version("three"), "third")
    assert ledger.lines()[-1].who == "uid 4321"
