"""Measures group by group, with intervals; pooled means with the interval of a new group."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from training.evaluation.estimate import Estimate
from training.evaluation.record import AcrossGroups, Cell, Pooled, Subgroups
from training.report.figures.style import LINE, MODEL, OTHER, PLAIN, QUIET, TEXT, sheet
from training.report.labels import said

MEASURES = ("auroc", "calibration_slope", "observed_over_expected")
_AXES = {
    "auroc": ("AUROC", 0.5, (0.3, 1.0), (0.4, 0.6, 0.8, 1.0)),
    "calibration_slope": ("calibration slope", 1.0, (-0.5, 3.0), (0, 1, 2, 3)),
    "observed_over_expected": ("observed / expected", 1.0, (0.25, 4.0), (0.25, 0.5, 1, 2, 4)),
}
"""Label, the value to look for (0.5 is chance), the widest range that is drawn, and its ticks."""
_ROW, _FRAME = 0.21, 1.15
MOST_ROWS = 40
"""On one sheet of A4."""


@dataclass(frozen=True)
class Row:
    """One line of a forest; a heading has no cell and no pooled mean."""

    label: str
    cell: Cell | None = None
    pooled: AcrossGroups | None = None


def of_across(found: AcrossGroups) -> list[Row]:
    """Return the groups that were left out, the pooled mean, and where a new group would lie."""
    rows = [Row(_named(cell), cell) for cell in found.cells]
    return rows if found.auroc is None else [*rows, Row("pooled", pooled=found)]


def of_subgroups(found: Sequence[Subgroups]) -> list[Row]:
    """Return every group under what it is a group of."""
    rows = []
    for kind in found:
        rows.append(Row(kind.by))
        rows += [Row(f"   {_named(cell)}", cell) for cell in kind.cells]
    return rows


def sheets(rows: list[Row]) -> list[list[Row]]:
    """Return the rows that stand on one sheet of paper each."""
    return [rows[i : i + MOST_ROWS] for i in range(0, len(rows), MOST_ROWS)]


def _named(cell: Cell) -> str:
    events = "few" if cell.events is None else str(cell.events)
    return f"{said(cell.group)} ({cell.patients}; {events})"


def forest(rows: list[Row], title: str, mark: str | None) -> Figure:
    """Draw three measures of each row."""
    figure = sheet(7.2, _FRAME + _ROW * len(rows), title, mark)
    panels = figure.subplots(1, len(MEASURES), sharey=True, width_ratios=(1, 1, 1))
    for axes, measure in zip(panels, MEASURES, strict=True):
        _panel(axes, rows, measure)
    places = range(len(rows))
    panels[0].set_yticks(places, [row.label for row in rows], ha="left")
    panels[0].set_ylim(len(rows) - 0.4, -0.6)
    panels[0].tick_params("y", pad=_pad(rows))
    for tick, row in zip(panels[0].get_yticklabels(), rows, strict=True):
        tick.set_fontweight("bold" if row.cell is None else "normal")
    return figure


def _pad(rows: list[Row]) -> float:
    """Return the room for labels that begin at the left, in points."""
    return 4.2 * max(len(row.label) for row in rows) + 6


def _panel(axes: Axes, rows: list[Row], measure: str) -> None:
    label, looked_for, widest, ticks = _AXES[measure]
    axes.axvline(looked_for, color=LINE, linestyle=":", linewidth=1)
    if measure == "observed_over_expected":
        axes.set_xscale("log")
        axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(ticks)
    axes.xaxis.set_major_formatter(PLAIN)
    axes.set(xlim=widest, xlabel=label)
    for place, row in enumerate(rows):
        if row.cell is not None:
            _cell(axes, place, getattr(row.cell, measure), row.cell.suppressed, widest)
        elif row.pooled is not None:
            _pooled(axes, place, getattr(row.pooled, measure), widest)
    axes.spines["left"].set_visible(False)
    axes.tick_params("y", length=0)


def _cell(
    axes: Axes, place: int, found: Estimate, suppressed: bool, widest: tuple[float, float]
) -> None:
    if found.value is None:
        why = "too few" if suppressed else "none"
        axes.text(
            0.5,
            place,
            why,
            transform=axes.get_yaxis_transform(),
            color=QUIET,
            fontsize=7,
            ha="center",
            va="center",
            backgroundcolor="white",
        )
        return
    _interval(axes, place, found.low, found.high, widest, MODEL, 1.2)
    axes.plot(min(max(found.value, widest[0]), widest[1]), place, "s", color=MODEL, markersize=4)


def _pooled(axes: Axes, place: int, found: Pooled | None, widest: tuple[float, float]) -> None:
    if found is None or found.mean.value is None:
        return
    _interval(axes, place, found.prediction_low, found.prediction_high, widest, OTHER, 1.2)
    _interval(axes, place, found.mean.low, found.mean.high, widest, TEXT, 4.0)
    axes.plot(found.mean.value, place, "D", color=TEXT, markersize=5, markeredgecolor="white")


def _interval(
    axes: Axes,
    place: int,
    low: float | None,
    high: float | None,
    widest: tuple[float, float],
    colour: str,
    width: float,
) -> None:
    """Draw an interval; an arrow where it leaves the panel."""
    if low is None or high is None:
        return
    left, right = max(low, widest[0]), min(high, widest[1])
    axes.plot([left, right], [place, place], color=colour, linewidth=width, solid_capstyle="butt")
    for end, beyond, marker in (
        (widest[0], low < widest[0], "<"),
        (widest[1], high > widest[1], ">"),
    ):
        if beyond:
            axes.plot(end, place, marker, color=colour, markersize=4, clip_on=False)
