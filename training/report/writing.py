"""A report on disk: one page and its numbers, whole or not at all."""

from pathlib import Path

from serving.whole_file import whole_file
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
    for name, content in (
        (REPORT_FILE, report_json(report)),
        (PAGE_FILE, page(report, drawn).encode()),
    ):
        with whole_file(folder / name) as sink:
            sink.write(content)
    return {f"{d.name}.png": png(d.figure) for d in drawn if d.name in _TRACKED}
