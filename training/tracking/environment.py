"""What a run ran in: Python, packages, the lock, the code. No name of a machine."""

import platform
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from serving.artefact import sha256

_LOCK = Path(__file__).parents[2] / "requirements.lock"
NOT_KNOWN = "not in a git checkout"


def environment() -> dict[str, Any]:
    """Return the environment as plain data."""
    return {
        "python": platform.python_version(),
        "platform": f"{sys.platform} {platform.machine()}",
        "packages": dict(sorted({d.metadata["Name"]: d.version for d in distributions()}.items())),
        "requirements_lock_sha256": sha256(_LOCK.read_bytes()) if _LOCK.is_file() else NOT_KNOWN,
        "git_commit": _git("rev-parse", "HEAD") or NOT_KNOWN,
        "git_dirty": bool(_git("status", "--porcelain")),
    }


def environment_tags(found: Mapping[str, Any]) -> dict[str, str]:
    """Return what of an environment one searches runs by."""
    tags = {name: str(found[name]) for name in ("python", "git_commit", "requirements_lock_sha256")}
    tags["git_dirty"] = str(found["git_dirty"]).lower()
    if found["git_commit"] != NOT_KNOWN:
        tags["mlflow.source.git.commit"] = found["git_commit"]
    return tags


def _git(*arguments: str) -> str:
    """Return what git says of the code that trained, nothing where there is no checkout."""
    here = Path(__file__).parent
    try:
        done = subprocess.run(  # noqa: S603  # fixed arguments
            ["git", "-C", str(here), *arguments],  # noqa: S607  # the user's own git
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except FileNotFoundError:
        return ""
    return done.stdout.strip()
