"""Which inputs may be edited in a what-if, and what is said about it.

Only what can be measured again or is still being planned, and only within the usual range: a
what-if answers "if the value were re-measured as" or "if the treatment were planned as", never
"if you changed it".
"""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from data_schemas.patient_request import (
    UNKNOWN,
    Problem,
    RequestProblems,
    accepted_unit,
    is_finite_number,
)
from data_schemas.predictors import PREDICTORS, Quantity
from data_schemas.word_spellings import word_of
from serving.doors.assessor import problems_of
from serving.doors.problem import unreadable
from serving.model.inputs import Inputs
from serving.model.tumour_burden import SOURCES

MEASURED = "If the value were re-measured as"
PLANNED = "If the treatment were planned as"
MEASURED_AND_PLANNED = "If the values were re-measured and the treatment planned as"
NOT_MEASURED = "If it were not measured"
NOT_PLANNED = "If it were not known how the treatment is planned"
NEITHER = "If it were neither measured nor planned"
PARTLY_KNOWN = "If the inputs were as given, and what is sent as null or unknown were not known"
NOTE = "A difference between two estimates is not the effect of a treatment."
PRODUCT_NOTE = "Products were not randomised; the difference is not a treatment effect."
_MEASURED_GROUPS = frozenset({"inflammation", "blood counts", "organ function"})
_BURDEN = frozenset(
    {"ldh", "mtv", "spd", "largest_lesion", "bulky_disease", "marrow_blast", "urate",
     "marrow_plasma_cell", "m_protein", "involved_flc", "beta2_microglobulin"}
)  # fmt: skip
_PLANNED = frozenset({"ld_regimen", "cy_total", "flu_total", "crs_prophylaxis", "cell_dose"})

EDITABLE = frozenset(
    name
    for name, declared in PREDICTORS.items()
    if declared.group in _MEASURED_GROUPS or name in _BURDEN | _PLANNED
)

_MEMBERS = {
    "patient": "send the patient as an object",
    "changes": "send an object that names at least one predictor",
}


