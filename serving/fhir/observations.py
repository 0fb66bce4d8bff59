"""Observations: which of them tells a predictor, in the order of the rules."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from data_schemas.patient_request import is_after
from data_schemas.predictors import PREDICTORS, Predictor
from data_schemas.predictors.blood_counts import BloodCounts
from data_schemas.predictors.chemistry import Chemistry
from data_schemas.predictors.inflammation import Inflammation
from data_schemas.terminology import LOINC, NOT_READ, SPECIMENS
from serving.fhir.bundle import Entry, Resources
from serving.fhir.course import Course
from serving.fhir.elements import (
    an_object,
    codings,
    has_time,
    meanings,
    moment,
    objects,
    on_one_clock,
)
from serving.fhir.names import PREDICTOR
from serving.fhir.reading import Reading
from serving.fhir.values import Place, Unusable, is_same_amount, upper_limit, value_of

_FINAL = ("final", "amended", "corrected")
_PRELIMINARY = "preliminary"
_AT_INFUSION = "platelets_d0"
AT_INFUSION = timedelta(hours=36)
"""Platelets of these last hours are those at infusion, driven by lymphodepletion, and no others."""
THE_OTHER = "read as the other of platelets before lymphodepletion and at infusion"
_LIMIT = "ldh_uln"
_READ_ELSEWHERE = {
    "product": "the order or the administration of the product",
    "disease": "the Condition",
    "age": "the Patient",
    "sex": "the Patient",
}
_IN_BLOOD = frozenset(
    one.name for room in (BloodCounts, Chemistry, Inflammation) for one in fields(room)
) - {_LIMIT}
_BEFORE_LYMPHODEPLETION = _IN_BLOOD - {_AT_INFUSION}
_BY_LOINC: dict[str, list[str]] = defaultdict(list)
for _name, _declared in PREDICTORS.items():
    for _code in _declared.loinc:
        if _name not in (*_READ_ELSEWHERE, _LIMIT) and NOT_READ.find(LOINC, _code) is None:
            _BY_LOINC[_code].append(_name)


class Candidate(NamedTuple):
    """A value that may be a predictor's."""

    when: datetime | None
    issued: datetime | None
    value: Any
    written: str
    place: Place
    entry: Entry
    care: tuple[str, ...]
    """What must be told if the value is used."""

    def rank(self) -> tuple[float, bool, float, str]:
        """Latest first; then what is not preliminary; then issued last; then the lowest id."""
        when = on_one_clock(self.when) if self.when else 0.0
        issued = on_one_clock(self.issued) if self.issued else 0.0
        is_preliminary = self.entry.resource.get("status") == _PRELIMINARY
        return -when, is_preliminary, -issued, self.entry.reference


class Window(NamedTuple):
    """When the infusion begins, and lymphodepletion if that is known."""

    course: Course | None
    lymphodepletion: datetime | None

    def misses(self, name: str, when: datetime, written: str) -> str:
        """Return why a moment lies outside of a predictor's window, or an empty text."""
        if self.course is None:
            return ""
        if is_after(when, self.course.start):
            return "measured at or after infusion (post_infusion_ignored)"
        at_infusion = name == _AT_INFUSION
        if name in ("platelets", _AT_INFUSION) and self._late(when, written) is not at_infusion:
            return THE_OTHER
        begins = self.lymphodepletion
        if begins is not None and name in _BEFORE_LYMPHODEPLETION and is_after(when, begins):
            return "measured after lymphodepletion began"
        limit = PREDICTORS[name].look_back_days
        if limit is not None and (self.course.start.date() - when.date()).days > limit:
            return f"measured more than {limit} days before infusion"
        return ""

    def _late(self, when: datetime, written: str) -> bool:
        assert self.course is not None
        start = self.course.start
        if has_time(written) and has_time(self.course.written):
            return start - when <= AT_INFUSION
        return (start.date() - when.date()).days <= 1


def read_observations(reading: Reading, resources: Resources, window: Window) -> None:
    """Read every predictor that an Observation tells."""
    candidates: dict[str, list[Candidate]] = defaultdict(list)
    for entry in resources.of("Observation"):
        for place in _places(entry):
            for name in _names(reading, place):
                found = _candidate(reading, resources, window, name, entry, place)
                if found is not None:
                    candidates[name].append(found)
    best = {name: min(found_ones, key=Candidate.rank) for name, found_ones in candidates.items()}
    for name, one in best.items():
        value = one.value
        if isinstance(value, dict) and window.course is not None:
            value = value | {"measured_at": one.written}
        reading.take(name, value, one.place.of_value, one.entry)
        for text in one.care:
            reading.warn(name, text)
    if "ldh" in best:
        _prefer_the_limit_beside(reading, best["ldh"], best.get(_LIMIT))


