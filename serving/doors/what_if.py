"""Which inputs may be edited in a what-if, and what is said about it.

Only what can be measured again or is still being planned, and only within the usual range: a
what-if answers "if the value were re-measured as" or "if the treatment were planned as", never
"if you changed it".
"""

from collections.abc import Iterable
from typing import Any

from data_schemas.patient_request import Problem, RequestProblems, read_patient
from data_schemas.predictors import PREDICTORS, Quantity
from serving.doors.problem import unreadable

MEASURED = "If the value were re-measured as"
PLANNED = "If the treatment were planned as"
MEASURED_AND_PLANNED = "If the values were re-measured and the treatment planned as"
NOTE = "A difference between two estimates is not the effect of a treatment."
PRODUCT_NOTE = "Products were not randomised; the difference is not a treatment effect."
_MEASURED_GROUPS = frozenset({"inflammation", "blood counts", "organ function"})
_NOT_MEASURED_AGAIN = frozenset({"ldh_uln"})
_BURDEN = frozenset(
    {"ldh", "mtv", "spd", "largest_lesion", "bulky_disease", "marrow_blast", "urate",
     "marrow_plasma_cell", "m_protein", "involved_flc", "beta2_microglobulin"}
)  # fmt: skip
_PLANNED = frozenset({"ld_regimen", "cy_total", "flu_total", "crs_prophylaxis", "cell_dose"})

EDITABLE = frozenset(
    name
    for name, declared in PREDICTORS.items()
    if declared.group in _MEASURED_GROUPS - _NOT_MEASURED_AGAIN or name in _BURDEN | _PLANNED
)


def read_what_if(given: Any, *, with_product: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the edited patient, and what is to be said beside the answer.

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
    problems = [*_not_editable(changes, editable), *_problems_of(edited)]
    if problems or (problems := _outside_range(edited, changes)):
        raise _refusal(*problems)
    notes = [NOTE, PRODUCT_NOTE] if "product" in changes else [NOTE]
    return edited, {"title": _title(changes), "changed": [n for n in PREDICTORS if n in changes],
                    "notes": notes}  # fmt: skip


def _title(changes: Iterable[str]) -> str:
    planned = {name in _PLANNED | {"product"} for name in changes}
    if len(planned) > 1:
        return MEASURED_AND_PLANNED
    return PLANNED if planned == {True} else MEASURED


def _not_editable(changes: dict[str, Any], editable: frozenset[str]) -> list[Problem]:
    problems = []
    for name in changes:
        if name in editable:
            continue
        field = name if name in PREDICTORS else "(unknown)"
        message = "cannot be measured again or planned differently"
        problems.append(Problem(field, "not_editable", message, tuple(sorted(editable))))
    return list(dict.fromkeys(problems))


def _problems_of(edited: dict[str, Any]) -> list[Problem]:
    try:
        read_patient({name: value for name, value in edited.items() if name != "reference"})
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
