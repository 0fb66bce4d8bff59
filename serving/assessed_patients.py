"""Assessed patients with what happened to them: what a centre may learn from, read back.

One of each patient, as a cohort has them: the first infusion, by the inputs of the last assessment
before it that has an outcome, and the outcome that was reported last. Days of infusion that lie no
more than 28 days apart are one that was postponed, and the day of the last assessment counts.
Patients are told apart by the caller's reference, of which the log keeps a keyed hash; without one
every assessment is a patient.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from data_schemas.patient_request import PatientRequest, RequestProblems, read_patient
from data_schemas.possible_dates import FIRST_INFUSIONS, ONE_INFUSION_DAYS, TIME_ZONE
from data_schemas.reported_outcome import ReportedOutcome, read_reported_outcome
from serving.assessment_log.entries import StoredAssessment
from serving.fhir.patient_record import read_sent

_PSEUDONYM_BYTES = 16
_REFERENCE = "reference"
_FHIR_TYPES = ("Bundle", "Parameters")
_WHAT_IF = {"patient", "changes"}

HASH_ONLY = "of whose request only a hash is kept"
A_WHAT_IF = "that asked what if"
UNREADABLE = "that today's contract would refuse"
NO_DATE = "without an infusion_date"
NO_AGE = "of unknown age"
TOO_EARLY = f"with an infusion_date before {FIRST_INFUSIONS}, when there were no such cells"
YET_TO_COME = "with an infusion_date after today: export again once it has passed"
NOT_OBSERVABLE = (
    "whose follow-up had not passed when it was reported: infusion_date and follow_up_days "
    "together lie after the day of the report, so that one of them is wrong"
)
LATER_INFUSION = "before a later infusion of the same patient"
NOT_YET_KNOWN = "whose outcome is not known yet: no severe grade, and not observed to the end"


@dataclass(frozen=True, slots=True)
class AssessedPatient:
    """A patient as assessed, and what happened."""

    assessments: tuple[UUID, ...]
    """Those before this infusion of which an outcome was reported."""
    pseudonym: str | None
    """The start of the log's keyed hash of the caller's reference; None where none was sent."""
    request: PatientRequest
    infused: date
    outcome: ReportedOutcome
    reported: datetime


@dataclass(frozen=True, slots=True)
class AssessedPatients:
    """Patients in the order of their last reports, and how many assessments were left out, why."""

    patients: tuple[AssessedPatient, ...]
    left_out: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Assessed:
    """One assessment."""

    when: datetime
    patient: AssessedPatient


def assessed_patients(
    assessments: Iterable[StoredAssessment], today: date | None = None
) -> AssessedPatients:
    """Return the patients of assessments of which outcomes were reported.

    Parameters
    ----------
    today
        The day after which nobody was infused yet; by default that of the clock.
    """
    today = today or date.today()
    left_out: Counter[str] = Counter()
    of_patient: defaultdict[object, list[_Assessed]] = defaultdict(list)
    for stored in assessments:
        found = _assessed(stored, today)
        if isinstance(found, str):
            left_out[found] += 1
        else:
            of_patient[found.patient.pseudonym or stored.id].append(found)
    patients = []
    for several in of_patient.values():
        last_day = min(one.patient.infused for one in several) + timedelta(ONE_INFUSION_DAYS)
        before_it = [one for one in several if one.patient.infused <= last_day]
        left_out[LATER_INFUSION] += len(several) - len(before_it)
        patient = _as_one(before_it)
        if any(known is not None for known in patient.outcome.severe.values()):
            patients.append(patient)
        else:
            left_out[NOT_YET_KNOWN] += len(before_it)
    patients.sort(key=lambda patient: patient.reported)
    return AssessedPatients(tuple(patients), +left_out)


def _as_one(several: list[_Assessed]) -> AssessedPatient:
    """Return a patient who was assessed several times before one infusion."""
    last_assessed = max(several, key=lambda one: one.when).patient
    last_reported = max((one.patient for one in several), key=lambda patient: patient.reported)
    return AssessedPatient(
        assessments=tuple(id for one in several for id in one.patient.assessments),
        pseudonym=last_assessed.pseudonym,
        request=last_assessed.request,
        infused=last_assessed.infused,
        outcome=last_reported.outcome,
        reported=last_reported.reported,
    )


def _assessed(stored: StoredAssessment, today: date) -> _Assessed | str:
    """Return one assessment, or why it is left out."""
    if stored.input is None:
        return HASH_ONLY
    sent, last = json.loads(stored.input), stored.outcomes[-1]
    if sent.keys() == _WHAT_IF:
        return A_WHAT_IF
    try:
        request = read_patient(_record(sent))
        outcome = read_reported_outcome(json.loads(last.report))
    except RequestProblems:
        return UNREADABLE
    if request.infusion_date is None:
        return NO_DATE
    if (impossible := _impossible(request.infusion_date, outcome, last.when, today)) is not None:
        return impossible
    if "age" not in request.values:
        return NO_AGE
    reference = None if stored.reference is None else stored.reference[:_PSEUDONYM_BYTES].hex()
    patient = AssessedPatient(
        (stored.id,), reference, request, request.infusion_date, outcome, last.when
    )
    return _Assessed(stored.when, patient)


def _impossible(
    infused: date, outcome: ReportedOutcome, reported: datetime, today: date
) -> str | None:
    """Return why these dates cannot be true together, if so.

    A severe grade is left out as a mild one is: to keep events alone would raise their rate.
    """
    if infused < FIRST_INFUSIONS:
        return TOO_EARLY
    if infused > today:
        return YET_TO_COME
    observed = timedelta(days=outcome.follow_up_days)
    if infused + observed > reported.date() + TIME_ZONE:
        return NOT_OBSERVABLE
    return None


def _record(sent: dict[str, Any]) -> dict[str, Any]:
    """Return the patient of a body, whichever door it came by, without the caller's reference.

    Raises
    ------
    RequestProblems
        If a Bundle cannot be read any more.
    """
    record = sent
    if sent.get("resourceType") in _FHIR_TYPES:
        reading = read_sent(sent)
        if reading.problems:
            raise RequestProblems(tuple(reading.problems))
        record = reading.record
    return {name: value for name, value in record.items() if name != _REFERENCE}
