"""Drugs and conditions: a record says yes, its absence says nothing."""

from typing import Any

import pytest

from tests.serving.fhir.resources import UCUM, concept, condition, drug, read, said_in_germany

CY, FLU, BENDA, DEX = "L01AA01", "L01BB05", "L01AA09", "H02AB02"
TOCI, ANAKINRA = "L04AC07", "L04AC03"
ADMINISTERED = "MedicationAdministration"


def word(name: str, *drugs: Any) -> Any:
    return read(*drugs).record.get(name)


def test_absence_is_unknown() -> None:
    names = {"ld_regimen", "bridging", "crs_prophylaxis", "steroid_within_7d", "neuro_comorbidity"}
    names |= {"cardiac_disease", "diabetes", "prior_cart_or_bispecific", "cns_involvement"}
    assert names.isdisjoint(read().record)


@pytest.mark.parametrize("kind", ["MedicationRequest", ADMINISTERED])
@pytest.mark.parametrize(
    ("given", "regimen"),
    [
        ([(FLU, "2026-03-09"), (CY, "2026-03-09")], "flu_cy"),
        ([(FLU, "2026-02-28"), (CY, "2026-03-13")], "flu_cy"),
        ([(BENDA, "2026-03-10")], "bendamustine"),
        ([(CY, "2026-03-09")], None),
        ([(FLU, "2026-03-09")], None),
        ([(FLU, "2026-03-09"), (BENDA, "2026-03-09")], None),
        ([(FLU, "2026-03-14"), (CY, "2026-03-14")], None),
        ([(FLU, "2026-02-27"), (CY, "2026-02-27")], None),
    ],
)
def test_a_whole_regimen_in_the_two_weeks_before_is_lymphodepletion(
    kind: str, given: list[tuple[str, str]], regimen: str | None
) -> None:
    drugs = [drug(f"d{i}", code, day, kind) for i, (code, day) in enumerate(given)]
    reading = read(*drugs)
    assert reading.record.get("ld_regimen") == regimen
    if regimen:
        assert reading.basis["ld_regimen"] == [f"{kind}/d{i}" for i in range(len(given))]


@pytest.mark.parametrize(
    ("given", "bridging"),
    [
        ([(CY, "2026-02-27")], "chemo"),
        ([(BENDA, "2026-01-28")], "chemo"),
        ([(DEX, "2026-02-10")], "steroid"),
        ([(DEX, "2026-02-10"), (CY, "2026-02-10")], "combined"),
        ([(CY, "2026-01-27")], None),
        ([(FLU, "2026-02-10")], None),
    ],
)
def test_what_came_before_lymphodepletion_is_bridging(
    given: list[tuple[str, str]], bridging: str | None
) -> None:
    drugs = [drug(f"d{i}", code, day) for i, (code, day) in enumerate(given)]
    assert word("bridging", *drugs) == bridging


def dose(value: Any, code: str = "mg") -> dict[str, Any]:
    return {"dosage": {"dose": {"value": value, "system": UCUM, "code": code}}}


@pytest.mark.parametrize(
    ("day", "given", "expected"),
    [
        ("2026-03-10", dose(10), "yes"),
        ("2026-03-07", dose(40), "yes"),
        ("2026-03-06", dose(40), None),
        ("2026-03-14T10:30:00+01:00", dose(40), "yes"),
        ("2026-03-14T20:00:00+01:00", dose(40), None),  # nine hours after infusion
        ("2026-03-10", dose(4), None),
        ("2026-03-10", dose("40"), None),
        ("2026-03-10", dose(40, "g"), None),
        ("2026-03-10", {}, None),
    ],
)
def test_a_steroid_that_was_given_in_the_last_week_is_told(
    day: str, given: dict[str, Any], expected: str | None
) -> None:
    assert word("steroid_within_7d", drug("d", DEX, day, ADMINISTERED, **given)) == expected
    assert word("steroid_within_7d", drug("d", DEX, day, **given)) is None