def read_what_if(
    given: Any, today: date, *, with_product: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the edited patient, and what is to be said beside the answer.

    Parameters
    ----------
    today
        The day by which dates are judged.

    Raises
    ------
    RequestRefused
        422, with every problem of the patient and of the changes.
    """
    if not isinstance(given, dict):
        raise _refusal(Problem("(body)", "not_an_object", "send an object: patient and changes"))
    patient, changes = (_object_or_none(given.get(name)) for name in _MEMBERS)
    editable = EDITABLE | {"product"} if with_product else EDITABLE
    edits = {name: value for name, value in (changes or {}).items() if name in editable}
    problems = [
        *_wrong_members(given),
        *_not_editable(changes or {}, editable),
        *_unread(patient, edits, today),
        *_outside_range(edits),
    ]
    if problems or patient is None or changes is None:
        raise _refusal(*problems)
    edited = patient | edits
    notes = [NOTE, PRODUCT_NOTE] if "product" in changes else [NOTE]
    return edited, {"title": _title(changes), "changed": [n for n in PREDICTORS if n in changes],
                    "notes": notes}  # fmt: skip


def _title(changes: Mapping[str, Any]) -> str:
    planned = frozenset(name in _PLANNED | {"product"} for name in changes)
    known = {value not in (None, UNKNOWN) for value in changes.values()}
    if len(known) > 1:
        return PARTLY_KNOWN
    return (_TITLES if known == {True} else _TITLES_OF_NOTHING)[planned]


_TITLES = {
    frozenset({False}): MEASURED,
    frozenset({True}): PLANNED,
    frozenset({False, True}): MEASURED_AND_PLANNED,
}
_TITLES_OF_NOTHING = {
    frozenset({False}): NOT_MEASURED,
    frozenset({True}): NOT_PLANNED,
    frozenset({False, True}): NEITHER,
}


def without_effect(
    changes: Mapping[str, Any], inputs: Inputs, disease: object, burden: str | None
) -> list[str]:
    """Return a sentence for each change that cannot move a risk, and why it cannot.

    Parameters
    ----------
    inputs
        What the models read.
    disease
        As it was sent, in any spelling that the contract takes.
    burden
        The one measure of tumour burden that they read of this patient, if any.
    """
    said = []
    word = word_of("disease", disease)
    assert word is not None, "a what-if whose disease cannot be read was refused"
    for name, value in changes.items():
        if name in inputs.always and name in inputs.counted[word]:
            continue
        label = PREDICTORS[name].label
        if name in inputs.always:
            said.append(f"{label}: {_NOT_COUNTED}")
        elif name not in inputs.as_burden:
            said.append(f"{label}: no model reads it, so that this change moves no risk.")
        elif name != burden and (value not in (None, UNKNOWN) or _is_less_than(name, burden)):
            said.append(
                f"{label}: not read, {_instead(burden)}, so that this change moves no risk."
            )
    return said


_NOT_COUNTED = (
    "how much it matters in this disease is not known, so that this change moves no risk, and the "
    "interval alone."
)


def _is_less_than(name: str, burden: str | None) -> bool:
    """Tell whether a measure would not be read beside the one that is, were it given."""
    better = (names[: names.index(burden)] for names in SOURCES.values() if burden in names)
    return burden is not None and not any(name in names for names in better)


def _instead(burden: str | None) -> str:
    if burden is None:
        return "for it is no measure of tumour burden in this disease"
    return f"for tumour burden is read from another measure ({PREDICTORS[burden].label})"


def _object_or_none(given: Any) -> dict[str, Any] | None:
    return given if isinstance(given, dict) else None


def _wrong_members(given: dict[str, Any]) -> list[Problem]:
    problems = []
    for name, message in _MEMBERS.items():
        member = given.get(name)
        if member is None or (name == "changes" and member == {}):
            problems.append(Problem(name, "required", message))
        elif not isinstance(member, dict):
            problems.append(Problem(name, "not_an_object", message))
    if not given.keys() <= _MEMBERS.keys():
        message = "a field that the contract does not know (its name is not repeated here)"
        problems.append(Problem("(unknown)", "unknown_field", message, tuple(_MEMBERS)))
    return problems


def _not_editable(changes: dict[str, Any], editable: frozenset[str]) -> list[Problem]:
    problems = []
    for name in changes:
        if name in editable:
            continue
        field = name if name in PREDICTORS else "(unknown)"
        message = "cannot be measured again or planned differently"
        problems.append(Problem(field, "not_editable", message, tuple(sorted(editable))))
    return list(dict.fromkeys(problems))


def _unread(
    patient: dict[str, Any] | None, edits: dict[str, Any], today: date
) -> Iterable[Problem]:
    """Return what is wrong with the edited patient; without one, with the edits by themselves."""
    if patient is not None:
        return problems_of(patient | edits, today)
    return [problem for problem in problems_of(edits, today) if problem.field in edits]


def _outside_range(edits: dict[str, Any]) -> list[Problem]:
    problems = []
    for name, given in edits.items():
        declared = PREDICTORS[name]
        if not isinstance(declared, Quantity) or not isinstance(given, dict):
            continue
        value = _canonical(declared, given)
        (low, high), (lowest, highest) = declared.soft, declared.hard
        # What lies outside the hard limits, too, was told already.
        if value is not None and lowest <= value <= highest and not low <= value <= high:
            message = f"a what-if stays between {low:g} and {high:g} {declared.unit}"
            problems.append(Problem(name, "outside_range", message))
    return problems


def _canonical(declared: Quantity, given: dict[str, Any]) -> float | None:
    """Return a quantity in its canonical unit, whatever else of the patient cannot be read."""
    unit = accepted_unit(given.get("unit"), declared)
    value: Any = given.get("value")
    if unit is None or not is_finite_number(value):
        return None
    return declared.conversions[unit](value)


def _refusal(*problems: Problem) -> Exception:
    return unreadable(RequestProblems(problems))