def _prefer_the_limit_beside(reading: Reading, ldh: Candidate, apart: Candidate | None) -> None:
    """Take the upper limit that stands beside an LDH; one sent apart may be of another assay."""
    limit = upper_limit(reading, ldh.place)
    if limit is None:
        return
    reading.take(_LIMIT, limit[0], limit[1], ldh.entry)
    if apart is not None and not is_same_amount(_LIMIT, limit[0], apart.value):
        reading.warn(_LIMIT, "the reference range of the LDH says another one, which was used")


def _places(entry: Entry) -> Iterator[Place]:
    """Yield the Observation itself and its components, each with a code and a value."""
    yield Place(entry.resource, entry.path)
    components = entry.resource.get("component")
    for i, one in enumerate(components if isinstance(components, list) else []):
        if isinstance(one, dict):
            yield Place(one, f"{entry.path}.component[{i}]")


def _names(reading: Reading, place: Place) -> list[str]:
    for coding in codings(place.element.get("code")):
        system, code = coding.get("system"), coding.get("code")
        if not isinstance(code, str):
            continue
        if system == LOINC and code in _BY_LOINC:
            return _BY_LOINC[code]
        if system == PREDICTOR and code in _READ_ELSEWHERE:
            reading.warn(code, f"read from {_READ_ELSEWHERE[code]}, not from an Observation")
        elif system == PREDICTOR and code in PREDICTORS:
            return [code]
    for code in meanings(place.element.get("code"), NOT_READ):
        reading.warn(code.means, f"not read: {code.display}")
    return []


def _candidate(
    reading: Reading, resources: Resources, window: Window, name: str, entry: Entry, place: Place
) -> Candidate | None:
    status = entry.resource.get("status")
    if status not in (*_FINAL, _PRELIMINARY):
        reading.warn(name, "an Observation whose status is not final was not read")
        return None
    written, when = _effective(entry.resource)
    if when is None:
        reading.warn(name, "an Observation without its day cannot be placed: not read")
        return None
    if missed := window.misses(name, when, written):
        if missed is not THE_OTHER:
            reading.warn(name, f"{missed}: not read")
        return None
    if not _is_of_patient(resources, entry):
        reading.warn(name, "about something else than the Patient (focus): not read")
        return None
    if place.element.get("dataAbsentReason") is not None:
        return None
    if name in _IN_BLOOD and not _from_blood(resources, entry):
        reading.warn(name, "the specimen is neither blood, serum nor plasma: not read")
        return None
    declared: Predictor = PREDICTORS[name]
    try:
        value, care = value_of(name, declared, place)
    except Unusable as why:
        reading.warn(name, f"{why}: not read")
        return None
    told = (care, "a preliminary result" if status == _PRELIMINARY else "")
    issued = moment(entry.resource.get("issued"))
    return Candidate(when, issued, value, written, place, entry, tuple(filter(None, told)))


def _is_of_patient(resources: Resources, entry: Entry) -> bool:
    """Tell whether what was observed is the subject, and no donor's or unborn child's."""
    patient = resources.patient
    meant = [resources.find(one) for one in objects(entry.resource.get("focus"))]
    return all(found and patient and found.reference == patient.reference for found in meant)


def _effective(resource: dict[str, Any]) -> tuple[str, datetime | None]:
    """Return when it was measured; of a period its end, or its start while it has none."""
    period = an_object(resource.get("effectivePeriod"))
    given = (
        resource.get("effectiveDateTime"),
        resource.get("effectiveInstant"),
        period.get("end"),
        period.get("start"),
    )
    for one in given:
        if isinstance(one, str):
            return one, moment(one)
    return "", None


def _from_blood(resources: Resources, entry: Entry) -> bool:
    """Tell whether the specimen, where it is given by a known code, is one of blood."""
    specimen = resources.resource(entry, entry.resource.get("specimen"))
    known = [c for c in codings(specimen.get("type")) if SPECIMENS.speaks(c.get("system"))]
    return not known or any(SPECIMENS.find(c.get("system"), c.get("code")) for c in known)
