"""Which code ran: the commit of the checkout, and whether it was changed since."""

import subprocess
from pathlib import Path

from training.evaluation.estimate import Record

_ROOT = Path(__file__).parents[1]


class CodeState(Record):
    """Which code ran; ``commit`` is None where it was not run from a checkout of this project."""

    commit: str | None
    uncommitted_changes: bool | None


def code_state() -> CodeState:
    """Return what git says of the code of this package; nothing is known outside a checkout."""
    if _git("rev-parse", "--show-prefix") == "":  # else it is the checkout of something else
        commit, changes = _git("rev-parse", "HEAD"), _git("status", "--porcelain")
        if commit is not None and changes is not None:
            return CodeState(commit=commit, uncommitted_changes=bool(changes))
    return CodeState(commit=None, uncommitted_changes=None)


def _git(*arguments: str) -> str | None:
    """Return what git says, None where it says nothing in time, or there is no git or checkout."""
    try:
        done = subprocess.run(  # noqa: S603  # fixed arguments
            ["git", "-C", str(_ROOT), *arguments],  # noqa: S607  # the user's own git
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
