"""One patient as a request body: checked whole, converted exactly, refused with every problem.

Nothing a caller sent is ever repeated in a problem: neither values, nor unknown names, nor units,
because each of them may hold a patient's data.
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, NamedTuple, TypeGuard

from data_schemas.possible_dates import (
    BEFORE_FIRST_INFUSIONS,
    FIRST_INFUSIONS,
    latest_infusion,
    latest_measurement,
    measured_in_the_future,
    too_far_ahead,
)
from data_schemas.predictors import (
    DERIVED,
    NEVER_PREDICTORS,
    PREDICTORS,
    REQUIRED,
    BaselinePredictors,
    Category,
    Predictor,
    Quantity,
)
from data_schemas.quantity_limits import limits_in_words
from data_schemas.refusal import Refused
from data_schemas.units import IDENTITY, LARGEST, PURE_NUMBERS, normalise_unit
from data_schemas.unread_values import what_is_no_choice, what_is_no_number, what_is_no_quantity
from data_schemas.word_spellings import word_of

UNKNOWN = "unknown"
_QUANTITY_KEYS = frozenset({"value", "unit", "measured_at"})
_OTHER_FIELDS = frozenset({"infusion_date"})
_REQUIRED = frozenset(REQUIRED)
_KNOWN = PREDICTORS.keys() | _OTHER_FIELDS
_NAMES_COMPARED = 5
"""Only so many unknown names are compared with known ones: thousands of them would cost seconds."""
_NUMBERS = (int, float)
_PLAIN = {
    name: (declared.conversions, declared.hard)
    for name, declared in PREDICTORS.items()
    if isinstance(declared, Quantity) and not declared.whole
}
_COLUMN_TO_NAME = {
    column: name
    for name, declared in PREDICTORS.items()
    if isinstance(declared, Quantity)
    for column in declared.columns(name)
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a request: where, which rule, and what would be right."""

    field: str
    code: str
    message: str
    accepted: tuple[str, ...] = ()


class RequestProblems(Refused):
    """A request that cannot be read; ``problems`` holds every reason, in the contract's order."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__(f"{len(problems)} problem(s) in the request")
        self.problems = problems


class Measurement(NamedTuple):
    """A quantity as it came and as it is used; ``value`` is in the predictor's canonical unit."""

    value: float
    original_value: float
    original_unit: str
    measured_on: date | None = None


@dataclass(frozen=True, slots=True)
class PatientRequest:
    """A patient whose every field has passed the contract.

    ``values`` holds what was given, in canonical units and in the contract's order.
    """

    values: Mapping[str, float | str | bool]
    measurements: Mapping[str, Measurement]
    infusion_date: date | None

    @property
    def predictors(self) -> BaselinePredictors:
        """Every predictor by name, ``None`` where it was not given."""
        return BaselinePredictors(**self.values)  # type: ignore[arg-type]  # typed by name

    def age_in_days(self, name: str) -> int | None:
        """Return how many days before infusion a predictor was measured, if that is known."""
        measurement = self.measurements.get(name)
        if measurement is None or measurement.measured_on is None or self.infusion_date is None:
            return None
        return (self.infusion_date - measurement.measured_on).days


