"""The model itself: what weighs, what one predictor does alone, and the evidence beside the fit."""

import textwrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from serving.model.risk_model import STANDARD_NORMAL_95
from training.report.figures.style import BAND, LINE, MODEL, OTHER, PERCENT, PLAIN, QUIET, sheet
from training.report.labels import short
from training.report.model_record import Band, Coefficient, EffectCurve, Effects, Importance

_ACROSS = 4
_MANY, _BETWEEN = 1.6, (1.0, 2.0, 5.0)
"""Decades from which only powers of ten are named, and what is named in fewer."""
_LONGEST = 24


def importance(found: Importance, title: str, mark: str | None) -> Figure:
    """Draw each predictor's share of the weight and, of a cohort, its mean contribution."""
    weights = found.weights
    contributed = weights[0].mean_contribution is not None
    figure = sheet(7.2, 1.0 + 0.2 * len(weights), title, mark)
    panels = figure.subplots(1, 2 if contributed else 1, sharey=True, squeeze=False)[0]
    places = np.arange(len(weights))
    panels[0].barh(places, [w.share for w in weights], color=MODEL, height=0.65)
    panels[0].set_yticks(places, [short(w.label) for w in weights])
    panels[0].invert_yaxis()
    panels[0].set_xlabel("share of the model's weight")
    panels[0].xaxis.set_major_formatter(PERCENT)
    if contributed:
        each = [w.mean_contribution for w in weights]
        panels[1].barh(places, each, color="white", edgecolor=OTHER, hatch="////", height=0.65)
        panels[1].set_xlabel("mean |contribution|, log-odds")
    for axes in panels:
        axes.tick_params("y", length=0)
    return figure


def contributions(found: Effects, title: str, mark: str | None) -> Figure:
    """Draw the contribution of each predictor, in log-odds, everything else typical."""
    ends = [end for curve in found.curves for end in (*curve.log_odds.low, *curve.log_odds.high)]
    figure, panels = _multiples(found, title, mark)
    for axes, curve in zip(panels, found.curves, strict=True):
        axes.axhline(0, color=LINE, linestyle=":", linewidth=1)
        _one(axes, curve, curve.log_odds, MODEL)
        axes.set_ylim(1.05 * min(ends), 1.05 * max(ends))
    figure.supylabel("contribution against the typical patient [log-odds]", fontsize=8)
    return figure


def risks(found: Effects, title: str, mark: str | None) -> Figure:
    """Draw the risk of the typical patient as each predictor moves alone."""
    figure, panels = _multiples(found, title, mark)
    most = max(max(curve.risk.high) for curve in found.curves)
    for axes, curve in zip(panels, found.curves, strict=True):
        axes.axhline(found.typical_risk, color=LINE, linestyle=":", linewidth=1)
        _one(axes, curve, curve.risk, OTHER)
        axes.set_ylim(0, min(1.0, 1.05 * most))
        axes.yaxis.set_major_formatter(PERCENT)
    figure.supylabel("risk", fontsize=8)
    return figure


def _multiples(found: Effects, title: str, mark: str | None) -> tuple[Figure, list[Axes]]:
    rows = -(-len(found.curves) // _ACROSS)
    figure = sheet(7.2, 0.6 + 1.45 * rows, title, mark)
    grid = figure.subplots(rows, _ACROSS, sharey=True, squeeze=False)
    panels = list(grid.flat)
    for spare in panels[len(found.curves) :]:
        spare.set_axis_off()
    return figure, panels[: len(found.curves)]


def _one(axes: Axes, curve: EffectCurve, band: Band, colour: str) -> None:
    axes.set_title(textwrap.fill(short(curve.label), _LONGEST), fontsize=7.5)
    axes.tick_params(labelsize=6.5, length=2)
    if curve.scale == "words":
        _words(axes, curve, band, colour)
        return
    axes.fill_between(curve.values, band.low, band.high, color=colour, alpha=BAND, linewidth=0)
    axes.plot(curve.values, band.value, color=colour, linewidth=1.4)
    if curve.typical is not None:
        axes.axvline(curve.typical, color=LINE, linestyle=":", linewidth=0.8)
    if curve.scale == "log":
        axes.set_xscale("log")
        decades = np.log10(curve.values[-1] / curve.values[0])
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0,) if decades > _MANY else _BETWEEN))
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(PLAIN)
    axes.set_xlabel(curve.unit, fontsize=6.5, labelpad=1)


def _words(axes: Axes, curve: EffectCurve, band: Band, colour: str) -> None:
    places = np.arange(len(curve.words))
    value = np.array(band.value)
    error = np.abs(np.array([band.low, band.high]) - value)
    axes.errorbar(places, value, yerr=error, fmt="o", color=colour, markersize=3, linewidth=1)
    turned = len(curve.words) > 2
    axes.set_xticks(
        places, curve.words, rotation=35 if turned else 0, ha="right" if turned else "center"
    )
    axes.set_xlim(-0.6, len(curve.words) - 0.4)


def prior_and_fit(
    coefficients: tuple[Coefficient, ...], before: str, title: str, mark: str | None
) -> Figure:
    """Draw every effect as published and as fitted, with 90 % intervals; † marks unread figures."""
    figure = sheet(7.2, 1.3 + 0.22 * len(coefficients), title, mark)
    axes = figure.subplots()
    places = np.arange(len(coefficients))
    for offset, kind, colour, marker, fill, label in (
        (-0.16, "prior", OTHER, "s", "white", before),
        (0.16, "posterior", MODEL, "o", MODEL, "in the model"),
    ):
        mean = [getattr(c, f"{kind}_mean") for c in coefficients]
        half = [STANDARD_NORMAL_95 * getattr(c, f"{kind}_sd") for c in coefficients]
        axes.errorbar(
            mean,
            places + offset,
            xerr=half,
            fmt=marker,
            color=colour,
            markerfacecolor=fill,
            markersize=3.5,
            linewidth=1,
            label=label,
        )
    axes.axvline(0, color=QUIET, linewidth=0.8)
    names = [f"{c.label} †" if c.holds_unread else c.label for c in coefficients]
    axes.set_yticks(places, names)
    axes.set_ylim(len(coefficients) - 0.4, -0.6)
    axes.grid(axis="y", color="#E6E6E6", linewidth=0.5)
    axes.set_axisbelow(True)
    axes.set_xlabel("log-odds for one spread of the predictor (90 % interval)")
    figure.legend(loc="outside lower center", ncols=2)
    return figure
