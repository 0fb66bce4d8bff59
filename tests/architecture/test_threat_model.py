"""Every line of the threat model names a test, and that test exists."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINES = [
    line
    for line in (ROOT / "docs/threat-model.md").read_text("utf-8").splitlines()
    if line.startswith("| ") and not line.startswith("| threat")
]


def named_tests(line: str) -> list[str]:
    return re.findall(r"`(tests/[\w/]+\.py(?:::\w+)?)`", line)


def exists(named: str) -> bool:
    file, _, function = named.partition("::")
    path = ROOT / file
    if not path.is_file():
        return False
    functions = {
        node.name
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef)
    }
    return not function or function in functions


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.split("|")[1].strip())
def test_a_threat_has_a_test(line: str) -> None:
    named = named_tests(line)
    assert named
    assert [one for one in named if not exists(one)] == []


def test_a_missing_test_would_be_noticed() -> None:
    assert len(LINES) > 20
    assert not exists("tests/architecture/test_threat_model.py::test_nothing")
    assert not exists("tests/nowhere.py")
