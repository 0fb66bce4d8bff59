"""The benchmark's figure."""

from io import BytesIO

import pandas as pd
from learning_table import DEFAULT, LABELS, MAIN, OUTCOMES
from matplotlib.axes import Axes
from matplotlib.figure import Figure

_STYLES = {
    # Colours of Okabe and Ito; line and marker tell the learners apart in grey.
    "product_rate": ("#999999", ":", "x"),
    "evidence": ("#000000", ":", "v"),
    "recalibrated_evidence": ("#CC79A7", "-.", "^"),
    "local_forest": ("#E69F00", "--", "D"),
    "local_boosting": ("#56B4E9", "--", "P"),
    "local_xgboost": ("#D55E00", "--", "s"),
    "local_ridge": ("#009E73", "--", "o"),
    "anchored": ("#0072B2", "-", "o"),
}
_ZERO_AT = 24.0
"""Where n = 0 stands on the logarithmic axis."""


def figure(summary: pd.DataFrame) -> bytes:
    """Return a PNG of excess log-loss against n, one panel an outcome."""
    everyone = summary[
        (summary["truth"] == MAIN) & (summary["centres"] == summary["centres"].max())
    ]
    canvas = Figure(figsize=(9, 4.6), layout="constrained")
    panels = canvas.subplots(1, len(OUTCOMES), sharey=True)
    for axes, (outcome, title) in zip(panels, OUTCOMES.items(), strict=True):
        _panel(axes, everyone[everyone["outcome"] == outcome], title)
    panels[0].set_ylabel("excess log-loss over the true risk, ×1000")
    canvas.suptitle("Simulated centres, never clinical performance", fontsize=9, color="#595959")
    handles, labels = panels[0].get_legend_handles_labels()
    canvas.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    buffer = BytesIO()
    canvas.savefig(buffer, format="png", dpi=160, metadata={"Software": None})
    return buffer.getvalue()


def _panel(axes: Axes, frame: pd.DataFrame, title: str) -> None:
    sizes = sorted(set(frame["n"]))
    for name, (colour, line, marker) in _STYLES.items():
        own = frame[frame["learner"] == name].sort_values("n")
        at = own["n"].replace(0, _ZERO_AT).to_numpy(dtype=float)
        mean, error = own["excess_log_loss"].to_numpy(), own["standard_error"].to_numpy()
        ours = name == DEFAULT
        axes.plot(
            at,
            mean,
            color=colour,
            linestyle=line,
            marker=marker,
            markersize=6 if ours else 4.5,
            linewidth=2.6 if ours else 1.4,
            label=LABELS[name] + (", local" if name.startswith("local_") else ""),
            zorder=3 if ours else 2,
        )
        if ours:
            axes.fill_between(at, mean - error, mean + error, color=colour, alpha=0.15, linewidth=0)
    axes.set(xscale="log", yscale="log", title=title, xlabel="patients of the centre learnt from")
    axes.set_xticks([n or _ZERO_AT for n in sizes], [f"{n:,}" for n in sizes])
    axes.set_yticks([5, 10, 20, 50, 100], ["5", "10", "20", "50", "100"])
    axes.minorticks_off()
    if 0 in sizes:
        axes.text(35, 0, "//", transform=axes.get_xaxis_transform(), ha="center", va="center")
    axes.grid(axis="y", color="#E0E0E0", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
