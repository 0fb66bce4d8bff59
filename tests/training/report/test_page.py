"""The page prints report.json and nothing else, asks nobody outside, and says what is simulated."""

import re
from decimal import Decimal
from html import unescape

import pytest

from tests.training.report.conftest import NASTY_SITE, Told
from tests.training.report.reading import TEMPLATES, Printed, at
from training.report.labels import prediction_label, said
from training.report.page import page

PLACES = {"count": 0, "0": 0, "0.0": 1, "0.00": 2, "0.000": 3, "0.0000": 4, "%": 0, "0.0 %": 1}
PLACES |= {"+0.00": 2, "+0.000": 3, "+0.0000": 4}
WORDS = {
    "text": str,
    "words": said,
    "prediction": prediction_label,
    "sentence": lambda text: text[0].upper() + text[1:],
    "yes or no": {True: "yes", False: "no"}.__getitem__,
}
THREE_DIGITS = Decimal("0.005")


def number(text: str) -> Decimal:
    return Decimal(text.replace("−", "-").removesuffix("\N{NO-BREAK SPACE}%"))


def wrong(printed: Printed, value: object) -> bool:
    """Tell whether what is printed is not the value, rounded as its form says."""
    if printed.form in WORDS:
        return printed.text != WORDS[printed.form](value)
    exact = Decimal(str(value)) * (100 if printed.form.endswith("%") else 1)
    said_ = number(printed.text)
    if printed.form == "measured":
        return abs(said_ - exact) > THREE_DIGITS * abs(exact)
    places = PLACES[printed.form]
    return -said_.as_tuple().exponent != places or abs(said_ - exact) > Decimal(5).scaleb(
        -places - 1
    )


def test_every_printed_value_is_that_of_its_place_in_report_json(each: Told) -> None:
    assert len(each.seen.printed) > 400
    assert [
        (p, at(each.json, p.path)) for p in each.seen.printed if wrong(p, at(each.json, p.path))
    ] == []


def test_a_page_with_another_number_would_be_found(developed: Told) -> None:
    auroc = "evaluation.cross_validated.measures.auroc.value"
    printed = next(p for p in developed.seen.printed if p.path == auroc)
    assert not wrong(printed, at(developed.json, auroc))
    assert wrong(printed, at(developed.json, auroc) + 0.01)


def numerals(text: str) -> set[str]:
    return {word.strip(".,;:()") for word in text.split() if re.search(r"\d", word)}


def test_every_other_numeral_stands_in_a_template_or_the_title_of_a_figure(each: Told) -> None:
    written = "".join(unescape(path.read_text("utf-8")) for path in TEMPLATES.glob("*.html"))
    titles = " ".join(drawing.title for drawing in each.drawn)
    known = numerals(re.sub(r"[<>{}\"]", " ", written)) | numerals(titles)
    assert numerals(" ".join(each.seen.own_words)) - known == set()


def test_the_page_asks_nobody_outside(each: Told) -> None:
    tags = {tag for tag, _, _ in each.seen.attributes}
    assert tags.isdisjoint({"script", "link", "iframe", "img", "object", "embed", "base", "form"})
    asked = {"src", "srcset", "href", "xlink:href", "action", "poster", "data", "background"}
    assert {
        value
        for _, name, value in each.seen.attributes
        if name in asked and not value.startswith("#")
    } == set()
    assert "@import" not in each.page
    assert re.findall(r"url\((?!#)", each.page) == []


def test_every_link_leads_somewhere_and_every_id_stands_once(each: Told) -> None:
    ids = [value for _, name, value in each.seen.attributes if name == "id"]
    links = {
        value[1:]
        for _, name, value in each.seen.attributes
        if name in ("href", "xlink:href") and value.startswith("#")
    }
    assert len(ids) == len(set(ids))
    assert links <= set(ids)


def test_every_figure_and_table_of_simulated_patients_says_so(developed: Told) -> None:
    of_no_patient = ("before any patient", "Reporting items")
    unmarked = [
        figure
        for figure in developed.seen.figures
        if "never clinical performance" not in figure
        and not any(words in figure for words in of_no_patient)
    ]
    assert len(developed.seen.figures) > 25
    assert unmarked == []


def test_a_rehearsal_marks_what_was_judged_and_not_the_published_evidence(rehearsed: Told) -> None:
    marked = {"Simulated centres, never clinical performance" in f for f in rehearsed.seen.figures}
    assert marked == {True, False}
    measured = ("Calibration", "Decision curve", "Leading measures", "Measures, with", "sites")
    for figure in rehearsed.seen.figures:
        if any(figure.strip().startswith(words) for words in measured):
            assert "never clinical performance" in figure
        if "Each predictor alone" in figure:
            assert "imulated" not in figure


def test_real_patients_are_not_called_simulated(external: Told) -> None:
    assert external.report.marks.judged is None
    assert not any("imulated" in figure for figure in external.seen.figures)
    assert "This verdict rests on simulated patients" not in external.seen.words


def test_the_first_page_says_the_verdict_the_reasons_and_on_how_many_patients(
    external: Told,
) -> None:
    first = external.seen.words.partition("Contents")[0]
    for words in (
        "Research use only. Not for clinical decisions.",
        "✗ Refused",
        "May not answer: one of two limits is not kept.",
        "✗ not kept: ICI 0.50 is too far. ✓ kept: AUROC 0.75 is kept.",
        "fitted on real patients 0",
        f"judged here on real patients {external.report.evaluation.patients}",
    ):
        assert words in first


def test_nothing_to_hold_it_against_is_not_called_accepted(rehearsed: Told) -> None:
    first = rehearsed.seen.words.partition("Contents")[0]
    assert "Nothing to hold it against" in first
    assert "✓ Accepted" not in first


@pytest.mark.parametrize("word", ["nan", "NaN", "inf", "None", "null", "Undefined"])
def test_what_is_missing_is_never_printed_as_a_program_would(each: Told, word: str) -> None:
    assert word not in {p.text for p in each.seen.printed}
    assert word not in each.seen.words.split()


def test_what_is_missing_has_its_reason(few: Told, rehearsed: Told) -> None:
    reasons = {p.path: p.text for p in few.seen.printed}
    assert reasons["evaluation.absent.leading"].startswith("no cross-validation was made")
    reasons = {p.path: p.text for p in rehearsed.seen.printed}
    assert reasons["absent.flow"] == "no cohort was given: nobody was screened"


def test_no_patient_can_be_recognised(developed: Told) -> None:
    assert developed.table is not None
    identifiers = set(developed.table["patient_id"].astype(str))
    assert len(identifiers) == 300
    assert not any(name in developed.page for name in identifiers)
    days = set(developed.table["infusion_date"].astype(str).str[:10])
    assert not any(day in developed.page for day in days)


def test_markup_in_a_name_is_text(external: Told) -> None:
    assert NASTY_SITE not in external.page
    assert NASTY_SITE in external.seen.words


def test_the_same_report_is_the_same_page(developed: Told) -> None:
    assert page(developed.report) == developed.page
