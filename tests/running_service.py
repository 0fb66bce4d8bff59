"""Runs a service as an operator does: another process, its own keys and log."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from serving.api_keys import KeyFile, Scope
from serving.assessment_log.site_key import write_new_key

ROOT = Path(__file__).parents[1]
LONGEST_START_SECONDS = 90.0
# The service closes a connection that was idle for 5 s: a client must be the first to leave it.
IDLE = httpx.Limits(keepalive_expiry=2)
_OWN_SETTINGS = ("CART_RISK_", "MLFLOW_")
"""What whoever runs this has set for themselves; it must not reach what is run here."""


class NotStarted(Exception):
    """A process that ended, or did not answer in time, with the end of what it printed."""


@dataclass(frozen=True)
class Process:
    """A process that answers, and the file that holds all it printed."""

    pid: int
    output: Path
    url: str
    seconds: float
    """From its start to its first answer."""


@dataclass(frozen=True)
class Running:
    """The service while it answers, its address and key, and what it printed."""

    client: httpx.Client
    process: Process
    key: str

    @property
    def output(self) -> Path:
        return self.process.output

    @property
    def url(self) -> str:
        return self.process.url

    def memory(self) -> int:
        """Return what all its processes hold, in bytes; what they share counts once."""
        first = psutil.Process(self.process.pid)
        return sum(p.memory_full_info().pss for p in (first, *first.children(recursive=True)))

    def assess(self, patient: Mapping[str, Any]) -> httpx.Response:
        __tracebackhide__ = True  # a failure must not show the patient
        return self.client.post("/v1/assess", json=patient)


@contextmanager
def served(
    store: Path, workplace: Path, settings: Mapping[str, str] | None = None, answers: str = "/livez"
) -> Iterator[Running]:
    """Run the service on a free port until the block ends.

    Keys and log lie in the workplace; several services may follow each other there.

    Parameters
    ----------
    answers
        The path that must be answered with 200 before the block begins.
    """
    port = free_port()
    own = own_settings(store, workplace)
    key = KeyFile(Path(own["CART_RISK_KEYS"])).add("test", list(Scope), days=1)
    command = ["-m", "bentoml", "serve", "serving.service:RiskService", "--host", "127.0.0.1"]
    with (
        started(
            [sys.executable, *command, "--port", str(port)],
            workplace,
            own | dict(settings or {}),
            f"http://127.0.0.1:{port}{answers}",
        ) as process,
        httpx.Client(
            base_url=process.url,
            timeout=30,
            headers={"authorization": f"Bearer {key}"},
            limits=IDLE,
        ) as client,
    ):
        yield Running(client, process, key)


def own_settings(store: Path, workplace: Path) -> dict[str, str]:
    """Return the environment of a service whose keys and log lie in a workplace."""
    site_key = workplace / "site.key"
    if not site_key.exists():
        write_new_key(site_key)
    return {
        "CART_RISK_MODELS": str(store),
        "CART_RISK_KEYS": str(workplace / "keys.json"),
        "CART_RISK_LOG_URL": f"sqlite:///{workplace}/assessments.sqlite",
        "CART_RISK_LOG_KEY_FILE": str(site_key),
        "PYTHONPATH": str(ROOT),
    }


@contextmanager
def started(
    command: list[str], workplace: Path, settings: Mapping[str, str], answers: str
) -> Iterator[Process]:
    """Run a command until the block ends, and with it the whole group of its processes.

    Raises
    ------
    NotStarted
        If the address ``answers`` is not answered with 200 within 90 seconds.
    """
    url, _, path = answers.removeprefix("http://").partition("/")
    output = workplace / f"output-{url.rpartition(':')[2]}.log"
    with output.open("wb") as written:
        begun = time.monotonic()
        process = subprocess.Popen(
            command,
            cwd=workplace,
            env=clean_environment(workplace) | dict(settings),
            stdout=written,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            _wait(f"http://{url}/{path}", process, output)
            seconds = time.monotonic() - begun
            yield Process(process.pid, output, f"http://{url}", seconds)
        finally:
            _end(process)


def clean_environment(workplace: Path) -> dict[str, str]:
    """Return this environment without its own stores; everything is kept under the workplace."""
    own = {k: v for k, v in os.environ.items() if not k.startswith(_OWN_SETTINGS)}
    return own | {
        "BENTOML_HOME": str(workplace / "bentoml"),
        "BENTOML_DO_NOT_TRACK": "True",
        "COLUMNS": "200",
    }


def free_port() -> int:
    """Return a port on which nobody listens now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _wait(address: str, process: subprocess.Popen[bytes], output: Path) -> None:
    until = time.monotonic() + LONGEST_START_SECONDS
    with httpx.Client(timeout=30) as client:
        while time.monotonic() < until and process.poll() is None:
            try:
                if client.get(address).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)
    raise NotStarted(f"the service did not start:\n{output.read_text('utf-8')[-3000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    for ending in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, ending)
            process.wait(timeout=15)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
