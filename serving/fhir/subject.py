"""The patient: sex, and age on the day of infusion."""

import re
from datetime import date, datetime

from data_schemas.patient_request import UNKNOWN
from serving.fhir.bundle import Entry
from serving.fhir.elements import an_object, moment, objects
from serving.fhir.reading import Reading

_YEAR = re.compile(r"(?:18|19|20|21)[0-9]{2}")
_MONTH = re.compile(r"(?:18|19|20|21)[0-9]{2}-(?:0[1-9]|1[0-2])")
_ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"


def read_subject(reading: Reading, patient: Entry, infusion: datetime | None) -> None:
    """Read age and sex."""
    if (gender := patient.resource.get("gender")) is not None:
        reading.take("sex", gender, f"{patient.path}.gender", patient)
    _read_age(reading, patient, infusion)


def _read_age(reading: Reading, patient: Entry, infusion: datetime | None) -> None:
    place, given = f"{patient.path}.birthDate", patient.resource.get("birthDate")
    if given is None:
        extensions = objects(an_object(patient.resource.get("_birthDate")).get("extension"))
        if any(one.get("url") == _ABSENT for one in extensions):
            reading.take("age", UNKNOWN, place, patient)
        else:
            message = "age is required; say with a data-absent-reason that it is truly not known"
            reading.refuse(place, "required", message)
        return
    born, within = _birth(given)
    if born is None:
        reading.refuse(place, "not_a_date", "must be a date: a day, a month or a year")
    elif infusion is not None:
        if within:
            reading.warn("age", f"of the birth date only the {within} is known: half of it assumed")
        years = age_in_years(born, infusion.date())
        reading.take("age", {"value": years, "unit": "a"}, place, patient)


def _birth(given: object) -> tuple[date | None, str]:
    """Return the birth date, and what it was known within if that is more than a day."""
    if isinstance(given, str) and _YEAR.fullmatch(given):
        return date(int(given), 7, 2), "year"
    if isinstance(given, str) and _MONTH.fullmatch(given):
        return date.fromisoformat(f"{given}-16"), "month"
    born = moment(given)
    return (born.date() if born else None), ""


def age_in_years(born: date, on: date) -> float:
    """Return whole years since birth, and the part of the year since the last birthday.

    By the calendar, so that nobody is a child on the eighteenth birthday.
    """
    years = on.year - born.year
    last = _birthday(born, on.year)
    if last > on:
        years, last = years - 1, _birthday(born, on.year - 1)
    following = _birthday(born, last.year + 1)
    return years + (on - last).days / (following - last).days


def _birthday(born: date, year: int) -> date:
    try:
        return born.replace(year=year)
    except ValueError:  # born on 29 February
        return date(year, 3, 1)
