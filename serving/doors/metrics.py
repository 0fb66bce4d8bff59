"""What an operator sees: counts and times, by route template and closed lists of words only."""

import os
from collections import Counter as Sums
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector

from serving.assessment_log.counters import Counters
from serving.model.artefact import Artefact

MEDIA_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.125, 0.25, 0.5, 1, 2, 4)

REQUESTS = Counter("cart_risk_requests", "Answers sent.", ("route", "method", "status"))
SECONDS = Histogram("cart_risk_request_seconds", "Time to answer.", ("route",), buckets=_SECONDS)
ASSESSMENTS = Counter("cart_risk_assessments", "Assessments made.", ("status",))
CAUTIONS = Counter("cart_risk_cautions", "Cautions given with assessments.", ("code",))
MISSING = Counter(
    "cart_risk_missing", "Assessments without a predictor that a model uses.", ("predictor",)
)
LOG_SECONDS = Histogram(
    "cart_risk_log_commit_seconds", "From an answer to its row on disk.", buckets=_SECONDS
)
LOG_LAG = Gauge(
    "cart_risk_log_lag_seconds",
    "How long the answer that waits longest has waited for its row, of any worker.",
    multiprocess_mode="livemax",
)
LOG_UNAVAILABLE = Counter(
    "cart_risk_log_unavailable", "Answers and reports refused: no row on disk."
)
LOG_ROWS = Counter("cart_risk_log_rows", "Rows that are on disk.")
LOG_TRANSACTIONS = Counter("cart_risk_log_transactions", "Flushes that brought them there.")
LOG_OPENED = Counter(
    "cart_risk_log_opened", "Chains of rows begun: one by each worker, one more after each failure."
)
MODEL = Gauge(
    "cart_risk_model_in_service",
    "1 for the model that answers, 0 for one that did.",
    ("outcome", "version", "sha256"),
    multiprocess_mode="mostrecent",
)
UPDATE_REFUSED = Gauge(
    "cart_risk_model_update_refused",
    "1 while the store holds a model that was refused.",
    multiprocess_mode="mostrecent",
)

KEYS_REFUSED = Gauge(
    "cart_risk_keys_refused",
    "1 while a worker goes by former keys, for the key file cannot be read, or has no valid one.",
    multiprocess_mode="livemax",
)

_uncounted: dict[tuple[str, tuple[str, ...], tuple[str, ...]], int] = {}


def count_answer(route: str, method: str, status: int, seconds: float) -> None:
    """Count one answered request and how long it took."""
    requests, times = _series_of(route, method, status)
    requests.inc()
    times.observe(seconds)


@cache
def _series_of(route: str, method: str, status: int) -> tuple[Counter, Histogram]:
    return REQUESTS.labels(route, method, status), SECONDS.labels(route)


def count_assessment(status: str, cautions: tuple[str, ...], missing: tuple[str, ...]) -> None:
    """Count one assessment; :func:`count_up` brings it into the metrics.

    It touches a dozen series, and the next patient mostly the same ones.
    """
    alike = status, cautions, missing
    _uncounted[alike] = _uncounted.get(alike, 0) + 1


def count_up() -> None:
    """Bring the assessments since the last time into the metrics, from the event loop's thread.

    Each series is touched once, however many different patients there were: nobody is answered
    meanwhile.
    """
    sums: Sums[tuple[Counter, str]] = Sums()
    for (status, cautions, missing), times in _uncounted.items():
        sums[ASSESSMENTS, status] += times
        for code in set(cautions):
            sums[CAUTIONS, code] += times
        for predictor in missing:
            sums[MISSING, predictor] += times
    _uncounted.clear()
    for (metric, word), times in sums.items():
        metric.labels(word).inc(times)


def count_log(before: Counters, now: Counters) -> None:
    """Count what the log did in between."""
    LOG_ROWS.inc(now.rows - before.rows)
    LOG_TRANSACTIONS.inc(now.transactions - before.transactions)
    LOG_OPENED.inc(now.opened - before.opened)


def show_models(
    before: Mapping[str, Artefact], now: Mapping[str, Artefact], refused: str | None
) -> None:
    """Tell which model answers for each outcome."""
    for artefacts, value in ((before, 0), (now, 1)):
        for outcome, artefact in artefacts.items():
            MODEL.labels(outcome, artefact.version, artefact.sha256).set(value)
    UPDATE_REFUSED.set(refused is not None)


def forget_dead_workers() -> None:
    """Leave out what workers said last that are gone: whoever is killed leaves it behind."""
    place = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if not place:
        return
    for left in Path(place).glob("gauge_*.db"):
        process = int(left.stem.rpartition("_")[2])
        try:
            os.kill(process, 0)
        except (ProcessLookupError, PermissionError):  # or its number is somebody else's now
            left.unlink(missing_ok=True)


def leave_nothing_uncounted() -> None:
    """Remove, at the end of a worker, those of its files in which nothing was counted.

    A worker that cannot start is started again and again, at night and at weekends: thousands of
    its files would fill a memory of 64 MB, as containers have, in which no worker could count.
    """
    place = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if not place:
        return
    for left in Path(place).glob(f"*_{os.getpid()}.db"):
        # The library leaves it without types.
        counted = MmapedDict.read_all_values_from_file(left)  # type: ignore[no-untyped-call]
        if not any(value for _, value, _, _ in counted):
            left.unlink()


def exposition() -> bytes:
    """Return the metrics of all workers together as Prometheus reads them."""
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the library leaves it so
    return generate_latest(registry)
