"""kill -9 of a worker under load: no acknowledged answer is lost, and another worker comes."""

import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from uuid import UUID

import httpx
import psutil
import pytest

from serving.assessment_log.opening import LogHome
from serving.assessment_log.verify import verify
from serving.doors import supervision
from serving.openapi import EXAMPLE_PATIENT
from serving.settings import LogSettings
from tests.conftest import Store
from tests.running_service import Running, served

CALLERS = 8
LONGEST_ABSENCE_SECONDS = 3.0
"""What the project promises until a killed worker is replaced."""

LONGEST_WAIT_SECONDS = 30.0
"""After which it is not replaced at all, however busy the machine."""


class Load:
    """Callers who ask without a pause, each in a thread of its own."""

    def __init__(self, running: Running) -> None:
        self.kept: list[str] = []
        self._running = running
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(CALLERS)]

    def _ask(self) -> None:
        headers = {"authorization": f"Bearer {self._running.key}"}
        with httpx.Client(base_url=self._running.url, timeout=30, headers=headers) as client:
            while not self._stopped.is_set():
                try:
                    response = client.post("/v1/assess", json=EXAMPLE_PATIENT)
                except httpx.TransportError:  # whose worker was killed asks again
                    continue
                assert response.status_code == 200
                self.kept.append(response.json()["assessment_id"])

    @contextmanager
    def lasting(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._stopped.set()
            for thread in self._threads:
                thread.join()


def workers(running: Running) -> set[int]:
    """Return who has the log open: a worker that has begun its chain, and so can answer."""
    found = set()
    for child in psutil.Process(running.process.pid).children(recursive=True):
        try:
            if any(file.path.endswith("assessments.sqlite") for file in child.open_files()):
                found.add(child.pid)
        except psutil.Error:  # it has just been killed
            continue
    return found


def until_there_are(running: Running, number: int, without: int | None = None) -> float:
    begun = time.monotonic()
    while len(workers(running) - {without}) < number:
        assert time.monotonic() - begun < LONGEST_WAIT_SECONDS
        time.sleep(0.02)
    return time.monotonic() - begun


def absences_of_killed_workers(store: Path, place: Path, times: int) -> list[float]:
    """Kill workers under load, check what must hold, and return how long each was missing."""
    chance = random.Random(20261128)
    absences = []
    with served(store, place, {"CART_RISK_WORKERS": "2"}) as running:
        until_there_are(running, 2)
        load = Load(running)
        with load.lasting():
            for _ in range(times):
                time.sleep(chance.uniform(0.1, 0.6))
                killed = chance.choice(sorted(workers(running)))
                psutil.Process(killed).send_signal(signal.SIGKILL)
                before = len(load.kept)
                absences.append(until_there_are(running, 2, killed))
                assert len(load.kept) > before  # the other went on
        log = LogSettings(f"sqlite:///{place}/assessments.sqlite", place / "site.key")
    home = LogHome(log)
    assert verify(home.database, home.keys).findings == ()
    with sqlite3.connect(place / "assessments.sqlite") as connection:
        there = {id.hex() for (id,) in connection.execute("SELECT id FROM entry")}
    assert {id.replace("-", "") for id in load.kept} <= there
    print(f"{len(load.kept)} answers kept")
    return absences


def test_a_worker_killed_under_load_loses_nothing_and_is_replaced(
    evidence_store: Store, tmp_path: Path
) -> None:
    absences = absences_of_killed_workers(evidence_store.root, tmp_path, times=3)
    assert max(absences) < LONGEST_WAIT_SECONDS


def test_no_worker_outlives_a_supervisor_that_was_killed(
    evidence_store: Store, tmp_path: Path
) -> None:
    with served(evidence_store.root, tmp_path, {"CART_RISK_WORKERS": "2"}) as running:
        until_there_are(running, 2)
        orphans = [psutil.Process(pid) for pid in workers(running)]
        kept = running.assess(EXAMPLE_PATIENT).json()["assessment_id"]
        psutil.Process(running.process.pid).send_signal(signal.SIGKILL)
        _, left = psutil.wait_procs(orphans, timeout=LONGEST_WAIT_SECONDS)
        assert left == []
        with socket.socket() as port:
            host, _, number = running.url.removeprefix("http://").partition(":")
            port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            port.bind((host, int(number)))
    home = LogHome(LogSettings(f"sqlite:///{tmp_path}/assessments.sqlite", tmp_path / "site.key"))
    assert verify(home.database, home.keys).findings == ()
    with sqlite3.connect(tmp_path / "assessments.sqlite") as connection:
        (there,) = connection.execute("SELECT count(*) FROM entry WHERE id = ?", [UUID(kept).bytes])
    assert there == (1,)


def test_a_worker_whose_supervisor_is_gone_before_it_looks_ends_too() -> None:
    """Killed while its workers still load, a supervisor left one that nobody ever ended."""
    code = (
        "import asyncio; from serving.doors.supervision import end_with_supervisor; "
        "asyncio.run(end_with_supervisor())"
    )
    gone = {supervision._SUPERVISOR: str(2**22 + 1)}  # above all numbers of processes (proc(5))
    worker = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | gone, timeout=60, check=False
    )
    assert worker.returncode == -signal.SIGTERM


@pytest.mark.deep
def test_a_hundred_kills_lose_nothing_and_each_worker_is_soon_replaced(
    evidence_store: Store, tmp_path: Path
) -> None:
    absences = sorted(absences_of_killed_workers(evidence_store.root, tmp_path, times=100))
    print(f"a worker was back after {absences[50]:.2f} s (median)")
    # The median, and not every time: the machine that tests has more to do than to start workers.
    assert absences[50] < LONGEST_ABSENCE_SECONDS


def test_bentoml_still_looks_after_its_workers_every_ten_seconds() -> None:
    """With a release that looks more often, or takes a setting, ``supervision`` can go."""
    assert supervision._make([]).check_delay == 10
    watcher = SimpleNamespace(respawn=False, env=None)
    with suppress(AttributeError):  # no watcher of theirs
        supervision.supervisor([watcher])
    assert watcher.respawn
    assert supervision.supervisor([]).check_delay == supervision.LOOK_EVERY_SECONDS


def test_workers_are_looked_after_though_the_clock_is_set_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The loop of the supervisor calls whoever looks when its own clock says that it is time."""
    loop = supervision.supervisor([]).loop
    before = loop.time()
    monkeypatch.setattr("time.time", lambda: 0.0)
    assert loop.time() >= before
    # With a loop that does not go by the clock of the day it need not be given another.
    assert type(loop).time(loop) == 0.0
