"""Which inputs may be edited in a what-if, and what is said about it.

Only what can be measured again or is still being planned, and only within the usual range: a
what-if answers "if the value were re-measured as" or "if the treatment were planned as", never
"if you changed it".
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

from data_schemas.patient_request import UNKNOWN, Problem, RequestProblems, read_patient
from data_schemas.predictors import PREDICTORS, Quantity
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
    if not (isinstance(given, dict) and given.keys() == {"patient", "changes"}):
        raise _refusal(Problem("(body)", "not_an_object", "send an object: patient and changes"))
    patient, changes = given["patient"], given["changes"]
    if not isinstance(patient, dict) or not isinstance(changes, dict) or not changes:
        message = "patient and changes must be objects, and changes must name a predictor"
        raise _refusal(Problem("(body)", "not_an_object", message))
    editable = EDITABLE | {"product"} if with_product else EDITABLE
    edited = {**patient, **{n: v for n, v in changes.items() if n in editable}}
    problems = [*_not_editable(changes, editable), *_problems_of(edited, today)]
    if problems or (problems := _outside_range(edited, changes)):
        raise _refusal(*problems)
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
    changes: Mapping[str, Any], inputs: Inputs, disease: str, burden: str | None
) -> list[str]:
    """Return a sentence for each change that cannot move a risk, and why it cannot.

    Parameters
    ----------
    inputs
        What the models read.
    burden
        The one measure of tumour burden that they read of this patient, if any.
    """
    said = []
    for name, value in changes.items():
        if name in inputs.always and name in inputs.counted[disease]:
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


def _not_editable(changes: dict[str, Any], editable: frozenset[str]) -> list[Problem]:
    problems = []
    for name in changes:
        if name in editable:
            continue
        field = name if name in PREDICTORS else "(unknown)"
        message = "cannot be measured again or planned differently"
        problems.append(Problem(field, "not_editable", message, tuple(sorted(editable))))
    return list(dict.fromkeys(problems))


def _problems_of(edited: dict[str, Any], today: date) -> list[Problem]:
    try:
        read_patient({name: value for name, value in edited.items() if name != "reference"}, today)
    except RequestProblems as refused:
        return list(refused.problems)
    return []


def _outside_range(edited: dict[str, Any], changes: dict[str, Any]) -> list[Problem]:
    values = read_patient({n: v for n, v in edited.items() if n != "reference"}).values
    problems = []
    for name in changes:
        declared, value = PREDICTORS[name], values.get(name)
        if not isinstance(declared, Quantity) or not isinstance(value, float):
            continue
        low, high = declared.soft
        if not low <= value <= high:
            message = f"a what-if stays between {low:g} and {high:g} {declared.unit}"
            problems.append(Problem(name, "outside_range", message))
    return problems


def _refusal(*problems: Problem) -> Exception:
    return unreadable(RequestProblems(problems))
