"""Elements of a resource, whatever stands in their place."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, TypeVar

from data_schemas.patient_request import read_clock
from data_schemas.terminology import Code, CodeTable

T = TypeVar("T")
MOST_CODINGS = 100
"""Of one concept; without a limit a body could cost minutes."""

# FHIR's dateTime with at least a day; a time has a zone. Other years are no dates of patients.
_DAY = r"(?:18|19|20|21)[0-9]{2}-[0-9]{2}-[0-9]{2}"
_MOMENT = re.compile(
    rf"{_DAY}(T[0-9]{{2}}:[0-9]{{2}}(:[0-9]{{2}}(\.[0-9]{{1,9}})?)?(Z|[+-][0-9]{{2}}:[0-9]{{2}}))?"
)


def objects(given: Any) -> list[dict[str, Any]]:
    """Return the objects of a list; of anything else, none."""
    return [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []


def an_object(given: Any) -> dict[str, Any]:
    """Return an object; of anything else, an empty one."""
    return given if isinstance(given, dict) else {}


def moment(given: Any) -> datetime | None:
    """Return a date or a time with its zone; None for less than a day, or anything else."""
    if not isinstance(given, str) or not _MOMENT.fullmatch(given):
        return None
    return read_clock(given)


def has_time(given: str) -> bool:
    """Tell whether a moment is more than a day."""
    return "T" in given


def on_one_clock(when: datetime) -> float:
    """Return a moment as seconds, so that moments of several zones can be compared."""
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


def codings(concept: Any) -> list[dict[str, Any]]:
    """Return the codings of a CodeableConcept, which has a few."""
    given = an_object(concept).get("coding")
    return objects(given[:MOST_CODINGS]) if isinstance(given, list) else []


def meanings(concept: Any, table: CodeTable) -> Iterator[Code]:
    """Yield what a table knows of the codings of a CodeableConcept."""
    for coding in codings(concept):
        found = table.find(coding.get("system"), coding.get("code"))
        if found is not None:
            yield found


def once_each(read: Callable[[Any], T]) -> Callable[[Any], T]:
    """Return a reader that remembers what it read: many resources may refer to one.

    It goes by identity, and so for as long as the Bundle is held that the elements are of.
    """
    known: dict[int, T] = {}

    def remembered(element: Any) -> T:
        if id(element) not in known:
            known[id(element)] = read(element)
        return known[id(element)]

    return remembered


def alike(one: Any, other: Any) -> bool:
    """Tell whether two pieces of JSON are the same, however deep they are."""
    pairs = [(one, other)]
    while pairs:
        a, b = pairs.pop()
        if isinstance(a, dict) and isinstance(b, dict) and a.keys() == b.keys():
            pairs += [(a[name], b[name]) for name in a]
        elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
            pairs += zip(a, b, strict=True)
        elif isinstance(a, dict | list) or type(a) is not type(b) or a != b:
            return False
    return True


def is_modified(resource: Any) -> bool:
    """Tell whether a resource, or a part of it, has an extension that may change what it says.

    Whoever does not know such an extension must not read what has it: FHIR R4, Extensibility.
    """
    left = [resource]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            if one.get("modifierExtension"):
                return True
            left += one.values()
        elif isinstance(one, list):
            left += one
    return False


def has_code(concept: Any, *codes: str) -> bool:
    """Tell whether a CodeableConcept is one of the codes, which no two systems use differently."""
    return any(coding.get("code") in codes for coding in codings(concept))
