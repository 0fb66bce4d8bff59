"""What is taken as no where the caller asserts that no Condition is missing, and what never is."""

from typing import Any

import pytest

from data_schemas.predictors import PREDICTORS, Flag
from data_schemas.terminology import COMORBIDITIES
from serving.fhir.closed_world import READ_FROM_CONDITIONS
from serving.fhir.patient_record import read_bundle, read_sent
from serving.fhir.reading import Reading
from serving.openapi_fhir import EXAMPLE_BUNDLE, bundle_of
from tests.serving.fhir.resources import (
    ICD10,
    SNOMED,
    Json,
    concept,
    condition,
    example,
    observation,
)

OPEN = read_bundle(EXAMPLE_BUNDLE)
PLACE = "Parameters.parameter[0].value"
SINCE = {"onsetDateTime": "2019-05-01"}


def closed(*more: Json, bundle: Json | None = None) -> Reading:
    """Read the example with further resources, all Conditions asserted."""
    sent = bundle or bundle_of([*example(), *more])
    parameters = [
        {"name": "closedWorld", "valueCode": "Condition"},
        {"name": "bundle", "resource": sent},
    ]
    return read_sent({"resourceType": "Parameters", "parameter": parameters})


def noes(reading: Reading) -> set[str]:
    return {name for name, value in reading.record.items() if value == "no"}


def told(reading: Reading) -> set[str]:
    return {text.partition(":")[0] for text in reading.warned() if "taken as no, because" in text}


def test_what_has_no_condition_is_no_and_nothing_else_changes() -> None:
    reading = closed()
    assert reading.problems == []
    assert noes(reading) == set(READ_FROM_CONDITIONS) == {row.means for row in COMORBIDITIES.rows}
    assert {n: v for n, v in reading.record.items() if v != "no"} == OPEN.record
    assert told(reading) == {PREDICTORS[name].label for name in READ_FROM_CONDITIONS}
    assert noes(OPEN) == told(OPEN) == set()


@pytest.mark.parametrize("name", [n for n, d in PREDICTORS.items() if isinstance(d, Flag)])
def test_a_flag_without_a_row_in_the_table_stays_unknown(name: str) -> None:
    assert (closed().record.get(name) == "no") is (name in READ_FROM_CONDITIONS)
    assert name not in OPEN.record


@pytest.mark.parametrize("name", ["cns_involvement", "active_infection", "autoimmune_disease"])
def test_what_has_no_verified_code_stays_unknown(name: str) -> None:
    assert name in PREDICTORS
    assert name not in closed().record


@pytest.mark.parametrize("row", COMORBIDITIES.rows, ids=lambda row: row.code)
def test_a_condition_is_yes_and_the_others_are_no(row: Any) -> None:
    reading = closed(condition("x", row.code.ljust(3, "0") + ".0", **SINCE))
    assert reading.record[row.means] == "yes"
    assert noes(reading) == set(READ_FROM_CONDITIONS) - {row.means}
    assert PREDICTORS[row.means].label not in told(reading)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"onsetDateTime": "2019"},
        {"onsetDateTime": "2026-03-16"},
        *(SINCE | {"verificationStatus": concept("x", status)}
          for status in ("unconfirmed", "provisional", "differential")),
    ],
)  # fmt: skip
def test_a_condition_that_was_not_read_is_not_its_absence(change: Json) -> None:
    reading = closed(condition("x", "G40.9", **change))
    assert "neuro_comorbidity" not in reading.record
    assert noes(reading) == {"cardiac_disease", "diabetes"}
    label = PREDICTORS["neuro_comorbidity"].label
    assert any(text.startswith(f"{label}: a Condition") for text in reading.warned())


@pytest.mark.parametrize("status", ["refuted", "entered-in-error"])
def test_a_condition_that_is_not_true_is_none(status: str) -> None:
    not_true = SINCE | {"verificationStatus": concept("x", status)}
    for code, system in (("G40.9", ICD10), ("84757009", SNOMED)):
        reading = closed(condition("x", code, system, **not_true))
        assert noes(reading) == set(READ_FROM_CONDITIONS)


@pytest.mark.parametrize(
    "code",
    [
        concept(SNOMED, "84757009"),
        {"text": "epilepsy"},
        concept("http://hl7.org/fhir/sid/icd-9-cm", "345.90"),
        concept(ICD10, "e11.9"),
        concept(ICD10, "E1"),
        concept(ICD10, "E00-E90"),
        {"coding": [{"system": ICD10, "code": 5}]},
        {"coding": [{"code": "E11.9"}]},
        None,
    ],
)
def test_beside_a_condition_that_cannot_be_read_nothing_is_no(code: Any) -> None:
    """It may be the very one."""
    reading = closed(condition("x", "Z00") | {"code": code})
    assert reading.record == OPEN.record
    assert any(text.startswith("closedWorld: a Condition without") for text in reading.warned())


@pytest.mark.parametrize("code", ["J45.9", "J459", "Z86.73", "C83.3-", "G30.1+", "S72.001A"])
def test_a_code_of_the_classification_can_be_read_however_it_is_written(code: str) -> None:
    also = concept(ICD10, code)
    also["coding"].insert(0, {"system": SNOMED, "code": "195967001"})
    reading = closed(condition("x", code, **SINCE) | {"code": also})
    rest = {"neuro_comorbidity"} if code.startswith("G") else set()
    assert noes(reading) == set(READ_FROM_CONDITIONS) - rest


def test_a_disease_by_another_code_can_be_read() -> None:
    resources = example(c1={"code": concept(SNOMED, "109969005")})
    reading = closed(bundle=bundle_of(resources))
    assert reading.record["disease"] == "LBCL"
    assert noes(reading) == set(READ_FROM_CONDITIONS)


@pytest.mark.parametrize(
    "entries",
    [
        [{"resource": {"resourceType": "OperationOutcome", "issue": [{"severity": "error"}]}}],
        [{"response": {"status": "404 Not Found"}}],
        [{"resource": bundle_of([bundle_of([condition("x", "G40.9", **SINCE)])])}],
        [{"resource": condition("x", "G40.9", **SINCE, modifierExtension=[{"url": "x"}])}],
    ],
    ids=["an error", "a search that failed", "too deep", "modified"],
)
def test_of_a_bundle_that_is_not_whole_nothing_is_no(entries: list[Json]) -> None:
    kind = {"type": "transaction-response"}
    whole = (
        EXAMPLE_BUNDLE
        | kind
        | {"entry": [*EXAMPLE_BUNDLE["entry"], {"response": {"status": "201"}}]}
    )
    assert noes(closed(bundle=whole)) == set(READ_FROM_CONDITIONS)
    reading = closed(bundle=whole | {"entry": [*whole["entry"], *entries]})
    assert reading.record == OPEN.record
    assert any(text.startswith("closedWorld: more belongs") for text in reading.warned())


@pytest.mark.parametrize("value", [True, False])
def test_what_is_said_outweighs_what_is_not(value: bool) -> None:
    said = observation("diabetes", "diabetes", 0, "") | {"valueBoolean": value}
    del said["valueQuantity"]
    reading = closed(said)
    assert reading.record["diabetes"] == ("yes" if value else "no")
    assert PREDICTORS["diabetes"].label not in told(reading)
    unclear = closed(said | {"status": "registered"})
    assert "diabetes" not in unclear.record


def test_a_no_stands_where_it_was_asserted() -> None:
    reading = closed()
    assert {reading.places[name] for name in READ_FROM_CONDITIONS} == {PLACE}
    assert all(reading.basis[name] == [] for name in READ_FROM_CONDITIONS)