class _Reader:
    """Collects problems while the fields are read one by one."""

    def __init__(self, infusion_date: object, today: date | None) -> None:
        self.problems: list[Problem] = []
        self.today = today
        self.latest_measurement = date.max if today is None else latest_measurement(today)
        self.infusion = read_clock(infusion_date)
        self.infusion_given = infusion_date is not None
        if self.infusion_given and self.infusion is None:
            self.refuse("infusion_date", "not_a_date", "must be an ISO 8601 date or date-time")
        if self.infusion is not None and today is not None:
            self._infused_in_time(self.infusion.date(), today)
        self.values: dict[str, float | str | bool] = {}
        self.measurements: dict[str, Measurement] = {}

    def refuse(self, field: str, code: str, message: str, accepted: tuple[str, ...] = ()) -> None:
        self.problems.append(Problem(field, code, message, accepted))

    def _infused_in_time(self, infusion: date, today: date) -> None:
        if infusion < FIRST_INFUSIONS:
            self.refuse("infusion_date", "before_first_infusions", BEFORE_FIRST_INFUSIONS)
        elif infusion > latest_infusion(today):
            self.refuse("infusion_date", "too_far_ahead", too_far_ahead(today))

    def plainly(self, name: str, given: Any) -> bool:
        """Take a quantity that is right at first sight; whatever else is read with care."""
        known = _PLAIN.get(name)
        if known is None or type(given) is not dict:
            return False
        conversions, (low, high) = known
        value: Any = given.get("value")
        unit: Any = given.get("unit")
        measured_at = given.get("measured_at")
        rule = conversions.get(unit) if type(unit) is str else None
        if rule is None or type(value) not in _NUMBERS or not -LARGEST < value < LARGEST:
            return False
        measured_on = None if measured_at is None else self._day_before_infusion(measured_at)
        if len(given) != 2 + (measured_on is not None):
            return False
        canonical = value + 0.0 if rule is IDENTITY else rule(value)
        if not low <= canonical <= high:
            return False
        self.values[name] = canonical
        self.measurements[name] = Measurement(canonical, float(value), unit, measured_on)
        return True

    def _day_before_infusion(self, given: object) -> date | None:
        measured = read_clock(given)
        if measured is None or self.infusion is None or is_after(measured, self.infusion):
            return None
        return None if measured.date() > self.latest_measurement else measured.date()

    def read(self, name: str, declared: Predictor, given: object) -> None:
        if given is None:
            hint = ' (or the word "unknown": no risk is then given)' if name == "age" else ""
            self.refuse(name, "required", f"{name} is required{hint}")
        elif isinstance(declared, Quantity):
            if not (name == "age" and given == UNKNOWN):
                self.quantity(name, declared, given)
        elif isinstance(declared, Category):
            self.category(name, declared, given)
        else:
            self.flag(name, given)

    def quantity(self, name: str, declared: Quantity, given: object) -> None:
        if not isinstance(given, Mapping):
            units = tuple(declared.conversions)
            self.refuse(name, "not_a_quantity", what_is_no_quantity(given), units)
            return
        if not given.keys() <= _QUANTITY_KEYS:
            self.refuse(name, "unknown_key", "a quantity has value, unit and measured_at only")
        unit = accepted_unit(given.get("unit"), declared)
        value = given.get("value")
        if unit is None:
            units = tuple(declared.conversions)
            self.refuse(name, "unknown_unit", "give one of the accepted units", units)
        if not is_finite_number(value):
            self.refuse(name, "not_a_number", what_is_no_number(name, value, declared))
            value = None
        measured_at = given.get("measured_at")
        measured_on = None if measured_at is None else self._measured_on(name, measured_at)
        if unit is None or value is None:
            return
        canonical = self._canonical(name, declared, unit, value)
        if canonical is not None:
            self.values[name] = canonical
            self.measurements[name] = Measurement(canonical, float(value), unit, measured_on)

    def _canonical(self, name: str, declared: Quantity, unit: str, value: float) -> float | None:
        rule = declared.conversions[unit]
        # Adding zero makes minus zero plain zero, as every other conversion does.
        canonical = float(value) + 0.0 if rule is IDENTITY else rule(value)
        low, high = declared.hard
        if not low <= canonical <= high:
            limits = f"must lie between {limits_in_words(declared, unit, declared.hard)}"
            said = "; ".join([limits, *_hints(declared, is_low=canonical < low)])
            self.refuse(name, "outside_limits", said, tuple(declared.conversions))
        elif declared.whole and canonical != int(canonical):
            self.refuse(name, "not_whole", "must be a whole number")
        else:
            return canonical
        return None

    def category(self, name: str, declared: Category, given: object) -> None:
        if (word := word_of(name, given)) is not None:
            self.values[name] = word
        else:
            message = what_is_no_choice(name, given, declared)
            self.refuse(name, "not_a_choice", message, declared.choices)

    def flag(self, name: str, given: object) -> None:
        if isinstance(given, bool):
            self.values[name] = given
        elif given in ("yes", "no"):
            self.values[name] = given == "yes"
        elif given != UNKNOWN:
            self.refuse(name, "not_a_choice", "must be yes, no or unknown", ("yes", "no", UNKNOWN))

    def _measured_on(self, name: str, given: object) -> date | None:
        measured = read_clock(given)
        if measured is None:
            self.refuse(name, "not_a_date", "measured_at must be an ISO 8601 date or date-time")
            return None
        if not self.infusion_given:
            self.refuse("infusion_date", "required", "needed to place measured_at before infusion")
        if self.today is not None and measured.date() > self.latest_measurement:
            self.refuse(name, "measured_in_the_future", measured_in_the_future(self.today))
        elif self.infusion and is_after(measured, self.infusion):
            self.refuse(name, "measured_after_infusion", "must be measured before the infusion")
        return measured.date()


