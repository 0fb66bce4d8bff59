"""Logs as lines of JSON: one for each request, and whatever uvicorn and BentoML say.

A line holds route templates, statuses, times and ids made here; never a path, a query, a header, a
body or the message of an exception.
"""

import asyncio
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime

import orjson

from serving.doors.standard_output import StandardOutput

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


class RequestLines:
    """A line for each answered request; those of one turn of the event loop are written together.

    The answers leave first, and the line costs less than a record of ``logging``.
    """

    def __init__(self) -> None:
        """Begin without lines."""
        self._lines: list[bytes] = []

    def add(self, fields: Mapping[str, object]) -> None:
        """Take the line of a request, from within the event loop."""
        if not self._lines:
            asyncio.get_running_loop().call_soon(self._write)
        line = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "level": "info",
            "logger": f"{OURS}.requests",
            **fields,
        }
        self._lines.append(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))

    def _write(self) -> None:
        # Whatever becomes of these, the next line begins anew.
        lines, self._lines = self._lines, []
        sys.stdout.write(b"".join(lines).decode())
        sys.stdout.flush()


def log_as_json() -> None:
    """Let every logger of this process write JSON lines to standard output, and wait for none."""
    sys.stdout = StandardOutput(sys.stdout.fileno())
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
