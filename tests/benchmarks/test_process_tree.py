"""Workers are told from those that watch over them, and memory and disk are what Linux says."""

import os
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import disk
import psutil
import pytest
from disk import NoDisk, append_milliseconds, expect_disk
from process_tree import megabytes, tree

CHILD = "import sys; sum(range(3_000_000)); print('here', flush=True); sys.stdin.read()"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {CHILD!r}])"


@pytest.mark.parametrize(("program", "supervisors"), [(CHILD, 0), (PARENT, 1)])
def test_workers_are_those_without_children(program: str, supervisors: int) -> None:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", program], **pipes) as process:
        assert process.stdout.readline() == b"here\n"
        found = tree(process.pid)
        assert len(found.workers) == 1
        assert [one.pid for one in found.supervisors] == [process.pid] * supervisors
        assert found.processor_seconds > 0
        process.communicate()


def test_memory_is_the_proportional_set_size() -> None:
    lines = Path("/proc/self/smaps_rollup").read_text("ascii").splitlines()
    kib = next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    assert megabytes(psutil.Process(os.getpid())) == pytest.approx(kib * 1024 / 1e6, rel=0.05)


def test_an_append_leaves_nothing_behind(tmp_path: Path) -> None:
    assert append_milliseconds(tmp_path) > 0
    assert list(tmp_path.iterdir()) == []


def test_a_directory_in_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Mount = namedtuple("Mount", ("mountpoint", "fstype"))
    mounts = [Mount("/", "ext4"), Mount(str(tmp_path), "tmpfs")]
    monkeypatch.setattr(disk.psutil, "disk_partitions", lambda all: mounts)
    with pytest.raises(NoDisk, match="TMPDIR"):
        expect_disk(tmp_path / "below")
    assert expect_disk(tmp_path.parent) == "ext4"
