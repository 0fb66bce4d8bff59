"""Whose account runs the command, as the ledger and the run say it."""

import getpass
import os


def account() -> str:
    """Return the name of the account; in a container it may have none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
