"""What follows if the caller holds the Conditions of a Bundle to be complete: no, where none is.

Only of what a Condition would have been read from, and only while every Condition can be read: a
diagnosis in words, or by a code of a system without a table, may be the very one.
"""

import re

from data_schemas.terminology import COMORBIDITIES, DISEASES_BY_CODE
from serving.fhir.bundle import Entry, Resources
from serving.fhir.conditions import is_not_true
from serving.fhir.elements import codings, meanings
from serving.fhir.reading import Reading

READ_FROM_CONDITIONS = tuple(dict.fromkeys(row.means for row in COMORBIDITIES.rows))
"""Blocks of a classification: a code outside of them is none of them."""
_WRITTEN_AS_ICD_10 = re.compile(r"[A-Z][0-9][0-9A-Z][.0-9A-Z]{0,5}[-+*!]{0,2}")
_ABOUT = "closedWorld"


def read_absence(reading: Reading, resources: Resources, place: str) -> None:
    """Take as no what has no Condition; ``place`` is where the caller asserted it."""
    left_out = any(entry.kind == "Condition" for entry in resources.left_out)
    # Of Bundles within Bundles the third is not looked into.
    if resources.incomplete or left_out or any(resources.of("Bundle")):
        reading.warn(_ABOUT, "more belongs to the Bundle than was read: nothing taken as no")
        return
    if any(not _can_be_read(entry) for entry in resources.of("Condition")):
        text = "a Condition without an ICD-10 code may be any of these: nothing taken as no"
        reading.warn(_ABOUT, text)
        return
    for name in READ_FROM_CONDITIONS:
        if name not in reading.record and name not in reading.doubted:
            reading.take(name, "no", place)
            reading.warn(
                name, "taken as no, because the caller asserted that no Condition is missing"
            )


def _can_be_read(entry: Entry) -> bool:
    """Tell whether it is known what a Condition says about each comorbidity."""
    about = entry.resource.get("code")
    return (
        is_not_true(entry)
        or any(meanings(about, DISEASES_BY_CODE))
        or any(
            _is_classified(coding.get("system"), coding.get("code")) for coding in codings(about)
        )
    )


def _is_classified(system: object, code: object) -> bool:
    if not isinstance(code, str) or not _WRITTEN_AS_ICD_10.fullmatch(code):
        return False
    return COMORBIDITIES.classifies(system)
