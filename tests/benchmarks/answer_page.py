"""The page of the answer benchmark."""

import os
from dataclasses import dataclass

import numpy as np

STEPS = ("JSON to values", "contract checked, units converted", "assessed", "written as JSON")
IDLE = 0.5
"""Below this load average a machine has little else to do."""


@dataclass(frozen=True)
class Measured:
    """What the page reports; times of one patient in microseconds.

    ``answers`` holds by model and kind of patient the time of every step, shape (n, n_steps);
    ``beside`` our times and the libraries' for the same patients; ``batch`` patients a second, by
    what was timed, ours first; ``ready`` milliseconds by model.
    """

    answers: dict[tuple[str, str], np.ndarray]
    beside: tuple[np.ndarray, np.ndarray]
    batch: dict[str, float]
    ready: dict[str, float]
    difference: float
    load: float


def page(measured: Measured) -> str:
    """Return the page in Markdown."""
    ready = " and ".join(f"{ms:.0f} ms ({model})" for model, ms in measured.ready.items())
    n = len(next(iter(measured.answers.values())))
    parts = [
        f"`make bench-answer` on a machine of {os.cpu_count()} cores made this page: **every "
        "patient in it is simulated, and nothing in it is clinical performance.**",
        "# What an answer costs, in process",
        "From the bytes of a request to the bytes of the answer, on one thread: read, checked, "
        "assessed for both outcomes with interval, explanation, cautions and scores, and written. "
        "No network and no log.",
        "## One patient",
        f"Microseconds, median of {n:,} answers; *whole* is measured answer by answer.",
        _one_patient(measured.answers),
        "*The example* is the one of the API, of 14 fields; a simulated patient has about 20 and "
        "lacks some of what the models use. The models with trees have 200 of depth 2 for each "
        f"outcome. To make both models ready, once when they are loaded, took {ready}.",
        "## Beside the libraries, in the same run",
        f"The same {len(measured.beside[1])} simulated patients, taking turns. The library path "
        "reads the request by the same code, makes a one-row DataFrame, and takes the margin from "
        "XGBoost and the contributions from `shap.TreeExplainer` against the same typical "
        "patient. It writes risk, interval and contributions, and none of the words, cautions, "
        "scores and sources. Its contributions agree with the answer's within "
        f"{measured.difference:.0e} log-odds.",
        _beside(*measured.beside),
        "## Many patients",
        "Risk, interval and contributions of both outcomes as arrays. Ours begins with contract "
        "columns, words included; the libraries are given the finished design matrix and explain "
        "the trees alone.",
        _batch(measured.batch),
        _methods(measured.load),
    ]
    return "\n\n".join(parts) + "\n"


def _one_patient(answers: dict[tuple[str, str], np.ndarray]) -> str:
    head = ["model", "patients", *STEPS, "whole, p50", "whole, p99"]
    rows = []
    for (model, kind), steps in answers.items():
        p50, p99 = np.percentile(steps.sum(axis=1), [50, 99])
        medians = [f"{median:,.0f}" for median in np.median(steps, axis=0)]
        rows.append([model, kind, *medians, f"**{p50:,.0f}**", f"{p99:,.0f}"])
    return _table(head, 2, rows)


def _beside(ours: np.ndarray, theirs: np.ndarray) -> str:
    fast, slow = np.median(ours), np.median(theirs)
    rows = [
        ["the answer", f"{fast:,.0f}", "1"],
        ["pandas, XGBoost, `shap.TreeExplainer`", f"{slow:,.0f}", f"**{slow / fast:.0f}**"],
    ]
    return _table(["", "p50, microseconds", "ratio"], 1, rows)


def _batch(batch: dict[str, float]) -> str:
    ours = next(iter(batch.values()))
    rows = [
        [name, f"{rate:,.0f}", f"{ours / rate:.1f}" if ours < 10 * rate else f"{ours / rate:.0f}"]
        for name, rate in batch.items()
    ]
    return _table(["", "patients a second", "ratio"], 1, rows)


def _table(head: list[str], words: int, rows: list[list[str]]) -> str:
    rule = ["---"] * words + ["---:"] * (len(head) - words)
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows))


def _methods(load: float) -> str:
    busy = (
        ": it was shared, so times are too long and ratios are what to read" if load > IDLE else ""
    )
    return "\n".join(
        [
            "## How it was done\n",
            "* One thread of linear algebra; the garbage collector is set as in the service. Times "
            "are of the wall clock; of many patients the fastest of three runs counts.",
            f"* When it began, the load average of the machine was {load:.1f}{busy}.",
            "* Why one patient has a path of its own, and what proves it equal: "
            "[decision 0017](decisions/0017-compiled-answers.md).",
        ]
    )
