"""What learning costs, as a page and a figure."""

import os
from io import BytesIO

import numpy as np
import pandas as pd
from learning_table import DEFAULT, LABELS, markdown
from matplotlib.figure import Figure

RIDGE = "local_ridge"
STYLES = {DEFAULT: ("#0072B2", "-", 2.6), RIDGE: ("#009E73", "--", 1.4)}
"""Colour, line and width, as in the figure of the learning benchmark."""

IDLE = 0.5
"""Below this load average a machine has little else to do."""


def exponent(rows: pd.DataFrame) -> float:
    """Return b of seconds = a n^b, by least squares on the logarithms; ``n`` is the index."""
    return float(np.polyfit(np.log(rows.index), np.log(rows["processor_seconds"]), 1)[0])


def page(rows: pd.DataFrame, name: str) -> str:
    """Return the page in Markdown.

    Parameters
    ----------
    rows
        One row a size and learner.
    name
        Of the table and the figure beside the page, without suffix.
    """
    ours, ridge = (rows[rows["learner"] == learner].set_index("n") for learner in (DEFAULT, RIDGE))
    parts = [
        f"`make bench-cost` on a machine of {os.cpu_count()} cores made this page, its "
        f"[table]({name}.csv) and its figure: **every patient in it is simulated.**",
        "# What learning costs",
        "Time and memory to learn severe CRS by the default recipe from n simulated patients of "
        "8 centres, on one thread; beside it the local ridge of the "
        "[learning benchmark](learning-benchmark.md).\n"
        f"Processor seconds grow {_growth(ours)}, those of ridge {_growth(ridge)} "
        "(least squares on the logarithms).",
        _table(ours, ridge),
        f"![Processor seconds against the number of patients]({name}.png)",
        _methods(rows),
    ]
    return "\n\n".join(parts) + "\n"


def _growth(rows: pd.DataFrame) -> str:
    return (
        f"as **n^{exponent(rows):.2f}** from {rows.index.min():,} to {rows.index.max():,} patients"
    )


def _table(ours: pd.DataFrame, ridge: pd.DataFrame) -> str:
    head = [
        *("n", "events", "trees", "elapsed seconds", "processor seconds", "exponent since above"),
        *("ridge, processor seconds", "default / ridge", "peak memory, MB", "of reading alone"),
    ]
    body = []
    for row, (n, us) in enumerate(ours.iterrows()):
        took = us["processor_seconds"]
        peer = ridge["processor_seconds"].get(n)
        body.append(
            [
                *(f"{n:,}", f"{us['events']:,.0f}", f"{us['trees']:.0f}"),
                *(f"{us['seconds']:.3g}", f"{took:.3g}"),
                f"{exponent(ours.iloc[row - 1 : row + 1]):.2f}" if row else "–",
                *(("–", "–") if peer is None else (f"{peer:.3g}", f"{took / peer:.2f}")),
                *(f"{us['megabytes']:,.0f}", f"{us['megabytes_read']:,.0f}"),
            ]
        )
    return markdown(head, body)


def _methods(rows: pd.DataFrame) -> str:
    load = rows["load_at_start"].iloc[0]
    shared = "it had little else to do" if load < IDLE else "it was shared, so seconds are too many"
    return f"""## How it was done

* Each learner meets each cohort in a fresh process; up to 10,000 patients the fastest of 3 runs counts. What is timed begins with the cohort in memory and ends with the posterior, trees and recalibration; reading the file, the evidence synthesis and judging the model are not in it.
* Only patients whose outcome is known count as events and are learnt from. The recipe itself chooses how many trees to grow, and grows more of them on more patients.
* Ridge chooses its penalty by five folds; the default averages a grid of priors, fits five folds again and chooses its trees on them.
* Peak memory is that of the whole process, with Python, its libraries and the reading of the cohort.
* When it began, the load average of the machine was {load:.1f}: {shared}."""  # noqa: E501


def figure(rows: pd.DataFrame) -> bytes:
    """Return a PNG of processor seconds against n, both logarithmic."""
    canvas = Figure(figsize=(5.2, 3.8), layout="constrained")
    axes = canvas.subplots()
    for learner, (colour, line, width) in STYLES.items():
        own = rows[rows["learner"] == learner]
        label = f"{LABELS[learner]}, n^{exponent(own.set_index('n')):.2f}"
        axes.plot(
            own["n"],
            own["processor_seconds"],
            line,
            marker="o",
            color=colour,
            lw=width,
            label=label,
        )
    ends = np.array([rows["n"].min(), rows["n"].max()])
    start = rows["processor_seconds"].iloc[0]
    axes.plot(ends, start * ends / ends[0], ":", color="#999999", label="in proportion to n")
    axes.set(xscale="log", yscale="log", xlabel="simulated patients", ylabel="processor seconds")
    axes.minorticks_off()
    axes.grid(axis="y", color="#E0E0E0", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(edgecolor="none", framealpha=1, fontsize=9)
    buffer = BytesIO()
    canvas.savefig(buffer, format="png", dpi=160, metadata={"Software": None})
    return buffer.getvalue()
