"""What a run ran in: Python, packages, the lock, the code. No name of a machine."""

import platform
import sys
from collections.abc import Mapping
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from serving.model.artefact import sha256
from training.code_state import code_state

_LOCK = Path(__file__).parents[2] / "requirements.lock"
NOT_KNOWN = "not in a git checkout"


def environment() -> dict[str, Any]:
    """Return the environment as plain data."""
    code = code_state()
    return {
        "python": platform.python_version(),
        "platform": f"{sys.platform} {platform.machine()}",
        "packages": dict(sorted({d.metadata["Name"]: d.version for d in distributions()}.items())),
        "requirements_lock_sha256": sha256(_LOCK.read_bytes()) if _LOCK.is_file() else NOT_KNOWN,
        "git_commit": code.commit or NOT_KNOWN,
        "git_dirty": bool(code.uncommitted_changes),
    }


def environment_tags(found: Mapping[str, Any]) -> dict[str, str]:
    """Return what of an environment one searches runs by."""
    tags = {name: str(found[name]) for name in ("python", "git_commit", "requirements_lock_sha256")}
    tags["git_dirty"] = str(found["git_dirty"]).lower()
    if found["git_commit"] != NOT_KNOWN:
        tags["mlflow.source.git.commit"] = found["git_commit"]
    return tags
