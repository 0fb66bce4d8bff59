"""Where the commands speak: what people wrote stands there as they wrote it."""

from rich.console import Console


def screen(*, stderr: bool = False) -> Console:
    """Return a console that takes no word for markup.

    Reasons, labels, sites and columns may hold square brackets and colons, of which rich would make
    styles and pictures, or nothing at all.
    """
    return Console(stderr=stderr, markup=False, emoji=False)
