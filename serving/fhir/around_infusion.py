"""Drugs before and on the day of infusion, and conditions before it.

A record says yes. The absence of a record says nothing: the drug may stand in another system.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from data_schemas.patient_request import is_after, is_finite_number
from data_schemas.terminology import COMORBIDITIES, DRUGS, UCUM
from serving.fhir.bundle import Entry, Resources
from serving.fhir.conditions import NOT_CERTAIN, is_not_true, is_uncertain
from serving.fhir.course import Course, concept, moments, stands
from serving.fhir.elements import an_object, meanings, moment, objects, once_each
from serving.fhir.reading import Reading

LYMPHODEPLETION_DAYS = 14
"""Lymphodepletion begins at most so many days before infusion; earlier courses are bridging."""
BRIDGING_DAYS = 45
"""As far back as the contract looks for the response to bridging."""
PROPHYLAXIS_DAYS = 2
"""Prophylaxis is given from the day of infusion to the second day after: Oluwole OO, Br J Haematol
2021;194:690-700 (dexamethasone on days 0, 1 and 2)."""
STEROID_DAYS = 7
STEROID_MG = 10
_PROPHYLAXIS = {"tocilizumab": "tocilizumab", "anakinra": "anakinra", "dexamethasone": "steroid"}


class Drug(NamedTuple):
    """One drug on one day."""

    name: str
    days_before: int
    when: datetime
    entry: Entry


def read_around_infusion(reading: Reading, resources: Resources, course: Course) -> datetime | None:
    """Read drugs and conditions; return when lymphodepletion begins, where that is known."""
    drugs = list(_drugs(reading, resources, course))
    begins = _read_lymphodepletion(reading, drugs)
    _read_bridging(reading, drugs)
    _read_steroid(reading, drugs, course)
    _read_prophylaxis(reading, drugs, course)
    _read_comorbidities(reading, resources, course)
    return begins


def _drugs(reading: Reading, resources: Resources, course: Course) -> Iterator[Drug]:
    named = once_each(lambda about: dict.fromkeys(code.means for code in meanings(about, DRUGS)))
    for entry in resources.of("MedicationRequest", "MedicationAdministration"):
        if not stands(entry):
            continue
        names = named(concept(resources, entry))
        given = [when for text, _ in moments(entry) if (when := moment(text))] if names else []
        for name in names:
            if not given:
                reading.warn(name, "without a day it was planned for, not read")
            for when in given:
                yield Drug(name, (course.start.date() - when.date()).days, when, entry)


def _read_lymphodepletion(reading: Reading, drugs: list[Drug]) -> datetime | None:
    names = ("cyclophosphamide", "fludarabine", "bendamustine")
    found = [d for d in drugs if d.name in names and 0 < d.days_before <= LYMPHODEPLETION_DAYS]
    if not found:
        return None
    given = {drug.name for drug in found}
    # One drug alone may be half of a regimen whose other half stands elsewhere.
    if given == {"cyclophosphamide", "fludarabine"}:
        _take(reading, "ld_regimen", "flu_cy", found)
    elif given == {"bendamustine"}:
        _take(reading, "ld_regimen", "bendamustine", found)
    else:
        reading.warn("ld_regimen", "the drugs found are no whole regimen: not read")
    return min((drug.when for drug in found), key=lambda when: (when.date(), when.time()))


def _read_bridging(reading: Reading, drugs: list[Drug]) -> None:
    before = [d for d in drugs if LYMPHODEPLETION_DAYS < d.days_before <= BRIDGING_DAYS]
    chemo = [d for d in before if d.name in ("cyclophosphamide", "bendamustine")]
    steroid = [d for d in before if d.name == "dexamethasone"]
    if chemo and steroid:
        _take(reading, "bridging", "combined", [*chemo, *steroid])
    elif chemo or steroid:
        _take(reading, "bridging", "chemo" if chemo else "steroid", chemo or steroid)


def _read_steroid(reading: Reading, drugs: list[Drug], course: Course) -> None:
    found = [
        drug
        for drug in drugs
        if drug.name == "dexamethasone"
        and drug.entry.kind == "MedicationAdministration"
        and drug.days_before <= STEROID_DAYS
        # What is given later that day may treat what the infusion did.
        and not is_after(drug.when, course.start)
        and _milligrams(drug.entry) >= STEROID_MG
    ]
    if found:
        _take(reading, "steroid_within_7d", "yes", found)


def _milligrams(entry: Entry) -> float:
    dose = an_object(an_object(entry.resource.get("dosage")).get("dose"))
    value = dose.get("value")
    is_in_mg = dose.get("system") == UCUM and dose.get("code") == "mg"
    return value if is_in_mg and is_finite_number(value) else 0.0


def _read_prophylaxis(reading: Reading, drugs: list[Drug], course: Course) -> None:
    found = [
        drug
        for drug in drugs
        if drug.name in _PROPHYLAXIS
        and drug.entry.kind == "MedicationRequest"
        and -PROPHYLAXIS_DAYS <= drug.days_before <= 0
        and not _as_needed(drug.entry)
        and _ordered_before(drug.entry, course)
    ]
    given = {_PROPHYLAXIS[drug.name] for drug in found}
    if given:
        word = given.pop() if len(given) == 1 else "other"
        _take(reading, "crs_prophylaxis", word, found)


def _as_needed(entry: Entry) -> bool:
    """Tell whether a drug is there to treat: what is given when needed prevents nothing."""
    instructions = objects(entry.resource.get("dosageInstruction"))
    kinds = ("asNeededBoolean", "asNeededCodeableConcept")
    return any(one.get(kind) not in (None, False) for one in instructions for kind in kinds)


def _ordered_before(entry: Entry, course: Course) -> bool:
    ordered = moment(entry.resource.get("authoredOn"))
    return ordered is not None and not is_after(ordered, course.start)


def _read_comorbidities(reading: Reading, resources: Resources, course: Course) -> None:
    for entry in resources.of("Condition"):
        if is_not_true(entry):
            continue
        for code in meanings(entry.resource.get("code"), COMORBIDITIES):
            if is_uncertain(entry):
                reading.warn(code.means, f"{NOT_CERTAIN}: not read")
                continue
            since = moment(entry.resource.get("onsetDateTime"))
            since = since or moment(entry.resource.get("recordedDate"))
            if since is None:
                reading.warn(code.means, "a Condition without its day cannot be placed: not read")
            elif is_after(since, course.start):
                reading.warn(code.means, "a Condition since infusion: not read")
            elif code.means not in reading.record:
                reading.take(code.means, "yes", f"{entry.path}.code", entry)


def _take(reading: Reading, name: str, word: str, drugs: list[Drug]) -> None:
    entries = {drug.entry.reference: drug.entry for drug in drugs}
    reading.take(name, word, drugs[0].entry.path, *entries.values())
