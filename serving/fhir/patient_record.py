"""From what was sent to the record of one patient: the whole reading on one page."""

from dataclasses import replace
from typing import Any

from data_schemas.patient_request import Problem
from serving.fhir.around_infusion import read_around_infusion
from serving.fhir.bundle import Resources
from serving.fhir.closed_world import read_absence
from serving.fhir.course import read_course
from serving.fhir.involvement import read_involvement
from serving.fhir.observations import Window, read_observations
from serving.fhir.parameters import Parameters
from serving.fhir.reading import Reading
from serving.fhir.subject import read_subject


def read_sent(given: Any) -> Reading:
    """Read a patient from a Bundle, or from Parameters that hold one and what else is said.

    ``problems`` holds everything that stands in the way, each by its FHIRPath in what was sent.
    """
    if not isinstance(given, dict) or given.get("resourceType") != "Parameters":
        return read_bundle(given)
    sent = Parameters(given)
    bundle, reference = sent.one("bundle"), sent.one("reference")
    complete = sent.conditions_complete()
    reading = read_bundle(*bundle, complete) if bundle else Reading(root="Parameters")
    reading.problems[:0] = sent.problems
    if reference is not None:
        reading.take("reference", *reference)
    return reading


def read_bundle(given: Any, root: str = "Bundle", complete: str | None = None) -> Reading:
    """Read a patient from a FHIR Bundle; ``problems`` holds everything that stands in the way.

    Parameters
    ----------
    root
        The FHIRPath of the Bundle within what was sent.
    complete
        The FHIRPath where the caller says that no Condition is missing, if so.
    """
    resources, reading = Resources(given, root), Reading(root)
    reading.problems += resources.problems
    if resources.patient is None:
        return reading
    reading.subject = resources.patient.reference
    course = read_course(reading, resources)
    read_subject(reading, resources.patient, course.start if course else None)
    begins = read_around_infusion(reading, resources, course) if course else None
    read_observations(reading, resources, Window(course, begins))
    read_involvement(reading, resources)
    for entry in resources.left_out:
        reading.warn(entry.kind, "its modifierExtension may change what it says: not read")
    if resources.incomplete:
        reading.warn("Bundle", "it says itself that it is not complete: more may be on record")
    if complete and course:
        read_absence(reading, resources, complete)
    return reading


def located(reading: Reading, problem: Problem) -> Problem:
    """Return a problem of the record as one of the element that the value was read from."""
    return replace(problem, field=reading.places.get(problem.field, reading.root))
