"""Resources to be changed: each call gives a copy of its own."""

import copy
from collections.abc import Iterator
from typing import Any

from serving.fhir.patient_record import read_bundle
from serving.fhir.reading import Reading
from serving.openapi_fhir import RESOURCES, bundle_of, observation

Json = dict[str, Any]
INFUSION = "2026-03-14T11:00:00+01:00"
SUBJECT = {"reference": "Patient/p1"}
LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
ATC = "http://www.whocc.no/atc"
ICD10 = "http://hl7.org/fhir/sid/icd-10-cm"
ICD10_GM = "http://fhir.de/CodeSystem/bfarm/icd-10-gm"
CERTAINTY = "http://fhir.de/StructureDefinition/icd-10-gm-diagnosesicherheit"
SNOMED = "http://snomed.info/sct"


def concept(system: str, code: str, **more: Any) -> Json:
    return {"coding": [{"system": system, "code": code}], **more}


def example(**changes: Any) -> list[Json]:
    """The example's resources; ``m1={...}`` changes one by its id, ``m1=None`` leaves it out."""
    made = {one["id"]: copy.deepcopy(one) for one in RESOURCES}
    for name, change in changes.items():
        if change is None:
            del made[name]
        else:
            made[name] = {k: v for k, v in (made[name] | change).items() if v is not None}
    return list(made.values())


def read(*more: Json, **changes: Any) -> Reading:
    """Read the example with changes and with further resources."""
    return read_bundle(bundle_of([*example(**changes), *more]))


def refused(reading: Reading) -> list[tuple[str, str]]:
    return [(problem.field, problem.code) for problem in reading.problems]


def again(name: str, code: str, value: float, unit: str, **more: Any) -> Json:
    """A further Observation."""
    return observation(name, code, value, unit) | {"id": f"{name}-2"} | more


def drug(name: str, atc: str, day: str, kind: str = "MedicationRequest", **more: Any) -> Json:
    """An order or an administration of a drug on a day."""
    when: Json = {"dosageInstruction": [{"timing": {"event": [day]}}], "authoredOn": "2026-03-01"}
    if kind == "MedicationAdministration":
        when = {"effectiveDateTime": day}
    return {
        "resourceType": kind,
        "id": name,
        "status": "completed",
        "subject": SUBJECT,
        "medicationCodeableConcept": concept(ATC, atc),
        **when,
        **more,
    }


def condition(name: str, code: str, system: str = ICD10, **more: Any) -> Json:
    clinical = "http://terminology.hl7.org/CodeSystem/condition-clinical"
    return {
        "resourceType": "Condition",
        "id": name,
        "clinicalStatus": concept(clinical, "active"),
        "code": concept(system, code),
        "subject": SUBJECT,
        **more,
    }


def said_in_germany(code: str, certainty: str, system: str = ICD10_GM) -> Json:
    """A code of ICD-10-GM with what Germany says of its certainty: A, G, V or Z."""
    said = {"url": CERTAINTY, "valueCoding": {"system": "https://fhir.kbv.de/x", "code": certainty}}
    return {"coding": [{"system": system, "code": code, "extension": [said]}]}


def procedure(name: str, code: str, day: str, **more: Any) -> Json:
    return {
        "resourceType": "Procedure",
        "id": name,
        "status": "completed",
        "subject": SUBJECT,
        "code": concept("http://www.cms.gov/Medicare/Coding/ICD10", code),
        "performedDateTime": day,
        **more,
    }


def every_place(given: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every element, the whole included."""
    yield path
    if isinstance(given, dict):
        for name, value in given.items():
            yield from every_place(value, (*path, name))
    elif isinstance(given, list):
        for i, value in enumerate(given):
            yield from every_place(value, (*path, i))


def replaced(given: Any, path: tuple[Any, ...], by: Any) -> Any:
    """A copy with another element at a path."""
    if not path:
        return by
    made = copy.copy(given)
    made[path[0]] = replaced(given[path[0]], path[1:], by)
    return made


def element(resource: Any, expression: str) -> Any:
    """What a FHIRPath of the simple kind finds; a choice of types under its common name."""
    found = resource
    for step in expression.split(".")[1:]:
        name, _, index = step.rstrip("]").partition("[")
        if name not in found:
            (name,) = [one for one in found if one.startswith(name) and one[len(name)].isupper()]
        found = found[name][int(index)] if index else found[name]
    return found
