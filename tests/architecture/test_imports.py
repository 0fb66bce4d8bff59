"""Imports only go down the stairs: training, serving, data_schemas. Nothing looks up."""

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("data_schemas", "serving", "training")
OUTSIDE = ("experiments", "tests")
DOORS = ("serving.doors", "serving.rest", "serving.service", "serving.doors.problem")
FORBIDDEN = {
    "data_schemas": ("serving", "training", *OUTSIDE),
    "serving": ("training", *OUTSIDE),
    "training": (*DOORS, *OUTSIDE),
}
CODE_FROM_DATA = ("pickle", "cPickle", "cloudpickle", "dill", "marshal", "shelve", "_pickle")
READERS_OF_PICKLES = ("joblib.load", "joblib.dump", "pandas.read_pickle", "torch.load")
NAMELESS = {"utils", "util", "common", "helpers", "helper", "manager", "misc", "base"}


def modules(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


EVERY_MODULE = pytest.mark.parametrize(
    ("room", "module"),
    [
        pytest.param(room, path, id=str(path.relative_to(ROOT)))
        for room in ROOMS
        for path in modules(room)
    ],
)


def imports(source: str) -> Iterator[str]:
    """Every name that is imported, wherever it stands; a relative one starts with a dot."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = "." * node.level + (node.module or "")
            yield from (f"{origin}.{alias.name}" for alias in node.names)


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def looks_up(room: str, source: str) -> list[str]:
    return [n for n in imports(source) if any(within(n, far) for far in FORBIDDEN[room])]


def dangerous(source: str) -> list[str]:
    """Ways of running code that a data file brings along."""
    found = [n for n in imports(source) if any(within(n, module) for module in CODE_FROM_DATA)]
    found += [name for name in imports(source) if name in READERS_OF_PICKLES]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            dotted = ast.unparse(node).replace("pd.", "pandas.")
            found += [dotted] if dotted in READERS_OF_PICKLES else []
            found += [dotted] if node.attr in {"to_pickle", "read_pickle"} else []
        elif isinstance(node, ast.keyword) and node.arg == "allow_pickle":
            found += [] if ast.unparse(node.value) == "False" else ["allow_pickle"]
        elif isinstance(node, ast.Name) and node.id in {"eval", "exec", "__import__"}:
            found.append(node.id)
    return found


@EVERY_MODULE
def test_nothing_looks_up(room: str, module: Path) -> None:
    assert looks_up(room, module.read_text("utf-8")) == []


@EVERY_MODULE
def test_imports_are_absolute(room: str, module: Path) -> None:
    assert [n for n in imports(module.read_text("utf-8")) if n.startswith(".")] == []


@EVERY_MODULE
def test_no_data_file_can_bring_code(room: str, module: Path) -> None:
    assert dangerous(module.read_text("utf-8")) == []


@EVERY_MODULE
def test_a_module_is_named_for_what_it_does(room: str, module: Path) -> None:
    assert not {module.stem, *module.relative_to(ROOT).parts} & NAMELESS


def test_no_module_name_stands_in_two_rooms() -> None:
    names = {room: {path.stem for path in modules(room)} - {"__init__"} for room in ROOMS}
    assert all(names.values())
    assert not names["data_schemas"] & names["serving"]
    assert not names["serving"] & names["training"]
    assert not names["training"] & names["data_schemas"]


@pytest.mark.parametrize(
    ("room", "planted"),
    [
        ("data_schemas", "import serving"),
        ("data_schemas", "from training.cohort import Cohort"),
        ("serving", "def late():\n    import training.learning.learner as x"),
        ("serving", "from training import learner"),
        ("training", "from serving import rest"),
        ("training", "from serving.service import RiskService"),
        ("training", "import serving.doors.problem"),
        ("training", "from serving.doors import gate"),
        ("training", "import tests"),
    ],
)
def test_a_planted_look_upwards_is_seen(room: str, planted: str) -> None:
    assert len(looks_up(room, planted)) == 1


def test_looking_down_is_allowed() -> None:
    assert looks_up("serving", "import data_schemas.units") == []
    assert (
        looks_up("training", "from serving.model.risk_model import RiskModel\nimport trainings")
        == []
    )


@pytest.mark.parametrize(
    "planted",
    [
        "import pickle",
        "from pickle import loads",
        "import joblib\njoblib.load(path)",
        "from joblib import load",
        "numpy.load(path, allow_pickle=True)",
        "np.load(path, allow_pickle=yes)",
        "pd.read_pickle(path)",
        "frame.to_pickle(path)",
        "eval(text)",
    ],
)
def test_a_planted_pickle_is_seen(planted: str) -> None:
    assert dangerous(planted) != []


def test_harmless_loading_is_allowed() -> None:
    assert dangerous("import joblib\njoblib.Parallel(2)\nnp.load(p, allow_pickle=False)") == []


def test_without_training_and_experiments_the_service_still_opens(tmp_path: Path) -> None:
    """Only the two lower rooms are copied, and any import of training is made to fail."""
    for room in ("data_schemas", "serving"):
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "models").mkdir()
    code = (
        "import os, sys, pathlib\n"
        "sys.modules['training'] = sys.modules['experiments'] = None\n"
        "import serving.rest, serving.settings, serving.ward, data_schemas.cohort_table\n"
        "here = pathlib.Path.cwd()\n"
        "assert here in pathlib.Path(serving.rest.__file__).parents\n"
        "assert here in pathlib.Path(data_schemas.cohort_table.__file__).parents\n"
        "ward = serving.ward.Ward.open(serving.settings.Settings.from_environment().store)\n"
        "print(ward.ready, ward.refusal)\n"
    )
    environment = os.environ | {"CART_RISK_MODELS": str(tmp_path / "models")}
    environment.pop("PYTHONPATH", None)
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("False no model is in service")
