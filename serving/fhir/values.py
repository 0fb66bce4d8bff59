"""The value of an Observation, in a unit that is named and known, or not at all."""

from math import isclose
from typing import Any, NamedTuple

from data_schemas.patient_request import accepted_unit, is_finite_number
from data_schemas.predictors import PREDICTORS, Category, Flag, Predictor, Quantity
from data_schemas.terminology import ANSWERS, UCUM
from data_schemas.units import PURE_NUMBERS
from serving.fhir.elements import an_object, codings, meanings
from serving.fhir.names import WORD
from serving.fhir.reading import Reading

_FEU = ("48065-7", "48067-3", "71427-9")
_DDU = ("48066-5", "48058-2", "91556-1")
_FERRITIN_IN_MOLES = "14723-1"
CENSORED = "beyond what the assay measures: its limit was used (censored)"
CENSORED_BELOW = "below what the assay measures: half its limit was used (censored)"


class Unusable(Exception):
    """A value that is left out; the text says why and holds nothing of it."""


class Place(NamedTuple):
    """An Observation or a component of one, and where it stands."""

    element: dict[str, Any]
    path: str

    @property
    def of_value(self) -> str:
        """The FHIRPath of its value, whatever its type."""
        return f"{self.path}.value"

    @property
    def codes(self) -> list[Any]:
        """The codes of what was observed."""
        return [coding.get("code") for coding in codings(self.element.get("code"))]


def value_of(name: str, declared: Predictor, place: Place) -> tuple[Any, str]:
    """Return a value as ``/v1/assess`` takes it, and what care it needs.

    Raises
    ------
    Unusable
        If no value can be read without a guess.
    """
    if isinstance(declared, Flag):
        return _flag(place), ""
    if isinstance(declared, Category):
        return _word(place), ""
    given = place.element.get("valueQuantity")
    if given is not None:
        return _quantity(name, declared, place, an_object(given))
    number = place.element.get("valueInteger")
    if number is not None and declared.unit in PURE_NUMBERS:
        return {"value": number, "unit": declared.unit}, ""
    for code in meanings(place.element.get("valueCodeableConcept"), ANSWERS):
        about, _, value = code.means.partition("=")
        if about == name:
            return {"value": int(value), "unit": declared.unit}, ""
    raise Unusable("without a value that can be read")


def _flag(place: Place) -> str:
    given = place.element.get("valueBoolean")
    if not isinstance(given, bool):
        raise Unusable("without a valueBoolean")
    return "yes" if given else "no"


def _word(place: Place) -> str:
    for coding in codings(place.element.get("valueCodeableConcept")):
        word = coding.get("code")
        if coding.get("system") == WORD and isinstance(word, str):
            return word
    raise Unusable("without a word of the contract")


def _quantity(
    name: str, declared: Quantity, place: Place, given: dict[str, Any]
) -> tuple[dict[str, Any], str]:
    unit, value = _unit(name, declared, place, given), given.get("value")
    if unit is None:
        raise Unusable("its unit is missing, is no UCUM code or is not accepted")
    if value is None:
        raise Unusable("without a value that can be read")
    comparator = given.get("comparator")
    if comparator is None:
        return {"value": value, "unit": unit}, ""
    if comparator not in ("<", "<=", ">", ">="):
        raise Unusable("its comparator is not known")
    is_below = comparator.startswith("<")
    if not (declared.has_detection_limit if is_below else declared.has_largest_result):
        raise Unusable("not told exactly: no assay limits it")
    if comparator == "<" and is_finite_number(value):
        return {"value": value / 2, "unit": unit}, CENSORED_BELOW
    return {"value": value, "unit": unit}, CENSORED


def _unit(name: str, declared: Quantity, place: Place, given: dict[str, Any]) -> str | None:
    """Return the accepted unit; the words beside the code are never read."""
    if given.get("system") != UCUM:
        return None
    if name == "d_dimer":
        return _d_dimer_unit(declared, place, given.get("code"))
    unit = accepted_unit(given.get("code"), declared)
    if name == "ferritin" and unit == "pmol/L" and _FERRITIN_IN_MOLES not in place.codes:
        return None
    return unit


def _d_dimer_unit(declared: Quantity, place: Place, code: Any) -> str | None:
    """Return the unit with its basis, as the unit itself or the LOINC code says it."""
    said = {
        basis
        for basis, codes in (("FEU", _FEU), ("DDU", _DDU))
        if any(one in place.codes for one in codes)
    }
    unit = accepted_unit(code, declared)
    if unit is None and len(said) == 1 and isinstance(code, str) and "{" not in code:
        return accepted_unit(f"{code}{{{min(said)}}}", declared)
    if unit is None or any(basis not in unit for basis in said):
        return None
    return unit


def upper_limit(reading: Reading, place: Place) -> tuple[dict[str, Any], str] | None:
    """Return the upper limit of normal that stands beside an LDH, and its FHIRPath."""
    declared = PREDICTORS["ldh_uln"]
    assert isinstance(declared, Quantity)
    found: list[tuple[dict[str, Any], str]] = []
    ranges = place.element.get("referenceRange")
    for i, one in enumerate(ranges if isinstance(ranges, list) else []):
        high = an_object(an_object(one).get("high"))
        if not high or not _is_normal(one):
            continue
        if not _holds_age(an_object(one.get("age")), reading.record.get("age")):
            reading.warn(
                "ldh_uln", "a range of another age, or of one that cannot be read: not read"
            )
            continue
        unit = _unit("ldh_uln", declared, place, high)
        if unit is None or high.get("value") is None:
            reading.warn("ldh_uln", "its unit is missing, is no UCUM code or is not accepted")
            continue
        limit = {"value": high["value"], "unit": unit}
        found.append((limit, f"{place.path}.referenceRange[{i}].high"))
    if any(limit != found[0][0] for limit, _ in found):
        reading.warn("ldh_uln", "several reference ranges, and none says which holds: not read")
        return None
    return found[0] if found else None


def is_same_amount(name: str, one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Tell whether two amounts of a predictor are the same, whatever their units."""
    declared = PREDICTORS[name]
    assert isinstance(declared, Quantity)
    if not is_finite_number(one["value"]) or not is_finite_number(other["value"]):
        return False
    first, second = (declared.conversions[each["unit"]](each["value"]) for each in (one, other))
    return isclose(first, second)


def _holds_age(ages: dict[str, Any], age: Any) -> bool:
    """Tell whether a Range of ages holds the patient's; up to 18 is until the next birthday."""
    declared = PREDICTORS["age"]
    years: Any = an_object(age).get("value")
    assert isinstance(declared, Quantity)
    for side in ("low", "high"):
        if (bound := ages.get(side)) is None:
            continue
        value: Any = an_object(bound).get("value")
        unit = an_object(bound).get("code")
        known = accepted_unit(unit, declared) if an_object(bound).get("system") == UCUM else None
        if known is None or not is_finite_number(value) or not is_finite_number(years):
            return False
        in_years = declared.conversions[known]
        if years < in_years(value) if side == "low" else years >= in_years(value + 1):
            return False
    return True


def _is_normal(reference_range: dict[str, Any]) -> bool:
    """Tell whether a range is that of the healthy; without a type it is."""
    types = codings(an_object(reference_range.get("type")))
    return not types or any(one.get("code") == "normal" for one in types)
