"""What wrk and its script print becomes a load, or a failure."""

import json
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import wrk
from wrk import LoadFailed, expect_wrk, loaded, told

SAID = {
    **{"answers": 30_000, "microseconds": 10_000_000, "p50": 400, "p99": 1250, "longest": 9000},
    **{"refused": 0, "broken": 0, "too_late": 0},
}
BEFORE = "Running 10s test @ http://127.0.0.1:3000\n  1 threads and 16 connections\n"
needs_wrk = pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")


def test_a_result_is_read_in_seconds_and_milliseconds() -> None:
    load = told(BEFORE + json.dumps(SAID) + "\n", processor_seconds=1.5)
    assert (load.rate, load.p50, load.p99, load.longest) == (3000, 0.4, 1.25, 9)
    assert load.processor_seconds == 1.5


@pytest.mark.parametrize("failure", ["refused", "broken", "too_late"])
def test_one_request_without_an_answer_fails_the_load(failure: str) -> None:
    with pytest.raises(LoadFailed, match=failure):
        told(BEFORE + json.dumps(SAID | {failure: 1}), 0)


@pytest.mark.parametrize("output", ["", BEFORE, json.dumps(SAID | {"answers": 0})])
def test_no_result_fails_the_load(output: str) -> None:
    with pytest.raises(LoadFailed):
        told(output, 0)


def test_without_wrk_it_is_said_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wrk.shutil, "which", lambda name: None)
    with pytest.raises(SystemExit, match="apt-get install wrk"):
        expect_wrk()


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    """Remembers bodies and keys; refuses the body ``refused``."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:  # named by the library
            body = self.rfile.read(int(self.headers["content-length"]))
            seen.append((body, self.headers["authorization"]))
            self.send_response(503 if body == b"refused" else 200)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, format: str, *args: object) -> None:
            """Stay silent."""

    seen: list[tuple[bytes, str]] = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.seen = seen  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@needs_wrk
def test_every_body_is_sent_in_turn_with_the_key(
    server: ThreadingHTTPServer, tmp_path: Path
) -> None:
    bodies = [b'{"a": 1}', b'{"b": 2}', b'{"c": 3}']
    (tmp_path / "bodies").write_bytes(b"\n".join(bodies) + b"\n")
    address = f"http://127.0.0.1:{server.server_port}/v1/assess"
    load = loaded(address, tmp_path / "bodies", "secret", 1, 1)
    sent, keys = zip(*server.seen, strict=True)  # type: ignore[attr-defined]
    assert set(keys) == {"Bearer secret"}
    first = bodies.index(sent[0])  # wrk itself looks at the first request beforehand
    assert list(sent[:6]) == [bodies[(first + i) % 3] for i in range(6)]
    assert 0 < load.answers <= len(sent)
    assert 0 < load.p50 <= load.p99 <= load.longest


@needs_wrk
def test_a_refusal_fails_the_load(server: ThreadingHTTPServer, tmp_path: Path) -> None:
    (tmp_path / "bodies").write_bytes(b"fine\nrefused\n")
    address = f"http://127.0.0.1:{server.server_port}/"
    with pytest.raises(LoadFailed, match="refused"):
        loaded(address, tmp_path / "bodies", "secret", 1, 1)
