"""A file is there whole or not at all, and stays with whoever it belongs to."""

import os
import stat
from pathlib import Path

import pytest

from serving.whole_file import FOR_ITS_OWNER, replace_content, whole_file


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_an_error_within_leaves_what_was_there_and_no_draft(tmp_path: Path) -> None:
    file = tmp_path / "scores.csv"
    file.write_bytes(b"before")

    def fail() -> None:
        with whole_file(file) as sink:
            sink.write(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert file.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [file]


def test_content_and_name_are_flushed_before_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a file that was renamed and not flushed, a power failure may leave the name alone."""
    file, seen = tmp_path / "pointer.json", []

    def watched(descriptor: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        seen.append((is_folder, file.exists()))

    monkeypatch.setattr(os, "fsync", watched)
    with whole_file(file) as sink:
        sink.write(b"whole")
    assert seen == [(False, False), (True, True)]


def test_a_draft_of_a_killed_run_with_the_same_number_is_not_in_the_way(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    (tmp_path / f".keys.{os.getpid()}.draft.json").write_bytes(b"half of a longer content")
    with whole_file(file) as sink:
        sink.write(b"whole")
    assert file.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_of_patients_is_its_owners_alone_whoever_could_read_the_former(
    tmp_path: Path,
) -> None:
    file = tmp_path / "scores.csv"
    file.touch(0o644)
    with whole_file(file, FOR_ITS_OWNER) as sink:
        assert mode(Path(sink.name)) == 0o600
        assert Path(sink.name).suffix == ".csv"
    assert mode(file) == 0o600


@pytest.mark.parametrize("former", [0o600, 0o640])
def test_a_secret_stays_readable_for_whom_it_was(tmp_path: Path, former: int) -> None:
    """A service that runs as another user of the group must still read its renewed keys."""
    file = tmp_path / "site.key"
    replace_content(file, b"first")
    assert mode(file) == 0o600
    file.chmod(former)
    replace_content(file, b"second")
    assert (file.read_bytes(), mode(file)) == (b"second", former)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_a_secret_that_root_renews_stays_the_services(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.touch(0o600)
    os.chown(file, 4321, 4322)
    replace_content(file, b"renewed")
    assert (file.stat().st_uid, file.stat().st_gid) == (4321, 4322)


def test_what_cannot_be_left_to_its_owner_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "keys.json"
    file.write_bytes(b"former")

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "geteuid", lambda: file.stat().st_uid + 1)
    monkeypatch.setattr(os, "fchown", refuse)
    with pytest.raises(PermissionError):
        replace_content(file, b"renewed")
    assert file.read_bytes() == b"former"
    assert list(tmp_path.iterdir()) == [file]
