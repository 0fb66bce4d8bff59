"""From a Bundle to the record of one patient: the whole reading on one page."""

from dataclasses import replace
from typing import Any

from data_schemas.patient_request import Problem
from serving.fhir.around_infusion import read_around_infusion
from serving.fhir.bundle import Resources
from serving.fhir.course import read_course
from serving.fhir.observations import Window, read_observations
from serving.fhir.reading import Reading
from serving.fhir.subject import read_subject


def read_bundle(given: Any) -> Reading:
    """Read a patient from a FHIR Bundle; ``problems`` holds everything that stands in the way."""
    resources, reading = Resources(given), Reading()
    reading.problems += resources.problems
    if resources.patient is None:
        return reading
    reading.subject = resources.patient.reference
    course = read_course(reading, resources)
    read_subject(reading, resources.patient, course.start if course else None)
    begins = read_around_infusion(reading, resources, course) if course else None
    read_observations(reading, resources, Window(course, begins))
    if resources.incomplete:
        reading.warn("Bundle", "it says itself that it is not complete: more may be on record")
    return reading


def located(reading: Reading, problem: Problem) -> Problem:
    """Return a problem of the record as one of the element that the value was read from."""
    return replace(problem, field=reading.places.get(problem.field, "Bundle"))
