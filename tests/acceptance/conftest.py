"""What every acceptance test needs: the command line, the running service, the real data."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import pytest

from tests.running_service import Running, clean_environment, served

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
REAL_DATA = "CART_RISK_REAL_DATA"

Command = Callable[..., str]


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
    """Run the service for the models of a store, in the workplace of the commands."""
    return partial(served, workplace=workplace)


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
    return clean_environment(workplace) | {
        "CART_RISK_MODELS": str(workplace / "models" / "in_service")
    }
