"""What the service is to reach, and whether it did, decided by the rounds of one run."""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

Rows = pd.DataFrame
OURS, TWO_WORKERS, BRIEF = "ours", "ours_two_workers", "brief"


@dataclass(frozen=True)
class Target:
    """One number to reach: from the rows of a run to one value a round."""

    what: str
    value: Callable[[Rows], pd.Series]
    limit: float
    at_least: bool = False


@dataclass(frozen=True)
class Verdict:
    """What was measured against a target: the median of the rounds, and their range."""

    target: Target
    median: float
    low: float
    high: float

    @property
    def reached(self) -> bool:
        """Tell whether the median reaches the target."""
        if self.target.at_least:
            return self.median >= self.target.limit
        return self.median <= self.target.limit


def of(service: str, measure: str) -> Callable[[Rows], pd.Series]:
    """Return how a service's measure is read, one value a round."""
    return lambda rows: _by_round(rows, service)[measure]


def ratio(service: str, peer: str) -> Callable[[Rows], pd.Series]:
    """Return how the ratio of answers a second is read, each round by itself."""
    return lambda rows: _by_round(rows, service)["rate"] / _by_round(rows, peer)["rate"]


def _by_round(rows: Rows, service: str) -> Rows:
    return rows[rows["service"] == service].set_index("round")


def _answering(service: str) -> tuple[Target, ...]:
    return (
        Target("1 connection, p50, ms", of(service, "p50_alone"), 0.4),
        Target("1 connection, p99, ms", of(service, "p99_alone"), 1.0),
        Target("16 connections, answers a second", of(service, "rate"), 3500, at_least=True),
        Target("16 connections, p99, ms", of(service, "p99"), 8.0),
        Target("answers a second / BentoML with `shap`", ratio(service, "bentoml"), 8, True),
        Target("answers a second / MLflow with `shap`", ratio(service, "mlflow"), 12, True),
    )


TARGETS = (
    *_answering(OURS),
    Target("answers a second / FastAPI + orjson", ratio(OURS, "fastapi"), 0.8, at_least=True),
    Target("two workers / one worker", ratio(TWO_WORKERS, OURS), 1.8, at_least=True),
    Target("seconds from start to ready", of(OURS, "start_seconds"), 4.0),
    Target("memory of a worker after load, PSS, MB", of(OURS, "worker_megabytes"), 180),
)

TARGETS_OF_BRIEF = _answering(BRIEF)
"""What is said of whole answers holds for brief ones, too."""


def verdicts(rows: Rows, targets: tuple[Target, ...] = TARGETS) -> list[Verdict]:
    """Return what the rounds of a run say to every target.

    Parameters
    ----------
    rows
        One row a round and service.
    """
    said = []
    for target in targets:
        values = target.value(rows)
        said.append(Verdict(target, values.median(), values.min(), values.max()))
    return said
