"""Figures come from the record alone, with the same bytes, and say what they rest on."""

import re
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from tests.training.evaluation.conftest import asked, scored
from tests.training.report.conftest import Told
from training.evaluation.evaluate import evaluate
from training.evaluation.record import Evaluation
from training.report.figures import drawings, png, svg
from training.report.figures.calibration import calibration
from training.report.figures.drawn import best_comparison
from training.report.figures.forest import MOST_ROWS, of_subgroups, sheets
from training.report.figures.instability import calibration as of_refits
from training.report.figures.style import look, settle, sheet
from training.report.page import report_json
from training.report.record import Report

OF_JUDGEMENT = {
    "calibration",
    "decision",
    "across-site-1",
    "across-product-1",
    "subgroups-1",
    "instability",
    "instability-calibration",
    "instability-net-benefit",
}
OF_MODEL = {"importance", "contributions", "risks", "prior"}


def names(told: Told) -> set[str]:
    return {drawing.name for drawing in told.drawn}


def test_a_development_has_every_figure(developed: Told) -> None:
    assert names(developed) == OF_JUDGEMENT | OF_MODEL


def test_what_has_no_numbers_has_no_figure(few: Told, rehearsed: Told) -> None:
    assert names(few) == OF_MODEL
    assert not any(name.startswith("instability") for name in names(rehearsed))


def test_figures_come_from_the_json_alone(developed: Told) -> None:
    read_back = Report.model_validate_json(report_json(developed.report))
    for one, other in zip(developed.drawn, drawings(read_back), strict=True):
        assert svg(one.figure, one.name, "") == svg(other.figure, other.name, "")


def test_the_same_figure_has_the_same_bytes(developed: Told) -> None:
    first, again = (next(drawings(developed.report)) for _ in range(2))
    assert png(first.figure) == png(again.figure)
    assert png(first.figure).startswith(b"\x89PNG")


def test_an_svg_holds_no_date_no_program_and_only_ids_of_its_own(developed: Told) -> None:
    for drawing in developed.drawn:
        text = svg(drawing.figure, drawing.name, drawing.alternative)
        ids = re.findall(r'\sid="([^"]*)"', text)
        assert len(ids) == len(set(ids))
        assert all(name.startswith(f"{drawing.name}-") for name in ids)
        used = re.findall(r'href="#([^"]*)"|url\(#([^)]*)\)', text)
        assert {a or b for a, b in used} <= set(ids)
        assert "<metadata>" not in text
        assert "matplotlib" not in text.lower().replace("matplotlib.axis", "")


def test_a_figure_says_in_words_what_it_shows_and_on_whom(developed: Told) -> None:
    for drawing in developed.drawn:
        text = svg(drawing.figure, drawing.name, drawing.alternative)
        assert f'aria-label="{drawing.title}: ' in text
        assert "never clinical performance" in text


def with_comparators(*complete: bool) -> Evaluation:
    whole = scored(fitted_here=False)
    z = whole.model
    others = {}
    for i, answers_all in enumerate(complete):
        other = z * (0.5 + 0.1 * i)
        other[0] = other[0] if answers_all else float("nan")
        others[f"score_{i}"] = other
    return evaluate(replace(whole, comparators=others), asked())


def test_the_best_other_prediction_answers_everybody() -> None:
    best = best_comparison(with_comparators(True, True, False))
    assert best is not None
    assert best.comparator == "score_1"
    assert best_comparison(with_comparators(False)) is None


@pytest.mark.parametrize("rows", [1, MOST_ROWS, MOST_ROWS + 1, 3 * MOST_ROWS])
def test_long_forests_are_cut_into_sheets_without_loss(developed: Told, rows: int) -> None:
    some = of_subgroups(developed.report.evaluation.subgroups)
    wanted = (some * rows)[:rows]
    cut = sheets(wanted)
    assert [row for sheet in cut for row in sheet] == wanted
    assert max(map(len, cut)) <= MOST_ROWS


@pytest.mark.parametrize("site", ["Haus $a_1$", "ward $5", "$\\frac{$", "A$ and B$"])
def test_a_site_may_be_called_what_it_likes(site: str) -> None:
    """What stands between dollar signs is no formula: each letter is drawn, and none ends it."""
    with look():
        figure = sheet(3.0, 1.0, site, None)
        figure.subplots().set_axis_off()
        settle(figure)
    assert svg(figure, "site", "").count("<use ") == len(site)


def words(figure: Figure) -> str:
    return " ".join(text.get_text() for text in figure.findobj(Text))


def test_a_panel_that_cannot_be_drawn_says_why() -> None:
    whole = scored(fitted_here=False)
    one_risk = evaluate(replace(whole, model=np.full(len(whole), -1.0)), asked()).headline
    assert one_risk is not None
    figure = calibration(one_risk, "Calibration", None)
    assert "not drawn: all patients have one risk" in words(figure)


def test_refits_without_calibration_curves_say_so(developed: Told) -> None:
    found = developed.report.evaluation.instability
    assert found is not None
    none = found.model_copy(update={"calibration_low": (), "calibration_high": ()})
    assert "too few refits" in words(of_refits(none, "Calibration under refits", None))


def test_nobody_measured_is_drawn_empty() -> None:
    whole = scored(fitted_here=False)
    nobody = evaluate(replace(whole, model=np.full(len(whole), np.nan), comparators={}), asked())
    assert nobody.headline is not None
    assert "no patient has a log-odds" in words(calibration(nobody.headline, "Calibration", None))
