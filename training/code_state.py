"""Which code ran: the commit of the checkout, and whether it was changed since."""

import subprocess
from pathlib import Path

from training.evaluation.estimate import Record


class CodeState(Record):
    """Which code ran; ``commit`` is None where it was not run from a git checkout."""

    commit: str | None
    uncommitted_changes: bool | None


def code_state() -> CodeState:
    """Return what git says of the code of this package; nothing is known outside a checkout."""
    commit = _git("rev-parse", "HEAD")
    if commit is None:
        return CodeState(commit=None, uncommitted_changes=None)
    return CodeState(commit=commit, uncommitted_changes=bool(_git("status", "--porcelain")))


def _git(*arguments: str) -> str | None:
    """Return what git says, None where there is no git or no checkout."""
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
        return None
    return done.stdout.strip() if done.returncode == 0 else None
