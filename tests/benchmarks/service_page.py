"""The page of the service benchmark."""

import os
from importlib.metadata import version

import pandas as pd
from service_targets import BRIEF, OURS, TARGETS_OF_BRIEF, Verdict, verdicts

IDLE = 0.5
"""Below this load average a machine has little else to do."""

ROUNDS = 3
"""With fewer a run is a trial."""

LABELS = {
    OURS: "**the service**, one worker",
    BRIEF: "the service, brief answers",
    "ours_two_workers": "the service, two workers",
    "fastapi": "FastAPI + orjson, the same work",
    "bentoml": "BentoML, `shap.TreeExplainer`",
    "mlflow": "MLflow `models serve`, the same",
    "validate": "the service's `/v1/validate`",
}
_LIBRARIES = ("bentoml", "fastapi", "mlflow", "shap", "uvicorn", "xgboost-cpu")


def page(rows: pd.DataFrame, name: str) -> str:
    """Return the page in Markdown.

    Parameters
    ----------
    rows
        One row a round and service.
    name
        Of the table beside the page, without suffix.
    """
    said = verdicts(rows)
    reached = sum(verdict.reached for verdict in said)
    parts = [
        f"`make bench-service` on a machine of {os.cpu_count()} cores made this page and its "
        f"[table]({name}.csv): **every patient in it is simulated, and nothing in it is clinical "
        "performance.**",
        *_trial(rows),
        "# What the running service answers",
        "The service as it is run: keys, encrypted log on disk before every answer, metrics and "
        "request log, asked over loopback; its peers in the same run, for the same patients by "
        "the same models.",
        "## What it was to reach",
        f"{reached} of {len(said)} reached. Median of {rows['round'].nunique()} rounds and their "
        "range; a ratio is taken within a round.",
        _targets(said),
        "## Brief answers",
        "`/v1/assess/brief` gives what the library paths below give: risks, intervals and "
        "contributions as numbers, with cautions and statements; everything else is as above.",
        _targets(verdicts(rows, TARGETS_OF_BRIEF)),
        "## Beside its peers",
        _latencies(rows),
        _costs(rows),
        _what_they_are(),
        _methods(rows),
    ]
    return "\n\n".join(parts) + "\n"


def _trial(rows: pd.DataFrame) -> list[str]:
    if rows["round"].nunique() >= ROUNDS:
        return []
    return [
        f"**A trial of {rows['seconds'].iloc[0]:.0f} seconds a measurement: not to be quoted.**"
    ]


def _targets(said: list[Verdict]) -> str:
    body = [
        [
            verdict.target.what,
            f"{'≥' if verdict.target.at_least else '≤'} {_short(verdict.target.limit)}",
            f"**{_short(verdict.median)}**",
            f"{_short(verdict.low)} to {_short(verdict.high)}",
            "reached" if verdict.reached else "**missed**",
        ]
        for verdict in said
    ]
    return _table(["", "target", "median", "range", ""], [0, 4], body)


def _latencies(rows: pd.DataFrame) -> str:
    head = ["", "1 connection, p50 ms", "p99 ms", "16 connections, answers/s", "range"]
    head += ["p50 ms", "p99 ms", "the service / it"]
    ours = rows[rows["service"] == OURS].set_index("round")["rate"]
    body = []
    for service, label in LABELS.items():
        own = rows[rows["service"] == service].set_index("round")
        median = own.median(numeric_only=True)
        alone = [_short(median[name]) for name in ("p50_alone", "p99_alone")]
        rates = [_short(own["rate"].median()), f"{_short(own['rate'].min())} to "]
        rates[1] += _short(own["rate"].max())
        ratio = _short((ours / own["rate"]).median())
        body.append([label, *alone, *rates, _short(median["p50"]), _short(median["p99"]), ratio])
    return _table(head, [0], body)


def _costs(rows: pd.DataFrame) -> str:
    head = ["", "processor, µs an answer", "cores used by `wrk`", "start to ready, s"]
    head += ["a worker, PSS MB", "supervisor, PSS MB"]
    measures = ["processor_microseconds", "wrk_cores", "start_seconds", "worker_megabytes"]
    body = []
    for service, label in LABELS.items():
        median = rows[rows["service"] == service].median(numeric_only=True)
        supervisor = median["supervisor_megabytes"]
        costs = [_short(median[name]) for name in measures]
        body.append([label, *costs, _short(supervisor) if supervisor else "–"])
    return _table(head, [0], body)


def _what_they_are() -> str:
    versions = ", ".join(f"{library} {version(library)}" for library in _LIBRARIES)
    return f"""## What they are

* **Brief answers** are those of the service itself, one worker: 3.5 kB instead of 22.
* **FastAPI + orjson** ([peer_fastapi.py](../tests/benchmarks/peer_fastapi.py)) does the same work by hand: the same readers, compiled models, guard and log, the same bytes, a line of JSON and a count for each answer; uvicorn with uvloop and httptools. It has no deadline, no limits, no security headers, no dialect of refusals, and watches for no new models or keys.
* **BentoML** ([peer_bentoml.py](../tests/benchmarks/peer_bentoml.py)) is written as most people write it: a sync method, pydantic, a DataFrame of one row, XGBoost's margin and `shap.TreeExplainer` for both outcomes; risk, interval and contributions alone. No key, no log.
* **MLflow** ([peer_mlflow.py](../tests/benchmarks/peer_mlflow.py)) serves the same library path from records whose units are converted already. No key, no log.
* `/v1/validate` is the service without risk and log, for orientation.
* {versions}."""  # noqa: E501


def _methods(rows: pd.DataFrame) -> str:
    load, append = rows["load_at_start"].iloc[0], rows["append_milliseconds"]
    shared = "it had little else to do" if load < IDLE else "it was shared: read ratios, not times"
    seconds, rounds = rows["seconds"].iloc[0], rows["round"].nunique()
    return f"""## How it was done

* `wrk`, one thread, on the same machine; its Lua script goes through 400 different simulated patients again and again. {rounds} rounds in which the services take turns, each started afresh, warmed up with 16 connections, then measured for {seconds:.0f} s with one connection and {seconds:.0f} s with 16.
* Before it is measured, each service answers 50 patients: FastAPI with our own answer, field by field, brief answers and the library paths with our risks, intervals and contributions within 1e-6. One answer that is no 200 ends the run.
* A measurement during which the whole machine stood still for a second (a thread that sleeps 10 ms tells) is made again: {rows["in_vain"].sum():.0f} were.
* Two outcomes, 200 trees of depth 2 each; one thread of linear algebra everywhere.
* Two workers and `wrk` share {os.cpu_count()} cores. `wrk` counts for a long answer also those that it kept from being asked for.
* Processor time is that of all processes of a service, with 16 connections. Memory is proportional set size after the load, of the largest worker; MB are 10^6 bytes. Ready is the first 200 of `/readyz` (MLflow: `/ping`), looked for every 50 ms.
* Every answer of the service and of FastAPI waits for the disk: an 8 KB append with `fdatasync` in the same directory ({rows["file_system"].iloc[0]}) took **{append.median():.2f} ms** (median; {append.min():.2f} to {append.max():.2f} before the turns).
* When it began, the load average of the machine was {load:.1f}: {shared}."""  # noqa: E501


def _short(number: float) -> str:
    """Return a number in three digits, or whole."""
    if abs(number) >= 100:
        return f"{number:,.0f}"
    return f"{number:.3g}"


def _table(head: list[str], words: list[int], rows: list[list[str]]) -> str:
    rule = ["---" if place in words else "---:" for place in range(len(head))]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows))
