"""A report on disk is what was built."""

from pathlib import Path

from tests.training.report.conftest import Told
from training.report.page import report_json
from training.report.writing import write_report


def test_page_numbers_and_pictures_are_written(developed: Told, tmp_path: Path) -> None:
    pictures = write_report(tmp_path / "new", developed.report)
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == ["report.html", "report.json"]
    assert (tmp_path / "new" / "report.json").read_bytes() == report_json(developed.report)
    assert (tmp_path / "new" / "report.html").read_text("utf-8") == developed.page
    assert set(pictures) == {"calibration.png", "decision.png", "importance.png", "prior.png"}
    assert all(content.startswith(b"\x89PNG") for content in pictures.values())


def test_what_cannot_be_drawn_is_not_among_the_pictures(few: Told, tmp_path: Path) -> None:
    assert set(write_report(tmp_path, few.report)) == {"importance.png", "prior.png"}
