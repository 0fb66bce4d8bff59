"""What every acceptance test needs: the command line, the running service, the real data."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving.api_keys import KeyFile, Scope
from serving.assessment_log.site_key import write_new_key

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
REAL_DATA = "CART_RISK_REAL_DATA"
_LONGEST_START_SECONDS = 90.0
# The service closes a connection that was idle for 5 s: a client must be the first to leave it.
IDLE = httpx.Limits(keepalive_expiry=2)

Command = Callable[..., str]


@dataclass(frozen=True)
class Running:
    """A service that answers, and the file that it writes its output to."""

    client: httpx.Client
    output: Path

    def assess(self, patient: Mapping[str, Any]) -> httpx.Response:
        __tracebackhide__ = True  # a failure must not show the patient
        return self.client.post("/v1/assess", json=patient)


@pytest.fixture(scope="session")
def experiments() -> Path:
    return EXPERIMENTS


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("workplace")


@pytest.fixture(scope="module")
def cart_risk(workplace: Path) -> Command:
    """Run `cart-risk ...` as a centre would: another process, another working directory."""

    def run(*arguments: object, status: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "training", *map(str, arguments)],
            cwd=workplace,
            env=_environment(workplace),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        said = done.stdout + done.stderr
        assert done.returncode == status, f"cart-risk {arguments[0]} said:\n{said[-3000:]}"
        return said

    return run


@pytest.fixture(scope="module")
def quick_experiments(workplace: Path) -> Path:
    """Return copies of the shipped experiments that are judged on few simulated centres."""
    copies = workplace / "experiments"
    copies.mkdir()
    shorter = (
        ("folds = 5", "folds = 2"),
        ("repeats = 5", "repeats = 1"),
        ("bootstrap_refits = 200", "bootstrap_refits = 5"),
        ("simulated_centres = 20", "simulated_centres = 2"),
        ("simulated_patients = 400", "simulated_patients = 100"),
    )
    for name in ("severe_crs.toml", "severe_icans.toml"):
        text = (EXPERIMENTS / name).read_text("utf-8")
        for shipped, short in shorter:
            assert shipped in text
            text = text.replace(shipped, short)
        (copies / name).write_text(text, "utf-8")
    return copies


@pytest.fixture(scope="module")
def serving(workplace: Path) -> Callable[[Path], AbstractContextManager[Running]]:
    """Start the service on a free port for the models of a store; end its whole process group."""

    @contextmanager
    def serve(store: Path) -> Iterator[Running]:
        port = _free_port()
        output = workplace / f"service-{port}.log"
        keys = workplace / "keys.json"
        key = KeyFile(keys).add("acceptance", list(Scope), days=1)
        site_key = workplace / "site.key"
        if not site_key.exists():
            write_new_key(site_key)
        own = {
            "CART_RISK_MODELS": str(store),
            "CART_RISK_KEYS": str(keys),
            "CART_RISK_LOG_URL": f"sqlite:///{workplace}/assessments.sqlite",
            "CART_RISK_LOG_KEY_FILE": str(site_key),
        }
        headers = {"authorization": f"Bearer {key}"}
        command = [sys.executable, "-m", "bentoml", "serve", "serving.service:RiskService"]
        with output.open("wb") as written:
            process = subprocess.Popen(
                [*command, "--host", "127.0.0.1", "--port", str(port)],
                cwd=workplace,
                env=_environment(workplace) | own,
                stdout=written,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
            try:
                url = f"http://127.0.0.1:{port}"
                with httpx.Client(base_url=url, timeout=30, headers=headers, limits=IDLE) as client:
                    _wait_until_ready(client, process, output)
                    yield Running(client, output)
            finally:
                _end_group(process)

    return serve


@pytest.fixture(scope="session")
def real_data(request: pytest.FixtureRequest) -> Path:
    """Return the directory of the real cohorts, which lies outside the repository."""
    given = os.environ.get(REAL_DATA)
    if not given:
        pytest.skip(f"{REAL_DATA} does not name the directory of the real cohorts")
    if request.config.getoption("showlocals"):
        pytest.skip("--showlocals would print real patients")
    return Path(given)


@pytest.fixture(scope="module")
def private() -> Iterator[Path]:
    """Return a directory for files about real patients; it is gone when the tests are."""
    with tempfile.TemporaryDirectory() as directory:
        yield Path(directory)


def _environment(workplace: Path) -> dict[str, str]:
    """Return this environment without its own stores; everything is kept under the workplace."""
    own = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "CART_RISK_"))}
    return own | {
        "CART_RISK_MODELS": str(workplace / "models" / "in_service"),
        "BENTOML_HOME": str(workplace / "bentoml"),
        "BENTOML_DO_NOT_TRACK": "True",
        "COLUMNS": "200",
    }


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _wait_until_ready(client: httpx.Client, process: subprocess.Popen[bytes], output: Path) -> None:
    until = time.monotonic() + _LONGEST_START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            if client.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    pytest.fail(f"the service did not become ready:\n{output.read_text('utf-8')[-3000:]}")


def _end_group(process: subprocess.Popen[bytes]) -> None:
    for ending in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, ending)
            process.wait(timeout=15)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
