"""A report on disk: one page and its numbers, whole or not at all."""

import os
from pathlib import Path

from training.report.figures import drawings, png
from training.report.page import PAGE_FILE, REPORT_FILE, page, report_json
from training.report.record import Report

_TRACKED = ("calibration", "decision", "importance", "prior")
"""The figures that a run in the tracking store shows beside the report."""


def write_report(folder: Path, report: Report) -> dict[str, bytes]:
    """Write ``report.json`` and ``report.html`` into a folder; return some figures as PNG by name.

    There is no row of a patient in either.
    """
    drawn = list(drawings(report))
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / REPORT_FILE, report_json(report))
    _write(folder / PAGE_FILE, page(report, drawn).encode())
    return {f"{d.name}.png": png(d.figure) for d in drawn if d.name in _TRACKED}


def _write(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