def _hints(declared: Quantity, *, is_low: bool) -> list[str]:
    """Return what the contract notes, but what it notes of the other side."""
    other = "above" if is_low else "below"
    parts = declared.note.split("; ") if declared.note else []
    return [part for part in parts if other not in part.split()]


def read_patient(body: object, today: date | None = None) -> PatientRequest:
    """Read one patient, or say everything that is wrong.

    ``age`` may be the word ``"unknown"``: the answer then carries no risk, but it is an answer.

    Parameters
    ----------
    today
        The day by which dates are judged; without it they are read as they stand, as those of
        patients who were assessed long ago.

    Raises
    ------
    RequestProblems
        With every problem found, never only the first.
    """
    if not isinstance(body, Mapping):
        message = "send one JSON object with the patient's predictors"
        raise RequestProblems((Problem("(body)", "not_an_object", message),))
    reader = _Reader(body.get("infusion_date"), today)
    for name, declared in PREDICTORS.items():
        given = body.get(name)
        if given is None:
            if name in _REQUIRED:
                reader.read(name, declared, given)
        elif not reader.plainly(name, given):
            reader.read(name, declared, given)
    if not body.keys() <= _KNOWN:
        _refuse_unknown_names(reader, map(str, body))
    if reader.problems:
        raise RequestProblems(tuple(dict.fromkeys(reader.problems)))
    infusion_date = reader.infusion.date() if reader.infusion else None
    return PatientRequest(reader.values, reader.measurements, infusion_date)


def _refuse_unknown_names(reader: _Reader, names: Iterable[str]) -> None:
    compared = 0
    for name in names:
        if name in _KNOWN:
            continue
        if name in DERIVED:
            reader.refuse(name, "derived", f"computed here from {DERIVED[name]}; leave it out")
        elif name in NEVER_PREDICTORS:
            reader.refuse(name, "never_a_predictor", f"{NEVER_PREDICTORS[name]}; leave it out")
        elif name in _COLUMN_TO_NAME:
            right = _COLUMN_TO_NAME[name]
            reader.refuse(name, "unknown_field", f"send {right} with its value and unit")
        else:
            compared += 1
            known = PREDICTORS if compared <= _NAMES_COMPARED else ()
            near = tuple(difflib.get_close_matches(name[:60], known, n=3))
            message = "a field that the contract does not know (its name is not repeated here)"
            reader.refuse("(unknown)", "unknown_field", message, near)


_UNITY = re.compile(r"1|\{[^{}]*\}")
"""The unit 1, or what UCUM (section 12) lets stand for it: words in braces have no meaning."""


def accepted_unit(given: object, declared: Quantity) -> str | None:
    """Return the accepted unit that a spelling means, or None."""
    if not isinstance(given, str) or len(given) > 40:
        return None
    if given in declared.conversions:
        return given
    if declared.unit in PURE_NUMBERS and _UNITY.fullmatch(given):
        return declared.unit
    unit = normalise_unit(given)
    if unit in declared.conversions:
        return unit
    folded = {known.lower(): known for known in declared.conversions}
    # Case folding would read mL/L for ML/L; no predictor accepts two units that differ by case.
    spelt = unit.lower()
    return folded.get(spelt) or folded.get(spelt.replace("/mm3", "/ul"))


def is_finite_number(value: object) -> TypeGuard[float]:
    """Tell whether a value is a number that can be reckoned with."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return abs(value) < LARGEST  # false for NaN and the infinities, too


def read_clock(given: object) -> datetime | None:
    """Return an ISO 8601 date or date-time, or None for anything else."""
    if not isinstance(given, str):
        return None
    try:
        return datetime.fromisoformat(given)
    except ValueError:
        return None


def is_after(measured: datetime, infusion: datetime) -> bool:
    """Compare the days that the clocks on site showed, and the hours if the infusion has one."""
    if measured.date() > infusion.date():
        return True
    if infusion.time() == time.min:
        return False
    if measured.tzinfo is None or infusion.tzinfo is None:
        measured, infusion = measured.replace(tzinfo=None), infusion.replace(tzinfo=None)
    return measured >= infusion
