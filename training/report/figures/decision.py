"""Net benefit over the declared range of threshold risks, and what it is beside the best other."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.evaluation.estimate import Curve
from training.evaluation.record import Comparison
from training.evaluation.view_record import DecisionCurve
from training.report.figures.style import BAND, LINE, MODEL, OTHER, PERCENT, QUIET, sheet

_THRESHOLD = "threshold risk at which somebody would act"


def decision(
    curve: DecisionCurve, best: Comparison | None, name: str, title: str, mark: str | None
) -> Figure:
    """Draw model, everybody, nobody and, where one answers the same patients, the best other."""
    figure = sheet(4.6, 5.4 if best else 3.6, title, mark)
    upper, *lower = figure.subplots(2 if best else 1, 1, squeeze=False)[:, 0]
    _curves(upper, curve)
    if best is not None:
        upper.plot(
            best.thresholds, best.other.net_benefit.value, color=OTHER, linestyle="-.", label=name
        )
        _difference(lower[0], best, name)
    upper.legend(loc="best")
    (lower[0] if lower else upper).set_xlabel(_THRESHOLD)
    return figure


def _curves(axes: Axes, curve: DecisionCurve) -> None:
    _with_band(axes, curve.thresholds, curve.model, MODEL, "model, 95 % band")
    axes.plot(
        curve.thresholds,
        curve.treat_all.value,
        color=QUIET,
        linestyle="--",
        label="act on everybody",
    )
    axes.axhline(0, color=LINE, linestyle=":", label="act on nobody")
    top = max(*curve.model.value, *curve.treat_all.value, *(curve.model.high or ()), 0.01)
    axes.set(ylim=(-0.3 * top, 1.08 * top), ylabel="net benefit")
    _thresholds(axes, curve.thresholds)


def _difference(axes: Axes, best: Comparison, name: str) -> None:
    _with_band(axes, best.thresholds, best.net_benefit_difference, MODEL, "95 % band, paired")
    axes.axhline(0, color=LINE, linestyle=":")
    axes.set_ylabel(f"net benefit of the model\nless that of {name}")
    axes.legend(loc="best")
    _thresholds(axes, best.thresholds)


def _with_band(axes: Axes, x: tuple[float, ...], curve: Curve, colour: str, label: str) -> None:
    if curve.low is not None and curve.high is not None:
        axes.fill_between(x, curve.low, curve.high, color=colour, alpha=BAND, linewidth=0)
    axes.plot(x, curve.value, color=colour, label=label)


def _thresholds(axes: Axes, thresholds: tuple[float, ...]) -> None:
    axes.set_xlim(thresholds[0], thresholds[-1])
    axes.xaxis.set_major_formatter(PERCENT)
