"""What the command line says when it refuses."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.text import Text

from data_schemas.refusal import Refused
from training.screen import screen

_screen = screen(stderr=True)


@contextmanager
def said_plainly() -> Iterator[None]:
    """Turn a refusal into its message and exit status 1; everything else keeps its traceback."""
    try:
        yield
    except (Refused, OSError) as refusal:
        kind = type(refusal).__name__
        reason = str(refusal)
        if isinstance(refusal, OSError):
            reason = f"{refusal.strerror or kind}: {refusal.filename or 'no file named'}"
        _screen.print(Text.assemble((kind, "bold"), f": {reason}"), soft_wrap=True)
        raise typer.Exit(1) from None
