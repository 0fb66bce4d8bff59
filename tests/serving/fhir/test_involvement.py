"""Lymphoma of the central nervous system is told apart where its code tells it."""

import pytest

from data_schemas.risk_assessment import CautionCode
from serving.fhir.names import WORD
from serving.openapi_fhir import bundle_of, observation
from serving.ward import Ward
from tests.serving.at_the_door import client_of
from tests.serving.fhir.resources import ICD10, concept, condition, example, read

PRIMARY_CNS, ELSEWHERE = "C83.390", "C83.398"


@pytest.mark.parametrize(("code", "word"), [(PRIMARY_CNS, "active"), (ELSEWHERE, None)])
def test_primary_cns_lymphoma_is_active_in_the_cns(code: str, word: str | None) -> None:
    reading = read(c1={"code": concept(ICD10, code)})
    assert reading.problems == []
    assert reading.record["disease"] == "LBCL"
    assert reading.record.get("cns_involvement") == word
    assert reading.basis.get("cns_involvement", []) == (["Condition/c1"] if word else [])


def test_a_cns_lymphoma_that_the_order_does_not_name_counts_too() -> None:
    reason = {"reasonReference": [{"reference": "Condition/c1"}]}
    assert read(condition("c2", PRIMARY_CNS), m1=reason).record["cns_involvement"] == "active"


@pytest.mark.parametrize(
    "change",
    [
        {"clinicalStatus": concept("x", "remission")},
        {"verificationStatus": concept("x", "refuted")},
    ],
)
def test_what_is_over_or_refuted_is_not_active(change: dict[str, object]) -> None:
    reading = read(condition("c2", PRIMARY_CNS, **change))
    assert "cns_involvement" not in reading.record


def test_an_observation_does_not_take_the_caution_away() -> None:
    said = observation("cns_involvement", "cns_involvement", 0, "")
    del said["valueQuantity"]
    said |= {"valueCodeableConcept": concept(WORD, "none")}
    assert read(said).record["cns_involvement"] == "none"
    reading = read(said, c1={"code": concept(ICD10, PRIMARY_CNS)})
    assert reading.record["cns_involvement"] == "active"
    assert any("an Observation says otherwise" in text for text in reading.warned())


def test_cutaneous_follicle_centre_lymphoma_is_no_follicular_lymphoma(ward: Ward) -> None:
    bundle = bundle_of(example(c1={"code": concept(ICD10, "C82.69")}))
    with client_of(ward) as client:
        answer = client.post("/fhir/$assess", json=bundle).json()
    assert "OperationOutcome" in str(answer)
    assert "out_of_scope" in str(answer)


def test_both_doors_say_the_same_of_a_patient_with_primary_cns_lymphoma(ward: Ward) -> None:
    bundle = bundle_of(example(c1={"code": concept(ICD10, PRIMARY_CNS)}))
    record = read(c1={"code": concept(ICD10, PRIMARY_CNS)}).record
    with client_of(ward) as client:
        answer = client.post("/fhir/$assess", json=bundle).json()
        assessment = answer["entry"][0]["resource"]
        kept = client.get(f"/v1/assessments/{assessment['id']}").json()["assessment"]
        native = client.post("/v1/assess", json=record).json()
    assert CautionCode.ACTIVE_CNS_DISEASE in [one["code"] for one in native["cautions"]]
    assert kept["cautions"] == native["cautions"]
    assert any("CNS disease: active" in note["text"] for note in assessment["note"])
