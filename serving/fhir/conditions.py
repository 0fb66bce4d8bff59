"""Whether a Condition says that something is there, was there, may be, or is not.

Germany says it of the code itself, by a letter that doctors' claims have had for long: G certain,
V suspected, Z a state after, A ruled out. Source: German base profiles (de.basisprofil.r4),
extension icd-10-gm-diagnosesicherheit, whose letters are KBV's table S_ICD_DIAGNOSESICHERHEIT.
"""

from serving.fhir.bundle import Entry
from serving.fhir.elements import an_object, codings, has_code, objects

ACTIVE = ("active", "recurrence", "relapse")
NOT_CERTAIN = "a Condition that is not certain"
_NOT_TRUE = ("refuted", "entered-in-error")
_UNCERTAIN = ("unconfirmed", "provisional", "differential")
_CERTAINTY = "http://fhir.de/StructureDefinition/icd-10-gm-diagnosesicherheit"
_RULED_OUT, _SUSPECTED, _OVER = "A", "V", "Z"


def is_not_true(entry: Entry) -> bool:
    """Tell whether a Condition says nothing about the patient, or that it is not there."""
    return _is_verified_as(entry, _NOT_TRUE) or _RULED_OUT in _letters(entry)


def is_uncertain(entry: Entry) -> bool:
    """Tell whether a Condition only may be there."""
    return _is_verified_as(entry, _UNCERTAIN) or _SUSPECTED in _letters(entry)


def is_active(entry: Entry) -> bool:
    """Tell whether a Condition says of the patient that it is there now."""
    active = has_code(entry.resource.get("clinicalStatus"), *ACTIVE)
    return active and not is_not_true(entry) and _OVER not in _letters(entry)


def _is_verified_as(entry: Entry, words: tuple[str, ...]) -> bool:
    return has_code(entry.resource.get("verificationStatus"), *words)


def _letters(entry: Entry) -> list[object]:
    return [
        an_object(said.get("valueCoding")).get("code")
        for coding in codings(entry.resource.get("code"))
        for said in objects(coding.get("extension"))
        if said.get("url") == _CERTAINTY
    ]
