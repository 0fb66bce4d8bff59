"""The long run as a page and a figure."""

import os
from dataclasses import dataclass
from io import BytesIO
from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator
from soak_windows import edge, percentile, settled, slope

IDLE = 0.5
"""Below this load average a machine has little else to do."""

SHORTEST_MINUTES = 25
"""A shorter run is a trial."""

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")


@dataclass(frozen=True)
class Soak:
    """What a long run gave; rates in answers a second.

    ``windows`` holds one row a window; ``latencies`` the milliseconds of every answer in it.
    ``acknowledged`` counts every answer that the service gave, ``rows`` those of its log.
    """

    windows: pd.DataFrame
    latencies: list[np.ndarray]
    most: float
    rate: float
    acknowledged: int
    rows: int
    intact: bool
    verified: str
    append_milliseconds: float
    file_system: str
    load_at_start: float

    @property
    def minutes(self) -> float:
        """How long the load was held."""
        return float(self.windows["second"].iloc[-1]) / 60


def promises(soak: Soak) -> list[tuple[str, str, bool]]:
    """Return what must hold: its words, what was seen, and whether it held."""
    errors = int(soak.windows["errors"].sum())
    return [
        ("every request was answered with 200", f"{errors} errors", errors == 0),
        (
            "every answer has its row",
            f"{soak.rows:,} rows for {soak.acknowledged:,} answers",
            soak.rows >= soak.acknowledged,
        ),
        ("`cart-risk verify-log` finds nothing", soak.verified, soak.intact),
    ]


def page(soak: Soak, name: str) -> str:
    """Return the page in Markdown; ``name`` is that of table and figure, without suffix."""
    minutes = soak.minutes / len(soak.windows) * edge(soak.windows)
    answers = int(soak.windows["answers"].sum())
    parts = [
        f"`make soak` on a machine of {os.cpu_count()} cores made this page, its "
        f"[table]({name}.csv) and its figure: **every patient in it is simulated.**",
        *_trial(soak),
        "# The service under load for long",
        f"{soak.minutes:.2g} minutes at {soak.rate:,.0f} requests a second, 80 % of the "
        f"{soak.most:,.0f} answers a second that it gave to 16 connections just before; "
        f"{answers:,} answers, each on disk before it was sent.",
        _promises(soak),
        f"## The first {minutes:.2g} minutes and the last",
        _edges(soak),
        "## What grows",
        _slopes(soak.windows),
        f"![Latency, memory and open files against time]({name}.png)",
        _methods(soak),
    ]
    return "\n\n".join(parts) + "\n"


def _trial(soak: Soak) -> list[str]:
    return (
        []
        if soak.minutes >= SHORTEST_MINUTES
        else [f"**A trial of {soak.minutes:.1f} minutes: not to be quoted.**"]
    )


def _promises(soak: Soak) -> str:
    body = [[what, seen, "held" if held else "**broken**"] for what, seen, held in promises(soak)]
    return _table(["promise", "seen", ""], 3, body)


def _edges(soak: Soak) -> str:
    n = edge(soak.windows)
    ends = (slice(None, n), slice(-n, None))
    body = [
        [f"{label}, ms", *(f"{percentile(soak.latencies[end], percent):.3g}" for end in ends)]
        for label, percent in (("p50", 50), ("p99", 99), ("p99.9", 99.9), ("longest", 100))
    ]
    seen = soak.windows
    body.append(["answers a second", *(f"{_rate(seen, end):,.0f}" for end in ends)])
    body += [
        [_words(column), *(f"{seen[column].iloc[end].median():,.1f}" for end in ends)]
        for column in _of_workers(seen, "megabytes|files")
    ]
    body = [[*row, _change(row)] for row in body]
    return _table(["", "first", "last", "last / first"], 1, body)


def _rate(windows: pd.DataFrame, end: slice) -> float:
    seconds = windows["second"].diff().fillna(windows["second"].iloc[0])
    return float(windows["answers"].iloc[end].sum() / seconds.iloc[end].sum())


def _change(row: list[str]) -> str:
    first, last = (float(cell.replace(",", "")) for cell in row[1:])
    return f"{last / first:.2f}"


