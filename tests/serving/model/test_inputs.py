"""What is said to be read, and only that, moves a risk."""

from collections.abc import Iterator

from data_schemas.patient_request import read_patient
from data_schemas.predictors import PREDICTORS, Quantity
from serving.model.inputs import NOTHING, inputs_of
from serving.model.tumour_burden import SOURCES
from serving.ward import Ward
from tests.conftest import Body

MEASURES = {name for names in SOURCES.values() for name in names}


def values_of(name: str) -> Iterator[object]:
    """Values of a predictor that lie apart from each other."""
    declared = PREDICTORS[name]
    if isinstance(declared, Quantity):
        low, high = declared.soft
        for share in (0.1, 0.9):
            value = low + share * (high - low)
            yield {"value": round(value) if declared.whole else value, "unit": declared.unit}
    else:
        yield from getattr(declared, "choices", ("yes", "no"))


def risks(body: Body, ward: Ward) -> list[float]:
    assert ward.assessor is not None
    outcomes = ward.assessor.assess(read_patient(body)).fields["outcomes"]
    assert isinstance(outcomes, list)
    return [outcome["risk"] for outcome in outcomes if "risk" in outcome]


def moves(name: str, body: Body, ward: Ward) -> bool:
    """Tell whether a predictor alone moves a risk."""
    found = [risks(body | {name: value}, ward) for value in values_of(name)]
    found = [one for one in found if one]
    return any(one != found[0] for one in found)


def test_what_moves_a_risk_is_read(bodies: list[Body], ward: Ward) -> None:
    assert ward.assessor is not None
    of_disease = {body["disease"]: body for body in reversed(bodies)}
    moving = set[str]()
    for name in PREDICTORS.keys() - {"product", "disease"}:
        others = MEASURES if name in MEASURES else set[str]()
        for body in of_disease.values():
            if moves(name, {n: v for n, v in body.items() if n not in others}, ward):
                moving.add(name)
    assert [name for name in moving if name not in ward.assessor.inputs] == []
    assert moving >= {*MEASURES, "crp", "ldh", "ldh_uln", "ecog", "creatinine"}


def test_what_is_counted_in_a_disease_is_what_moves_a_risk_there(
    bodies: list[Body], ward: Ward
) -> None:
    """C-reactive protein is read in leukaemia, too, and moves no risk there."""
    assert ward.assessor is not None
    inputs = ward.assessor.inputs
    of_disease = {body["disease"]: body for body in reversed(bodies)}
    for disease, body in of_disease.items():
        # Some ages are out of scope, and the limit of LDH moves nothing where LDH is missing.
        asked = inputs.always - {"product", "disease", "age", "ldh_uln"}
        moving = {name for name in asked if moves(name, body, ward)}
        assert moving == inputs.counted[disease] & asked
    assert "crp" in inputs.counted["LBCL"]
    assert "crp" not in inputs.counted["B_ALL"]


def test_without_a_model_nothing_is_read() -> None:
    assert inputs_of([]) == NOTHING
    assert not [name for name in PREDICTORS if name in NOTHING]
