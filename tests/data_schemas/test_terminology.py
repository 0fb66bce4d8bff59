"""The tables of codes: each row a word of the contract, no code twice, no silent trust."""

from pathlib import Path

import pytest

import data_schemas.terminology as terminology
from data_schemas.predictors import PREDICTORS, Flag
from data_schemas.products import DISEASES, PRODUCTS
from data_schemas.terminology import (
    ANSWERS,
    COMORBIDITIES,
    DISEASES_BY_CODE,
    INVOLVEMENT,
    NOT_READ,
    PRODUCTS_BY_CODE,
    CodeTable,
)

TABLES = {name: one for name, one in vars(terminology).items() if isinstance(one, CodeTable)}
UNVERIFIED = {
    "L01XL03", "L01XL04", "L01XL05", "L01XL06", "L01XL07", "Q2041", "Q2042", "Q2055", "Q2056",
    "Q2058", "XW033N7", "XW043N7",
}  # fmt: skip
"""Product codes that were taken over and not found again in their source."""


def check_digit(code: str) -> int:
    """The last digit of a LOINC code, by its rule (mod 10)."""
    digits = [int(digit) for digit in code.partition("-")[0][::-1]]
    doubled = "".join(str(2 * d if i % 2 == 0 else d) for i, d in enumerate(digits))
    return -sum(map(int, doubled)) % 10


def test_every_row_means_a_word_of_the_contract() -> None:
    assert {row.means for row in PRODUCTS_BY_CODE.rows} <= PRODUCTS.keys()
    assert {row.means for row in DISEASES_BY_CODE.rows} <= DISEASES.keys()
    assert all(isinstance(PREDICTORS[row.means], Flag) for row in COMORBIDITIES.rows)
    assert {row.means.partition("=")[0] for row in ANSWERS.rows} == {"ecog"}
    assert {row.means for row in INVOLVEMENT.rows} == {"cns_involvement=active"}
    assert {row.means for row in NOT_READ.rows} <= PREDICTORS.keys()


@pytest.mark.parametrize("name", TABLES)
def test_no_code_stands_twice_and_every_row_has_its_source(name: str) -> None:
    rows = TABLES[name].rows
    assert len({(row.system, row.code) for row in rows}) == len(rows) > 0
    assert all(row.source and row.display for row in rows)


def test_codes_that_nobody_found_again_keep_their_mark() -> None:
    assert {r.code for r in PRODUCTS_BY_CODE.rows if r.verified == "unread"} == UNVERIFIED
    assert {r.verified for r in DISEASES_BY_CODE.rows if r.system == "snomed"} == {"unread"}


def test_laboratory_codes_have_their_check_digit() -> None:
    codes = {code for declared in PREDICTORS.values() for code in declared.loinc}
    codes |= {row.code for row in NOT_READ.rows}
    assert [c for c in codes if int(c[-1]) != check_digit(c)] == []
    assert int("1988-6"[-1]) != check_digit("1988-6")


def test_codes_that_are_not_read_are_no_predictors_unless_nobody_can_tell_which() -> None:
    declared = {code for one in PREDICTORS.values() for code in one.loinc}
    both = {row.code for row in NOT_READ.rows} & declared
    assert both == set(PREDICTORS["involved_flc"].loinc)


@pytest.mark.parametrize("written", ["C83.38", "C8338", "C833", "C83.3"])
def test_an_icd10_code_is_the_same_without_its_dot(written: str) -> None:
    """So claims and billing systems send it; a comorbidity that was not found would be a no."""
    found = DISEASES_BY_CODE.find("http://hl7.org/fhir/sid/icd-10-cm", written)
    assert found is not None
    assert found.means == "LBCL"


def test_every_icd10_code_is_found_without_its_dot() -> None:
    for table in TABLES.values():
        for row in (row for row in table.rows if row.system == "icd10"):
            address = "http://hl7.org/fhir/sid/icd-10"
            assert table.find(address, row.code.replace(".", "")) == row


def test_a_code_is_found_by_system_and_by_the_longest_code_above_it() -> None:
    icd10 = "http://hl7.org/fhir/sid/icd-10"
    found = DISEASES_BY_CODE.find(icd10, "C83.31")
    assert found is not None
    assert (found.code, found.means) == ("C83.3", "LBCL")
    for system, code in ((icd10, "C8"), ("x", "C83.3"), (None, "C83.3"), (icd10, None), ([], {})):
        assert DISEASES_BY_CODE.find(system, code) is None
    assert DISEASES_BY_CODE.speaks(icd10)
    assert not DISEASES_BY_CODE.speaks("http://loinc.org")


def test_what_has_no_row_is_no_comorbidity_only_in_a_classification() -> None:
    """What FHIR's closedWorld rests on: a code outside of these blocks is none of them."""
    assert {row.system for row in COMORBIDITIES.rows} == {"icd10"}
    assert COMORBIDITIES.classifies("http://hl7.org/fhir/sid/icd-10-cm")
    for system in ("http://snomed.info/sct", "http://loinc.org", "x", None, []):
        assert not COMORBIDITIES.classifies(system)
    assert not DISEASES_BY_CODE.classifies("http://snomed.info/sct")


def test_every_table_is_loaded() -> None:
    folder = Path(terminology.__file__).parent
    files = {path.stem for path in folder.glob("*.toml")}
    assert len(files) == len(TABLES) + 1  # systems
