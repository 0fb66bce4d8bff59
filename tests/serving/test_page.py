"""The page loads nothing from elsewhere, stays small, and reads only what the answer says."""

import re
from importlib.resources import files

from data_schemas.predictors import PREDICTORS
from data_schemas.products import DISEASES, PRODUCTS
from data_schemas.risk_assessment import RiskAssessment
from serving.model.tumour_burden import SOURCES
from serving.ward import Ward
from tests.serving.at_the_door import client_of

MOST_BYTES = 32_000
HTML, SCRIPT, STYLE = (
    (files("serving.web") / name).read_text("utf-8")
    for name in ("index.html", "page.js", "style.css")
)
SCHEMA = RiskAssessment.model_json_schema()
ANSWER_FIELDS = {
    name for record in (SCHEMA, *SCHEMA["$defs"].values()) for name in record.get("properties", ())
}
NOT_SHOWN = {
    "outcome": "its label is shown",
    "code": "its text is shown",
    "id": "its study and citation are shown",
    "name": "its label is shown",
    "days_before_infusion": "the form asks no dates",
    "local_deviation": "the model card tells it",
    "odds_ratio": "the statement says it in words",
    "direction": "the text of a reason says it in words",
    "centile": "the text of a reason says it in words",
    "unread": "the text of a reason or a contribution says it in words",
}
NOT_OF_THE_ANSWER = {"used_by_model", "accepted_units", "insufficient_data", "out_of_scope"}


def test_nothing_comes_from_another_host_or_breaks_the_content_policy() -> None:
    namespaces = SCRIPT.replace("http://www.w3.org/${space}", "")
    assert not re.search(r"https?://|@import|url\((?!#)", HTML + namespaces + STYLE)
    assert not re.search(r"<script[^>]*>[^<\s]|<style|\sstyle=|\son\w+=", HTML)
    assert not re.search(r"""["']style["']|innerHTML|\beval\b""", SCRIPT)


def test_patient_values_are_neither_kept_nor_put_into_the_address() -> None:
    assert not re.search(r"(Storage|console|cookie|location|history|indexedDB)\b[.\[]", SCRIPT)
    assert not re.search(r"<(input|select|form)[^>]*\b(name|action|method)=", HTML)


def test_the_page_is_small() -> None:
    assert sum(len(text.encode()) for text in (HTML, SCRIPT, STYLE)) < MOST_BYTES


def test_the_research_use_banner_is_in_the_page_itself() -> None:
    text = " ".join(re.sub(r"<[^>]+>", "", HTML).split())
    banner = (
        "Research use only. Not for clinical decisions. "
        "Every answer says on how many patients its models rest."
    )
    assert banner in text


def test_every_field_of_the_answer_is_read_and_none_that_it_lacks() -> None:
    words = set(re.findall(r"\b[a-z]\w*\b", SCRIPT))
    assert set(NOT_SHOWN) <= ANSWER_FIELDS <= words | set(NOT_SHOWN)
    units = {"lb_av", "in_i"}
    compound = {word for word in words if "_" in word} - units
    assert compound <= ANSWER_FIELDS | set(PREDICTORS) | NOT_OF_THE_ANSWER


def test_the_page_knows_the_measures_of_burden() -> None:
    table = SCRIPT[SCRIPT.index("const NODAL") : SCRIPT.index("const MEASURES")]
    nodal = re.search(r"NODAL = (\[.*?\])", table)
    assert nodal
    listed = dict(re.findall(r"(\w+): (NODAL|\[.*?\])", table))
    measures = {
        disease: tuple(re.findall(r'"(\w+)"', nodal[1] if value == "NODAL" else value))
        for disease, value in listed.items()
    }
    assert measures == SOURCES


def test_the_words_of_products_and_diseases_stand_in_the_contract_alone(ward: Ward) -> None:
    with client_of(ward) as client:
        served = client.get("/v1/predictors").json()["predictors"]
    labels = {one["name"]: one["labels"] for one in served if one["kind"] == "category"}
    assert labels.pop("product") == {name: one.label for name, one in PRODUCTS.items()}
    assert labels.pop("disease") == DISEASES
    assert not any(labels.values())
    known = [one.label for one in PRODUCTS.values()] + [*PRODUCTS, "myeloma"]
    assert [word for word in known if word in SCRIPT] == []
    assert "labels[word]" in SCRIPT


def test_the_code_of_a_disease_can_be_typed() -> None:
    """Browsers take MM for the second disease with M, unless the page reads it itself."""
    assert 'byId("field-disease").addEventListener("keydown", typeCode)' in SCRIPT


def test_a_caution_about_a_value_stands_beside_it_on_the_narrowest_screen() -> None:
    table = SCRIPT[SCRIPT.index("function valuesUsed") : SCRIPT.index("function valueWords")]
    heads = re.search(r'\["Predictor", (.*?)\]', table)
    assert heads
    assert len(heads[1].split('", "')) == 3
    assert re.search(r'valueWords\(used\), make\("div.flag", cautionOf', table)
    narrow = STYLE[STYLE.index("(max-width: 34rem)") :]
    assert '[aria-label="Worst first"] table { min-width: 0;' in narrow
    assert '"Worst first"' in table


def test_the_figure_keeps_its_colours_where_the_system_sets_others() -> None:
    """Windows' high contrast sets text and grounds, and no fill: the patient was black on black."""
    figure = re.search(r"^figure \{(.*?)\}", STYLE, re.MULTILINE)
    assert figure
    assert set(map(str.strip, figure[1].split(";"))) >= {
        "forced-color-adjust: none",
        "background: #fff",
        "color: var(--text)",
    }


def test_a_key_that_no_header_can_hold_is_refused_by_the_service() -> None:
    """With a character beyond Latin-1 nothing would be sent: the service was said to be gone."""
    assert 'Bearer ${encodeURI(byId("key").value.trim())}' in SCRIPT


def test_what_is_no_answer_is_not_shown_as_one() -> None:
    """A proxy that asks for a password answers with 200 and a page of its own."""
    submit = SCRIPT[SCRIPT.index("async function submit") : SCRIPT.index("function showProblems")]
    assert "if (received.outcomes) showAnswer(received, sent)" in submit
    example = SCRIPT[
        SCRIPT.index("async function fillWith") : SCRIPT.index("// Asking the service")
    ]
    assert example.index("if (!paths) return say(detail)") < example.index("clearForm()")


def test_what_is_no_number_goes_out_as_it_is_for_the_service_to_say_what_to_write() -> None:
    assert "Number.isFinite(Number(given)) ? Number(given) : given" in SCRIPT
