"""A word is known however it is written, alike in a table and in a request, and never guessed."""

import pandas as pd
import pytest

from data_schemas.cohort_table import CohortRefused, Purpose, read_cohort
from data_schemas.patient_request import RequestProblems, read_patient
from data_schemas.predictors import PREDICTORS, Category
from data_schemas.word_spellings import SPELLINGS, TRADE_NAMES, folded

CATEGORIES = {name: d for name, d in PREDICTORS.items() if isinstance(d, Category)}
AXI, BREXU = "axicabtagene_ciloleucel", "brexucabtagene_autoleucel"


def asked(name: str, text: object) -> object:
    body = {"product": "axi-cel", "disease": "LBCL", "age": {"value": 64, "unit": "a"}}
    return getattr(read_patient(body | {name: text}).predictors, name)


def in_table(name: str, text: object) -> object:
    row = {"patient_id": "P1", "product": "axi-cel", "disease": "LBCL"}
    return read_cohort(pd.DataFrame([row | {name: text}]), Purpose.SCORING).predictors[name][0]


@pytest.mark.parametrize(
    ("name", "text", "word"),
    [
        ("product", "axicabtagene ciloleucel", AXI),
        ("product", "Axicabtagene-Ciloleucel", AXI),
        ("product", "AXI CEL", AXI),
        ("product", "YESCARTA®", AXI),
        ("product", " Tecartus™ ", BREXU),
        ("product", "brexu\u2011cel", BREXU),
        ("sex", "M", "male"),
        ("sex", "f", "female"),
        ("sex", "Female ", "female"),
        ("disease", "lbcl", "LBCL"),
        ("disease", "DLBCL", "LBCL"),
        ("disease", "Diffuse large B-cell lymphoma", "LBCL"),
        ("disease", "B-ALL", "B_ALL"),
        ("disease", "CLL", "CLL_SLL"),
        ("disease", "multiple myeloma", "MM"),
        ("ld_regimen", "Flu/Cy", "flu_cy"),
        ("ld_regimen", "NONE", "none"),
        ("bridging", "None", "none"),
        ("bridging", "Unknown", "unknown"),
        ("bridging_response", "cr", "CR"),
        ("mrd_status", "Negative", "neg"),
    ],
)
def test_a_word_is_read_however_it_is_written_and_alike_at_both_doors(
    name: str, text: str, word: str
) -> None:
    assert asked(name, text) == word
    assert in_table(name, text) == word


@pytest.mark.parametrize("name", sorted(CATEGORIES))
def test_every_word_of_the_contract_means_itself(name: str) -> None:
    """So no two of them are told apart by case or hyphens alone, and no synonym is another one."""
    for word in CATEGORIES[name].choices:
        assert SPELLINGS[name][folded(word)] == word
    assert set(SPELLINGS[name].values()) == set(CATEGORIES[name].choices)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("disease", "ALL"),
        ("disease", "lymphoma"),
        ("disease", "leukaemia"),
        ("sex", "x"),
        ("product", "axi"),
        ("product", "ciloleucel"),
        ("product", "axi-cel" + " " * 80),
        ("product", 7),
    ],
)
def test_what_may_mean_several_words_is_refused(name: str, text: object) -> None:
    with pytest.raises(RequestProblems):
        asked(name, text)
    with pytest.raises(CohortRefused):
        in_table(name, text)


def test_the_names_of_products_are_told_at_both_doors() -> None:
    with pytest.raises(RequestProblems) as request:
        asked("product", "axicel")
    with pytest.raises(CohortRefused) as table:
        in_table("product", "axicel")
    for message in (request.value.problems[0].message, table.value.violations[0].message):
        assert TRADE_NAMES in message
        assert "Yescarta" in message
        assert "axicel" not in message


def test_an_empty_column_is_missed_where_it_has_a_meaning_however_the_disease_is_written() -> None:
    row = {"patient_id": "P1", "site": "north", "infusion_date": "2024-03-12", "age_years": 64}
    row |= {"product": "Tecartus", "disease": "b-all", "marrow_blast_pct": None}
    with pytest.raises(CohortRefused) as caught:
        read_cohort(pd.DataFrame([row]), Purpose.DEVELOPMENT)
    assert caught.value.rules == {"all_missing"}
