"""``cart-risk columns``: what a cohort may hold."""

import csv
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from data_schemas.cohort_columns import CohortColumn, cohort_columns
from data_schemas.quantity_limits import Limits, in_digits
from data_schemas.refusal import Refused
from training.plain_refusals import said_plainly
from training.screen import screen

HEADER = (
    *("column", "what", "holds", "predictor", "unit", "lowest", "highest"),
    *("usual_lowest", "usual_highest", "words", "needed", "note"),
)

OutOption = Annotated[
    Path | None, typer.Option(help="A .csv file with a row for each column, instead of the screen.")
]


def columns_command(out: OutOption = None) -> None:
    """List every column that a cohort may have: unit, limits, and when it is needed."""
    if out is None:
        screen().print(_shown(cohort_columns()))
        return
    with said_plainly():
        if out.suffix != ".csv":
            raise Refused("the list of columns is written to a .csv file")
        with out.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([HEADER, *_rows(cohort_columns())])


def _rows(columns: Iterable[CohortColumn]) -> Iterator[tuple[str, ...]]:
    for c in columns:
        limits = (*_ends(c.limits), *_ends(c.usual))
        words = " | ".join(c.words)
        yield c.name, c.what, c.holds, c.predictor, c.unit, *limits, words, c.needed, c.note


def _ends(limits: Limits | None) -> tuple[str, str]:
    return ("", "") if limits is None else (in_digits(limits[0]), in_digits(limits[1]))


def _shown(columns: Iterable[CohortColumn]) -> Table:
    """Show a line for each column; what it is stands beside the first one of a predictor."""
    caption = (
        "Values beyond the limits are refused; many beyond the usual ones are noted. Needed to "
        "train: to evaluate and to recalibrate, too."
    )
    table = Table("column", "what it holds", "needed", caption=caption)
    table.columns[0].no_wrap = True  # a name that is cut cannot be copied
    for _, group in groupby(columns, key=lambda c: c.predictor or c.name):
        for place, c in enumerate(group):
            what = [c.what] if place == 0 else []
            table.add_row(c.name, "; ".join([*what, _held(c)]), c.needed)
    return table


def _held(c: CohortColumn) -> str:
    if c.words:
        return ", ".join(c.words)
    if c.limits is None:
        return c.holds
    usual = f", usually {' to '.join(_ends(c.usual))}" if c.usual else ""
    return f"{' to '.join(_ends(c.limits))} {c.unit}{usual}"