def _slopes(windows: pd.DataFrame) -> str:
    late = settled(windows)
    columns = [*_of_workers(windows, "megabytes|files"), "log_megabytes"]
    body = []
    for column in (*columns, "output_megabytes"):
        grown = slope(late["second"], late[column])
        body.append(
            [
                _words(column),
                f"{windows[column].iloc[0]:,.1f}",
                f"{windows[column].iloc[-1]:,.1f}",
                f"**{grown.an_hour:,.2f}**",
                f"{grown.low:,.2f} to {grown.high:,.2f}",
            ]
        )
    return _table(["", "first window", "last window", "growth an hour", "95 % interval"], 1, body)


def _of_workers(windows: pd.DataFrame, units: str) -> list[str]:
    return [*windows.filter(regex=rf"^worker_\d+_({units})$")]


def _words(column: str) -> str:
    what, _, unit = column.rpartition("_")
    what = {"log": "assessment log", "output": "request log"}.get(what, what.replace("_", " "))
    return (
        f"{what}, {'PSS ' if 'worker' in what else ''}MB"
        if unit == "megabytes"
        else (f"{what}, open files")
    )


def _methods(soak: Soak) -> str:
    load, late = soak.load_at_start, soak.windows["client_late_p99"]
    longest = soak.windows["client_late_longest"].max()
    shared = "it had little else to do" if load < IDLE else "it was shared, so times are too long"
    return f"""## How it was done

* Each request is due at a time of its own, at equal distances, over 64 connections; its latency counts from when it was due, not from when it could be sent, so that a stall makes all requests late that fall due in it. The client shares the machine; its own lateness is in the latencies: p99 {late.median():.2f} ms (median of the windows), at most {longest:,.0f} ms; where it was late by seconds, the whole machine stood still.
* 400 different simulated patients in turn; two outcomes, 200 trees of depth 2 each; keys, encrypted log, metrics and request log on.
* Growth is the median slope of all pairs of windows of 10 s (Theil and Sen) after the first sixth of the run. Memory is proportional set size.
* The log lies on {soak.file_system}; an 8 KB append with `fdatasync` took {soak.append_milliseconds:.2f} ms (median) before the run. Rows include those of the warm-up; a row whose answer was not received is no fault, an answer without its row is.
* When it began, the load average of the machine was {load:.1f}: {shared}."""  # noqa: E501


def _table(head: list[str], words: int, rows: list[list[str]]) -> str:
    rule = ["---"] * words + ["---:"] * (len(head) - words)
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows))


def figure(windows: pd.DataFrame) -> bytes:
    """Return a PNG of latency, memory and open files against minutes."""
    canvas = Figure(figsize=(7.2, 6.4), layout="constrained")
    latency, memory, files = canvas.subplots(3, 1, sharex=True)
    minutes = windows["second"] / 60
    for name, colour in (("p100", "#BBBBBB"), ("p99", "#D55E00"), ("p50", "#0072B2")):
        label = "longest" if name == "p100" else name
        latency.plot(minutes, windows[name], color=colour, lw=1.4, label=label)
    latency.set(yscale="log", ylabel="latency, ms")
    latency.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    latency.yaxis.set_major_formatter("{x:g}")
    latency.minorticks_off()
    for axes, unit, label in ((memory, "megabytes", "PSS, MB"), (files, "files", "open files")):
        for column, colour in zip(_of_workers(windows, unit), cycle(_COLOURS), strict=False):
            name = column.removesuffix(f"_{unit}").replace("_", " ")
            axes.plot(minutes, windows[column], color=colour, lw=1.4, label=name)
        axes.set(ylabel=label)
        axes.set_ylim(0, 1.1 * axes.get_ylim()[1])
    files.set(xlabel="minutes", xlim=(0, minutes.max()))
    for axes in (latency, memory, files):
        axes.grid(axis="y", color="#E0E0E0", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(edgecolor="none", framealpha=1, fontsize=9, loc="lower right", ncols=3)
        axes.get_legend().set_bbox_to_anchor((1, 1))
    buffer = BytesIO()
    canvas.savefig(buffer, format="png", dpi=160, metadata={"Software": None})
    return buffer.getvalue()
