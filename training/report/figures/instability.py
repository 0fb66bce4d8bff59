"""What refits on other patients of the same kind say (Riley RD, Biom J 2023;65:2200302)."""

import numpy as np
from matplotlib.figure import Figure

from training.evaluation.record import Instability
from training.evaluation.view_record import DecisionCurve
from training.report.figures.style import BAND, LINE, MODEL, PERCENT, nothing, sheet


def risks(found: Instability, title: str, mark: str | None) -> Figure:
    """Draw what refits gave the patients of each tenth of the model's risks."""
    figure = sheet(3.5, 3.4, title, mark)
    axes = figure.subplots()
    risk = [band.risk for band in found.bands]
    ends = {name: [getattr(band, name) for band in found.bands] for name in _CENTILES}
    most = 1.05 * max(*risk, *ends["centile_97_5"])
    axes.plot([0, most], [0, most], color=LINE, linestyle="--", linewidth=1, label="no change")
    axes.vlines(
        risk,
        ends["centile_2_5"],
        ends["centile_97_5"],
        color=MODEL,
        linewidth=1,
        label="95 of 100 refits",
    )
    axes.vlines(
        risk,
        ends["centile_25"],
        ends["centile_75"],
        color=MODEL,
        linewidth=5,
        alpha=0.45,
        label="50 of 100 refits",
    )
    axes.plot(risk, ends["centile_50"], "o", color=MODEL, markersize=3.5, label="median refit")
    axes.set(xlim=(0, most), ylim=(0, most), xlabel="risk by the model (tenths of patients)")
    axes.set_ylabel("risk by refits")
    axes.xaxis.set_major_formatter(PERCENT)
    axes.yaxis.set_major_formatter(PERCENT)
    axes.legend(loc="upper left")
    return figure


_CENTILES = ("centile_2_5", "centile_25", "centile_50", "centile_75", "centile_97_5")


def calibration(found: Instability, title: str, mark: str | None) -> Figure:
    """Draw where the calibration curves of refits lie on the original patients."""
    figure = sheet(3.5, 3.4, title, mark)
    axes = figure.subplots()
    if not found.calibration_low:
        nothing(axes, "too few refits have a calibration curve")
        return figure
    risk = found.calibration_risk
    most = max(risk[-1], float(np.quantile(found.calibration_high, 0.9)))
    axes.plot([0, 1], [0, 1], color=LINE, linestyle="--", linewidth=1, label="perfect calibration")
    axes.fill_between(
        risk,
        found.calibration_low,
        found.calibration_high,
        color=MODEL,
        alpha=2 * BAND,
        linewidth=0,
        label="95 of 100 refits",
    )
    axes.set(xlim=(0, most), ylim=(0, most), xlabel="risk by a refit")
    axes.set_ylabel("observed share with the outcome")
    axes.xaxis.set_major_formatter(PERCENT)
    axes.yaxis.set_major_formatter(PERCENT)
    axes.legend(loc="upper left")
    return figure


def net_benefit(found: Instability, curve: DecisionCurve, title: str, mark: str | None) -> Figure:
    """Draw where the net benefits of refits lie on the original patients."""
    figure = sheet(3.5, 3.4, title, mark)
    axes = figure.subplots()
    axes.fill_between(
        found.thresholds,
        found.net_benefit_low,
        found.net_benefit_high,
        color=MODEL,
        alpha=2 * BAND,
        linewidth=0,
        label="95 of 100 refits",
    )
    axes.plot(curve.thresholds, curve.model.value, color=MODEL, label="model, not seen before")
    axes.plot(
        curve.thresholds,
        curve.treat_all.value,
        color=LINE,
        linestyle="--",
        label="act on everybody",
    )
    axes.axhline(0, color=LINE, linestyle=":")
    top = max(*found.net_benefit_high, *curve.model.value, 0.01)
    axes.set(xlim=(found.thresholds[0], found.thresholds[-1]), ylim=(-0.3 * top, 1.08 * top))
    axes.set(xlabel="threshold risk", ylabel="net benefit")
    axes.xaxis.set_major_formatter(PERCENT)
    axes.legend(loc="best")
    return figure
