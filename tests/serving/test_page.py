"""The page loads nothing from elsewhere, stays small, and reads only what the answer says."""

import re
from importlib.resources import files

from data_schemas.predictors import PREDICTORS
from data_schemas.products import PRODUCTS
from data_schemas.risk_assessment import RiskAssessment
from serving.model.tumour_burden import SOURCES

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
    banner = "Research use only. Not validated on patients. Not for clinical decisions."
    assert banner in text


def test_every_field_of_the_answer_is_read_and_none_that_it_lacks() -> None:
    words = set(re.findall(r"\b[a-z]\w*\b", SCRIPT))
    assert set(NOT_SHOWN) <= ANSWER_FIELDS <= words | set(NOT_SHOWN)
    units = {"lb_av", "in_i"}
    compound = {word for word in words if "_" in word} - units
    assert compound <= ANSWER_FIELDS | set(PREDICTORS) | set(PRODUCTS) | NOT_OF_THE_ANSWER


def test_the_page_knows_the_measures_of_burden_and_the_products() -> None:
    table = SCRIPT[SCRIPT.index("const NODAL") : SCRIPT.index("const MEASURES")]
    nodal = re.search(r"NODAL = (\[.*?\])", table)
    assert nodal
    listed = dict(re.findall(r"(\w+): (NODAL|\[.*?\])", table))
    measures = {
        disease: tuple(re.findall(r'"(\w+)"', nodal[1] if value == "NODAL" else value))
        for disease, value in listed.items()
    }
    assert measures == SOURCES
    short = dict(re.findall(r'(\w+): "([\w-]+-cel)"', SCRIPT))
    assert short == {name: product.label for name, product in PRODUCTS.items()}
