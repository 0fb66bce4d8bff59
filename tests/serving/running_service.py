"""Runs the service as an operator does: another process, its own keys and log."""

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

import httpx
import psutil
import pytest

from serving.api_keys import KeyFile, Scope
from serving.assessment_log.site_key import write_new_key

ROOT = Path(__file__).parents[2]
LONGEST_START_SECONDS = 90.0
# The service closes a connection that was idle for 5 s: a client must be the first to leave it.
IDLE = httpx.Limits(keepalive_expiry=2)


@dataclass(frozen=True)
class Running:
    """A service that answers, its address and key, what it printed, and its first process."""

    client: httpx.Client
    output: Path
    url: str
    key: str
    pid: int

    def memory(self) -> int:
        """Return what all its processes hold, in bytes; what they share counts once."""
        first = psutil.Process(self.pid)
        return sum(p.memory_full_info().pss for p in (first, *first.children(recursive=True)))


@contextmanager
def served(
    store: Path, workplace: Path, settings: Mapping[str, str] | None = None
) -> Iterator[Running]:
    """Run the service on a free port; its whole process group ends with the block."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = str(found.getsockname()[1])
    key = KeyFile(workplace / "keys.json").add("test", list(Scope), days=1)
    write_new_key(workplace / "site.key")
    own = {
        "CART_RISK_MODELS": str(store),
        "CART_RISK_KEYS": str(workplace / "keys.json"),
        "CART_RISK_LOG_URL": f"sqlite:///{workplace}/assessments.sqlite",
        "CART_RISK_LOG_KEY_FILE": str(workplace / "site.key"),
        "BENTOML_HOME": str(workplace / "bentoml"),
        "BENTOML_DO_NOT_TRACK": "True",
        "PYTHONPATH": str(ROOT),
        **(settings or {}),
    }
    command = ["-m", "bentoml", "serve", "serving.service:RiskService", "--host", "127.0.0.1"]
    output = workplace / f"output-{port}.log"
    url = f"http://127.0.0.1:{port}"
    with output.open("wb") as written:
        process = subprocess.Popen(
            [sys.executable, *command, "--port", port],
            cwd=workplace,
            env=os.environ | own,
            stdout=written,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        headers = {"authorization": f"Bearer {key}"}
        try:
            with httpx.Client(base_url=url, timeout=30, headers=headers, limits=IDLE) as client:
                _wait(client, process, output)
                yield Running(client, output, url, key, process.pid)
        finally:
            _end(process)


def _wait(client: httpx.Client, process: subprocess.Popen[bytes], output: Path) -> None:
    until = time.monotonic() + LONGEST_START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            client.get("/livez").raise_for_status()
            return
        except httpx.HTTPError:
            time.sleep(0.2)
    pytest.fail(f"the service did not start:\n{output.read_text('utf-8')[-3000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    for ending in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, ending)
            process.wait(timeout=15)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
