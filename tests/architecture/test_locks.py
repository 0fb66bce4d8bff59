"""The locks hold what pyproject asks for, by hash, and name no host."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
GROUPS = PROJECT["dependency-groups"]
ROOMS = ("data_schemas", "serving", "training")


def names(requirements: list[object]) -> set[str]:
    """Return the names of requirements; an included group is an inline table and is left out."""
    return {
        re.split(r"[<>=!~;\[ ]", requirement, maxsplit=1)[0].lower()
        for requirement in requirements
        if isinstance(requirement, str)
    }


def imported(*folders: str) -> set[str]:
    """Return the packages of others that are imported by name, as their modules are called."""
    found: set[str] = set()
    for path in (path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.split(".")[0])
    return found & packages_distributions().keys() - sys.stdlib_module_names - set(ROOMS)


def locked(file: str) -> dict[str, str]:
    """Return the locked packages with everything that stands after their name."""
    text = (ROOT / file).read_text("utf-8").replace("\\\n", " ")
    return dict(re.findall(r"^([A-Za-z0-9_.-]+)==(.*)$", text, flags=re.M))


@pytest.mark.parametrize(
    ("file", "wanted"),
    [
        ("requirements.lock", names(PROJECT["project"]["dependencies"])),
        ("requirements.lock", names(GROUPS["install"])),
        ("requirements-dev.lock", names(PROJECT["project"]["dependencies"])),
        ("requirements-dev.lock", names(GROUPS["dev"])),
        ("requirements-bench.lock", names(GROUPS["bench"])),
        ("requirements-uv.lock", {"uv"}),
    ],
)
def test_every_direct_dependency_is_locked_by_hash(file: str, wanted: set[str]) -> None:
    packages = {name.lower(): rest for name, rest in locked(file).items()}
    assert wanted <= set(packages)
    assert all("--hash=sha256:" in rest for rest in packages.values())


@pytest.mark.parametrize("requirement", PROJECT["project"]["dependencies"])
def test_every_dependency_has_a_floor(requirement: str) -> None:
    assert ">=" in requirement


def test_both_locks_pin_the_same_versions() -> None:
    runtime, dev = locked("requirements.lock"), locked("requirements-dev.lock")
    version = re.compile(r"^\S+")
    assert {n: version.match(r)[0] for n, r in runtime.items()} == {
        n: version.match(dev[n])[0] for n in runtime
    }


@pytest.mark.parametrize(
    ("folders", "wanted"),
    [
        (ROOMS, names(PROJECT["project"]["dependencies"])),
        (
            ("tests",),
            set().union(*map(names, (PROJECT["project"]["dependencies"], *GROUPS.values()))),
        ),
    ],
)
def test_whatever_is_imported_is_asked_for_by_name(
    folders: tuple[str, ...], wanted: set[str]
) -> None:
    """Else the day that another package does without it is the day that it is gone."""
    providers = packages_distributions()
    unasked = {
        module
        for module in imported(*folders)
        if wanted.isdisjoint(re.sub("[-_.]+", "-", name.lower()) for name in providers[module])
    }
    assert unasked == set()
