"""The examples of the FHIR door: the invented patient of the other examples, as resources."""

from typing import Any

from data_schemas.terminology import LOINC, UCUM
from serving.fhir.names import PREDICTOR

_ICD10 = "http://hl7.org/fhir/sid/icd-10-cm"
_ATC = "http://www.whocc.no/atc"
_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_SUBJECT = {"reference": "Patient/p1"}


def observation(name: str, code: str, value: float, unit: str, **more: Any) -> dict[str, Any]:
    """Return a final Observation of five days before infusion, by LOINC or by our own code."""
    system = PREDICTOR if code == name else LOINC
    return {
        "resourceType": "Observation",
        "id": name.replace("_", "-"),
        "status": "final",
        "code": {"coding": [{"system": system, "code": code}]},
        "subject": _SUBJECT,
        "effectiveDateTime": "2026-03-09T07:40:00+01:00",
        "valueQuantity": {"value": value, "unit": unit, "system": UCUM, "code": unit},
        **more,
    }


_LIMIT = {"high": {"value": 240, "unit": "U/L", "system": UCUM, "code": "U/L"}}

RESOURCES: list[dict[str, Any]] = [
    {"resourceType": "Patient", "id": "p1", "birthDate": "1962-03-14"},
    {
        "resourceType": "Condition",
        "id": "c1",
        "clinicalStatus": {"coding": [{"system": _CLINICAL, "code": "active"}]},
        "code": {"coding": [{"system": _ICD10, "code": "C83.38"}]},
        "subject": _SUBJECT,
    },
    {
        "resourceType": "MedicationRequest",
        "id": "m1",
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": {"coding": [{"system": _ATC, "code": "L01XL03"}]},
        "subject": _SUBJECT,
        "dosageInstruction": [{"timing": {"event": ["2026-03-14T11:00:00+01:00"]}}],
    },
    observation("crp", "1988-5", 8.4, "mg/dL"),
    observation("ferritin", "2276-4", 1850, "ng/mL"),
    observation("ldh", "14804-9", 480, "U/L", referenceRange=[_LIMIT]),
    observation("platelets", "777-3", 74, "10*9/L"),
    observation("mtv", "mtv", 310, "mL"),
    observation("albumin", "1751-7", 36, "g/L"),
    observation("creatinine", "14682-9", 80, "umol/L"),
    observation("hemoglobin", "718-7", 9.8, "g/dL"),
    observation("anc", "751-8", 2.1, "10*9/L"),
    observation("ecog", "89247-1", 1, "{score}"),
]


def bundle_of(resources: list[dict[str, Any]], kind: str = "collection") -> dict[str, Any]:
    """Return a Bundle of resources."""
    entries = [{"resource": resource} for resource in resources]
    return {"resourceType": "Bundle", "type": kind, "entry": entries}


EXAMPLE_BUNDLE = bundle_of(RESOURCES)
EXAMPLE_PARAMETERS: dict[str, Any] = {
    "resourceType": "Parameters",
    "parameter": [
        {"name": "bundle", "resource": EXAMPLE_BUNDLE},
        {"name": "reference", "valueString": "study-7:0042"},
        {"name": "closedWorld", "valueCode": "Condition"},
    ],
}
