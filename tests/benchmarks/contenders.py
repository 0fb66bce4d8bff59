"""The services of the benchmark, each as an operator would start it."""

import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agreement import (
    Answer,
    same_answer,
    same_brief_numbers,
    same_numbers,
    same_predictions,
    same_values,
)

from data_schemas.predictors import PREDICTORS, Category
from serving.api_keys import KeyFile, Scope
from tests.running_service import ROOT, Process, free_port, own_settings, served, started

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
ONE_THREAD = {"OMP_NUM_THREADS": "1"}
"""For every service alike: more threads than cores make each of them slower."""
NO_KEY = "none"
"""Sent to those that ask for none: every request has the same headers."""


@dataclass(frozen=True)
class Asked:
    """A service that answers, where it is asked, and the key to ask with."""

    process: Process
    address: str
    key: str


Start = Callable[[Path], AbstractContextManager[Asked]]


@dataclass(frozen=True)
class Contender:
    """A service of the benchmark.

    ``start`` runs it in a workplace; ``agrees`` compares its answer with ours; ``form`` is that of
    its requests.
    """

    name: str
    start: Start
    agrees: Callable[[Answer, Answer], bool]
    form: str = "request"


def contenders(store: Path, mlflow_model: Path) -> list[Contender]:
    """Return every service for the models of a store, in the order of their turns."""
    return [
        Contender("ours", ours(store), same_answer),
        Contender("brief", ours(store, path="/v1/assess/brief"), same_brief_numbers),
        Contender("fastapi", lambda place: _fastapi(store, place), same_answer),
        Contender("bentoml", lambda place: _bentoml(store, place), same_numbers, "wrapped"),
        Contender("mlflow", lambda place: _mlflow(mlflow_model, place), same_predictions, "record"),
        Contender("ours_two_workers", ours(store, workers=2), same_answer),
        Contender("validate", ours(store, path="/v1/validate"), same_values),
    ]


def ours(store: Path, workers: int = 1, path: str = "/v1/assess") -> Start:
    """Return how the real service is started: keys, log, metrics, request log, all on."""

    @contextmanager
    def start(workplace: Path) -> Iterator[Asked]:
        settings = ONE_THREAD | {"CART_RISK_WORKERS": str(workers)}
        with served(store, workplace, settings, answers="/readyz") as running:
            yield Asked(running.process, running.url + path, running.key)

    return start


@contextmanager
def _fastapi(store: Path, workplace: Path) -> Iterator[Asked]:
    settings = own_settings(store, workplace)
    key = KeyFile(Path(settings["CART_RISK_KEYS"])).add("benchmark", list(Scope), days=1)
    fast = ("--loop", "uvloop", "--http", "httptools", "--no-access-log")
    command = ["uvicorn", "peer_fastapi:app", *fast]
    with _peer(command, workplace, settings, "/readyz") as process:
        yield Asked(process, f"{process.url}/v1/assess", key)


@contextmanager
def _bentoml(store: Path, workplace: Path) -> Iterator[Asked]:
    command = ["bentoml", "serve", "peer_bentoml:Risk"]
    with _peer(command, workplace, {"CART_RISK_MODELS": str(store)}, "/readyz") as process:
        yield Asked(process, f"{process.url}/assess", NO_KEY)


@contextmanager
def _mlflow(model: Path, workplace: Path) -> Iterator[Asked]:
    command = ["mlflow", "models", "serve", "--model-uri", str(model), "--env-manager", "local"]
    settings = {"MLFLOW_DISABLE_TELEMETRY": "true"}
    with _peer(command, workplace, settings, "/ping") as process:
        yield Asked(process, f"{process.url}/invocations", NO_KEY)


def _peer(
    command: list[str], workplace: Path, settings: dict[str, str], answers: str
) -> AbstractContextManager[Process]:
    """Run a peer with one worker, on a free port, as a program of this environment."""
    port = free_port()
    program, *arguments = command
    place = ["--host", "127.0.0.1", "--port", str(port)]
    own = {
        "PATH": os.pathsep.join([str(BIN), os.environ["PATH"]]),
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(HERE)]),
    }
    return started(
        [str(BIN / program), *arguments, *place],
        workplace,
        ONE_THREAD | settings | own,
        f"http://127.0.0.1:{port}{answers}",
    )


def save_mlflow_model(store: Path, folder: Path) -> None:
    """Save the library path as an MLflow model, with a signature of every predictor."""
    with warnings.catch_warnings():
        # On import MLflow warns of type hints of its own.
        warnings.filterwarnings("ignore", ".*Any type hint is inferred as AnyType", UserWarning)
        from mlflow.models import ModelSignature
        from mlflow.pyfunc import save_model
        from mlflow.types import ColSpec, Schema

        inputs: list[Any] = [
            ColSpec("string" if isinstance(declared, Category) else "double", name, required=False)
            for name, declared in PREDICTORS.items()
        ]
        save_model(
            folder,
            python_model=str(HERE / "peer_mlflow.py"),
            artifacts={"models": str(store)},
            signature=ModelSignature(Schema(inputs)),
            pip_requirements=[],
        )
