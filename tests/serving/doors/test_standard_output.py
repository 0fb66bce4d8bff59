"""A reader that stops reading stops no worker, and hears what it missed."""

import contextlib
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from serving.api_keys import KeyFile, Scope
from serving.doors.standard_output import MOST_WAITING_BYTES, StandardOutput
from tests.conftest import Body, Store
from tests.running_service import free_port, own_settings, started

LINE = json.dumps({"number": 0, "filled": "ü" * 60}, ensure_ascii=False) + "\n"


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    for end in (reading, writing):
        with contextlib.suppress(OSError):  # the test has closed it
            os.close(end)


def everything(reading: int, out: StandardOutput) -> list[str]:
    """Return all that can be read while the writer goes on flushing."""
    os.set_blocking(reading, False)
    found = b""
    while True:
        out.flush()
        try:
            found += os.read(reading, 1 << 16)
        except BlockingIOError:
            return found.decode().splitlines()


def test_lines_come_whole_and_in_their_order(pipe: tuple[int, int]) -> None:
    out = StandardOutput(pipe[1])
    written = [LINE.replace("0", str(number)) for number in range(2_000)]
    for line in written:
        out.write(line)
        out.flush()
    assert [f"{line}\n" for line in everything(pipe[0], out)] == written


def test_a_reader_that_stops_is_not_waited_for_and_told_what_it_missed(
    pipe: tuple[int, int],
) -> None:
    out = StandardOutput(pipe[1])
    lines = 4 * MOST_WAITING_BYTES // len(LINE.encode())
    writer = threading.Thread(target=lambda: [(out.write(LINE), out.flush()) for _ in range(lines)])
    writer.daemon = True
    writer.start()
    writer.join(timeout=60)
    assert not writer.is_alive()
    kept = everything(pipe[0], out)
    assert {f"{line}\n" for line in kept} == {LINE}
    out.write(LINE)
    told, last = everything(pipe[0], out)
    assert f"{lines - len(kept)} lines are missing here" in json.loads(told)["message"]
    assert f"{last}\n" == LINE


def test_who_is_gone_is_not_waited_for_either(pipe: tuple[int, int]) -> None:
    out = StandardOutput(pipe[1])
    os.close(pipe[0])
    for _ in range(3):
        out.write(LINE)
        out.flush()


def test_a_longer_line_than_a_pipe_takes_at_once_arrives(pipe: tuple[int, int]) -> None:
    out = StandardOutput(pipe[1])
    out.write("x" * 10_000 + "\n")
    assert everything(pipe[0], out) == ["x" * 10_000]


def test_the_service_answers_although_nobody_reads_what_it_prints(
    evidence_store: Store, tmp_path: Path, patient: Body
) -> None:
    """Each answer prints some 250 bytes: after 64 KB every worker stood still for ever."""
    port, own = free_port(), own_settings(evidence_store.root, tmp_path)
    key = KeyFile(Path(own["CART_RISK_KEYS"])).add("test", list(Scope), days=1)
    serve = f"{sys.executable} -m bentoml serve serving.service:RiskService --port {port}"
    command = ["bash", "-c", f"{serve} > >(cat)"]
    url = f"http://127.0.0.1:{port}"
    with started(command, tmp_path, own, f"{url}/livez") as process:
        children = psutil.Process(process.pid).children(recursive=True)
        (reader,) = [child for child in children if child.name() == "cat"]
        reader.send_signal(signal.SIGSTOP)
        try:
            headers = {"authorization": f"Bearer {key}"}
            with httpx.Client(base_url=url, headers=headers, timeout=10) as client:
                for _ in range(600):
                    assert client.post("/v1/validate", json=patient).status_code == 200
        finally:
            reader.send_signal(signal.SIGCONT)