@pytest.mark.parametrize(
    ("given", "prophylaxis"),
    [
        ([(TOCI, "2026-03-14")], "tocilizumab"),
        ([(ANAKINRA, "2026-03-16")], "anakinra"),
        ([(DEX, "2026-03-14T10:00:00+01:00")], "steroid"),
        ([(TOCI, "2026-03-14"), (DEX, "2026-03-15")], "other"),
        ([(TOCI, "2026-03-17")], None),
        ([(TOCI, "2026-03-13")], None),
    ],
)
def test_what_is_planned_for_the_infusion_is_prophylaxis(
    given: list[tuple[str, str]], prophylaxis: str | None
) -> None:
    drugs = [drug(f"d{i}", code, day) for i, (code, day) in enumerate(given)]
    assert word("crs_prophylaxis", *drugs) == prophylaxis


@pytest.mark.parametrize(
    "change",
    [
        {"dosageInstruction": [{"asNeededBoolean": True, "timing": {"event": ["2026-03-14"]}}]},
        {"dosageInstruction": [
            {"asNeededCodeableConcept": {"text": "CRS"}, "timing": {"event": ["2026-03-14"]}}]},
        {"authoredOn": "2026-03-15"},
        {"authoredOn": None},
        {"status": "cancelled"},
        {"doNotPerform": True},
        {"dosageInstruction": None},
    ],
)  # fmt: skip
def test_what_is_there_to_treat_prevents_nothing(change: dict[str, Any]) -> None:
    assert word("crs_prophylaxis", drug("d", TOCI, "2026-03-14") | change) is None


def test_a_drug_without_a_day_is_told() -> None:
    reading = read(drug("d", CY, "2026-03"))
    assert "cyclophosphamide: without a day it was planned for, not read" in reading.warned()


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("G40.909", "neuro_comorbidity"),
        ("I63.9", "neuro_comorbidity"),
        ("F03.90", "neuro_comorbidity"),
        ("R56.9", "neuro_comorbidity"),
        ("I25.10", "cardiac_disease"),
        ("I50.9", "cardiac_disease"),
        ("F00.1", "neuro_comorbidity"),
        ("E11.9", "diabetes"),
        ("E12.9", "diabetes"),  # this and the next are codes of WHO and of Germany
        ("E14.90", "diabetes"),
        ("I10", None),
        ("I70.0", None),
        ("E15", None),
        ("F05", None),
    ],
)
def test_a_condition_before_infusion_says_yes(code: str, name: str | None) -> None:
    names = {"neuro_comorbidity", "cardiac_disease", "diabetes"}
    resolved = {"clinicalStatus": concept("x", "resolved")}
    reading = read(condition("c2", code, onsetDateTime="2019-05-01", **resolved))
    assert names & reading.record.keys() == ({name} if name else set())
    if name:
        assert reading.record[name] == "yes"
        assert reading.basis[name] == ["Condition/c2"]


@pytest.mark.parametrize(
    ("change", "is_read"),
    [
        ({"onsetDateTime": "2026-03-10"}, True),
        ({"recordedDate": "2020-01-01"}, True),
        ({"onsetDateTime": "2026-03-16"}, False),  # ICANS itself has a code of this chapter
        ({}, False),
        ({"onsetDateTime": "2019"}, False),
        ({"onsetDateTime": "2019-01-01", "verificationStatus": concept("x", "refuted")}, False),
        (
            {"onsetDateTime": "2019-01-01", "verificationStatus": concept("x", "differential")},
            False,
        ),
    ],
)
def test_a_condition_is_placed_before_infusion_and_certain(
    change: dict[str, Any], is_read: bool
) -> None:
    reading = read(condition("c2", "G92.05", **change))
    assert ("neuro_comorbidity" in reading.record) is is_read


@pytest.mark.parametrize(
    ("certainty", "expected"), [("G", "yes"), ("Z", "yes"), ("V", None), ("A", None)]
)
def test_what_germany_says_of_the_certainty_of_a_code_is_heard(
    certainty: str, expected: str | None
) -> None:
    code = said_in_germany("E11.9", certainty)
    reading = read(condition("c2", "", onsetDateTime="2019-01-01") | {"code": code})
    assert reading.record.get("diabetes") == expected
    told = any("a Condition that is not certain" in text for text in reading.warned())
    assert told is (certainty == "V")
