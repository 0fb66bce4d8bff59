"""Everything public is explained, and no committed file speaks of where it was made."""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("data_schemas", "serving", "training")
MODULES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))

# Put together from pieces, so that this file does not hold what it looks for.
INDEX_HOSTS = [
    "".join(pieces)
    for pieces in (
        ("py", "pi.org"),
        ("py", "pi.python"),
        ("python", "hosted"),
        ("index", "-url"),
        ("ana", "conda.org"),
        ("npm", "js.org"),
        ("arti", "factory"),
        ("dev", "pi/"),
    )
]
WORKPLACE = ["".join(pieces) for pieces in (("/wo", "rk/"), ("shar", "ed/"))]
REAL_DATA_GATE = (".ci/run", "tests/data/")
"""The one place that says where the real data lie, and what is skipped without them."""


def undocumented(tree: ast.Module) -> list[str]:
    return [name for name, node in _public(tree, "") if ast.get_docstring(node) is None]


def _public(
    node: ast.Module | ast.ClassDef, prefix: str
) -> Iterator[tuple[str, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]]:
    if isinstance(node, ast.Module):
        yield "(module)", node
    for child in node.body:
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if child.name.startswith("_"):
                continue
            yield prefix + child.name, child
            if isinstance(child, ast.ClassDef):
                yield from _public(child, f"{prefix}{child.name}.")


def committed() -> list[Path]:
    """Every file that git holds or would take in."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def lines_with(words: list[str], path: Path, root: Path = ROOT) -> list[str]:
    """The lines of a text file that hold one of the words; a binary file has none."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except UnicodeDecodeError:
        return []
    return [
        f"{path.relative_to(root)}:{number}"
        for number, line in enumerate(lines, 1)
        if any(word in line.lower() for word in words)
    ]


@pytest.mark.parametrize("module", [pytest.param(m, id=str(m.relative_to(ROOT))) for m in MODULES])
def test_everything_public_is_explained(module: Path) -> None:
    assert undocumented(ast.parse(module.read_text("utf-8"))) == []


@pytest.mark.parametrize("room", ROOMS)
def test_every_folder_of_code_says_what_it_is_for(room: str) -> None:
    folders = {path.parent for path in MODULES if (ROOT / room) in path.parents}
    assert [folder.name for folder in folders if not (folder / "__init__.py").is_file()] == []


def test_what_is_not_explained_is_found() -> None:
    source = (
        '"""Module."""\n'
        "class Open:\n"
        "    async def door(self): ...\n"
        "    def _hidden(self): ...\n"
        "class _Hidden:\n"
        "    def inside(self): ...\n"
        "def act():\n"
        '    """Say so."""\n'
    )
    assert undocumented(ast.parse(source)) == ["Open", "Open.door"]
    assert undocumented(ast.parse("x = 1")) == ["(module)"]


def test_no_file_names_a_package_index() -> None:
    """Locks name packages by name, version and hash; where they come from is the installer's."""
    files = committed()
    assert ROOT / "requirements.lock" in files
    assert [line for path in files for line in lines_with(INDEX_HOSTS, path)] == []


def test_no_file_speaks_of_the_place_where_it_was_made() -> None:
    found = [line for path in committed() for line in lines_with(WORKPLACE, path)]
    assert [line for line in found if not line.startswith(REAL_DATA_GATE)] == []


def test_a_named_index_or_workplace_is_found(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text(f"fine\nfrom {INDEX_HOSTS[0].upper()}\nin ..{WORKPLACE[0]}main\n", "utf-8")
    assert lines_with(INDEX_HOSTS, file, tmp_path) == ["notes.txt:2"]
    assert lines_with(WORKPLACE, file, tmp_path) == ["notes.txt:3"]
    file.write_bytes(b"\xff\xfe" + INDEX_HOSTS[0].encode())
    assert lines_with(INDEX_HOSTS, file, tmp_path) == []


def is_text(path: Path) -> bool:
    try:
        path.read_text("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def test_what_is_kept_beside_text_are_the_figures_of_the_documentation() -> None:
    """A package or an archive that was downloaded beside the code is not to be taken in."""
    others = {path.relative_to(ROOT) for path in committed() if not is_text(path)}
    assert {path for path in others if (path.parts[0], path.suffix) != ("docs", ".png")} == set()
