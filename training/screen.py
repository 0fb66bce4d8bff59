"""Where the commands speak: what people wrote stands there as they wrote it."""

import csv
import sys
from collections.abc import Collection, Iterable, Sequence

from rich.console import Console
from rich.table import Table


def screen(*, stderr: bool = False) -> Console:
    """Return a console that takes no word for markup.

    Reasons, labels, sites and columns may hold square brackets and colons, of which rich would make
    styles and pictures, or nothing at all.
    """
    return Console(stderr=stderr, markup=False, emoji=False)


def show_rows(
    header: Sequence[str], rows: Iterable[Sequence[str]], whole: Collection[str], title: str = ""
) -> None:
    """Show rows as a table on a terminal; to a file or a program as CSV, which no width folds.

    Parameters
    ----------
    whole
        The columns that are copied from a terminal, and therefore never broken.
    """
    console = screen()
    if not console.is_terminal:
        csv.writer(sys.stdout, lineterminator="\n").writerows([header, *rows])
        return
    table = Table(*header, title=title or None)
    for row in rows:
        table.add_row(*row)
    for column in table.columns:
        column.overflow = "fold"  # a name that is cut cannot be told from another
        column.no_wrap = column.header in whole
    console.print(table)
