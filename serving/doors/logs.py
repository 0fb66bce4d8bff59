"""Logs as lines of JSON: one for each request, and whatever uvicorn and BentoML say.

A line holds route templates, statuses, times and ids made here; never a path, a query, a header, a
body or the message of an exception.
"""

import logging
import sys
from datetime import UTC, datetime

import orjson

OURS = "cart_risk"
_FIELDS = (
    "route",
    "method",
    "status",
    "milliseconds",
    "request_id",
    "caller",
    "error",
    "at",
    "reason",
)


class JsonLines(logging.Formatter):
    """One record as one line of JSON; of an exception only its kind."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            # Of what others print in several lines only the first: below it may stand anything.
            "message": record.getMessage().partition("\n")[0],
        }
        line |= {name: record.__dict__[name] for name in _FIELDS if name in record.__dict__}
        if record.exc_info and record.exc_info[0]:
            line["error"] = record.exc_info[0].__name__
        return orjson.dumps(line).decode()


def log_as_json() -> None:
    """Let every logger of this process write JSON lines to standard output."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers = [handler]
    for name in ("bentoml", "circus", "uvicorn", "uvicorn.error", "uvicorn.access", OURS):
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = True
    logging.getLogger(OURS).setLevel(logging.INFO)
    _gather_only_what_is_written()


def _gather_only_what_is_written() -> None:
    """Spare each record what no line holds, by the switches that ``logging`` documents for it."""
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None
