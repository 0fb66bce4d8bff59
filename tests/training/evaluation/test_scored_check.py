import numpy as np
import pytest

from data_schemas.refusal import Refused
from tests.training.evaluation.conftest import asked, scored
from training.evaluation.evaluate import evaluate
from training.evaluation.scored_check import NotJudged, check
from training.evaluation.scored_cohort import ScoredCohort

WHOLE = scored()
N = len(WHOLE)


def with_(**parts: object) -> ScoredCohort:
    return ScoredCohort(**vars(WHOLE) | parts)


def put(place: int, value: float, array: np.ndarray) -> np.ndarray:
    changed = array.astype(float)
    changed.flat[place] = value
    return changed


@pytest.mark.parametrize(
    ("parts", "named"),
    [
        ({"outcome": np.zeros((N, 1))}, "outcome"),
        ({"outcome": put(3, np.nan, WHOLE.outcome)}, "outcome"),
        ({"outcome": put(3, 2.0, WHOLE.outcome)}, "outcome"),
        ({"model": WHOLE.model[:-1]}, "model"),
        ({"model": put(3, np.inf, WHOLE.model)}, "model"),
        ({"low": put(3, -701.0, WHOLE.low)}, "low"),
        ({"left_out": WHOLE.left_out[:, :-1]}, "left_out"),
        ({"left_out": put(3, -np.inf, WHOLE.left_out)}, "left_out"),
        ({"without": {"site": WHOLE.model[:5]}}, "without site"),
        ({"comparators": {"easix": WHOLE.model[:5]}}, "comparator easix"),
        ({"comparators": {"easix": put(0, np.inf, WHOLE.model)}}, "comparator easix"),
        ({"groups": {"sex": np.array(["male"], dtype=object)}}, "groups sex"),
        ({"groups": {"sex": np.full(N, None, dtype=object)}}, "groups sex"),
        ({"drawn": WHOLE.drawn[:-1]}, "drawn"),
        ({"drawn": WHOLE.drawn + N}, "drawn"),
        ({"drawn": WHOLE.drawn - N}, "drawn"),
    ],
)
def test_what_does_not_fit_is_named(parts: dict[str, object], named: str) -> None:
    with pytest.raises(NotJudged, match=f"- {named}: "):
        evaluate(with_(**parts), asked())


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(Refused) as refused:
        check(with_(model=WHOLE.model[:2], low=WHOLE.low[:3]))
    assert isinstance(refused.value, NotJudged)
    assert len(refused.value.problems) == 2
    with pytest.raises(NotJudged) as refused:
        check(with_(outcome=WHOLE.outcome + 5, high=WHOLE.high * np.inf))
    assert len(refused.value.problems) == 2


def test_no_value_of_a_patient_is_repeated() -> None:
    with pytest.raises(NotJudged) as refused:
        check(with_(model=put(3, 987.654, WHOLE.model)))
    assert "987" not in str(refused.value)


def test_a_whole_one_passes() -> None:
    check(WHOLE)
