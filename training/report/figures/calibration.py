"""Observed against predicted risk, with the distribution of risks by outcome below."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.evaluation.view_record import CalibrationCurve, RiskDistribution, View
from training.report.figures.style import BAND, LINE, MODEL, OTHER, PERCENT, QUIET, nothing, sheet

_SHOWN = 0.995
"""Share of patients whose risks the axis holds."""


def calibration(view: View, title: str, mark: str | None) -> Figure:
    """Draw the smooth calibration curve with its 95 % band, and who was given which risk."""
    figure = sheet(4.6, 5.4, title, mark)
    above, below = figure.subplots(2, 1, height_ratios=(3, 1.25))
    most = _most(view)
    _curve(above, view.calibration_curve, most)
    _distribution(below, view.risk_distribution, most)
    below.set_xlabel("predicted risk")
    return figure


def _most(view: View) -> float:
    """Return where the axis of risks ends: beyond it lies one patient in 200."""
    counts = np.add(view.risk_distribution.events, view.risk_distribution.non_events)
    edges = np.array(view.risk_distribution.edges)
    if not counts.sum():
        return 1.0
    within = np.searchsorted(np.cumsum(counts) / counts.sum(), _SHOWN)
    return float(min(1.0, np.ceil(10 * edges[within + 1]) / 10))


def _curve(axes: Axes, curve: CalibrationCurve, most: float) -> None:
    if curve.observed is None:
        nothing(axes, curve.reason or "")
        return
    risk, observed = curve.risk, curve.observed
    axes.plot([0, 1], [0, 1], color=LINE, linestyle="--", linewidth=1, label="perfect calibration")
    if observed.low is not None and observed.high is not None:
        axes.fill_between(
            risk,
            observed.low,
            observed.high,
            color=MODEL,
            alpha=BAND,
            linewidth=0,
            label="95 % band",
        )
    axes.plot(risk, observed.value, color=MODEL, label="smooth curve")
    axes.set(xlim=(0, most), ylim=(0, most), ylabel="observed share with the outcome")
    axes.xaxis.set_major_formatter(PERCENT)
    axes.yaxis.set_major_formatter(PERCENT)
    axes.legend(loc="upper left")


def _distribution(axes: Axes, risks: RiskDistribution, most: float) -> None:
    """Draw the share of patients in each bin, with the outcome upwards, without it downwards."""
    edges = np.array(risks.edges)
    left, width = edges[:-1], np.diff(edges)
    had, had_not = (np.array(n) / max(sum(n), 1e-9) for n in (risks.events, risks.non_events))
    bars: dict[str, Any] = {"align": "edge", "linewidth": 0.4}
    axes.bar(left, had, width, color=OTHER, edgecolor="white", label="with the outcome", **bars)
    axes.bar(
        left,
        -had_not,
        width,
        color="white",
        edgecolor=QUIET,
        hatch="////",
        label="without it",
        **bars,
    )
    axes.axhline(0, color=QUIET, linewidth=0.7)
    axes.set(xlim=(0, most), ylabel="share of\npatients")
    axes.xaxis.set_major_formatter(PERCENT)
    axes.yaxis.set_major_formatter(lambda value, _place: f"{abs(100 * value):.0f} %")
    axes.legend(loc="lower right")
