"""What may stand in a record, and what never does."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from training.evaluation.asked import Asked, declared_range
from training.evaluation.estimate import Curve, Estimate
from training.evaluation.record import Evaluation

FORBIDDEN = re.compile(r"accura|f1|f_1|f_score|mcc|matthews|balanced|youden|hosmer|ece\b", re.I)


def names(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key == "properties":
                yield from value
            yield from names(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from names(value)


def test_no_measure_that_rewards_wrong_risks_has_a_name_here() -> None:
    found = set(names(Evaluation.model_json_schema()))
    assert {"auroc", "net_benefit", "calibration_slope", "sensitivity"} <= found
    assert [name for name in found if FORBIDDEN.search(name)] == []


@pytest.mark.parametrize("bad", ["accuracy", "f1", "mcc", "balanced_accuracy", "youden_index"])
def test_the_search_would_find_them(bad: str) -> None:
    assert FORBIDDEN.search(bad)


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"value": 1.0},
        {"value": 1.0, "low": 0.5, "reason": "half an interval"},
        {"value": 1.0, "low": 0.5, "high": 2.0},
        {"low": 0.5, "high": 2.0, "method": "wald", "reason": "no value"},
        {"value": float("nan"), "reason": "not a number"},
        {"value": 1.0, "low": float("-inf"), "high": 2.0, "method": "wald"},
        {"value": 1.0, "reason": "why", "extra": 3},
    ],
)
def test_half_an_estimate_is_not_recorded(parts: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Estimate(**parts)


@pytest.mark.parametrize(
    "parts",
    [
        {"value": (1.0,)},
        {"value": (1.0,), "low": (0.5,), "reason": "one edge"},
        {"value": (1.0, 2.0), "low": (0.5,), "high": (1.5,)},
    ],
)
def test_half_a_band_is_not_recorded(parts: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Curve(**parts)


def test_a_record_does_not_change() -> None:
    estimate = Estimate(value=1.0, reason="no interval was asked for")
    with pytest.raises(ValidationError):
        estimate.value = 2.0  # type: ignore[misc]


def test_ranges_are_declared_by_outcome() -> None:
    assert declared_range("severe_crs") == (0.02, 0.30)
    assert declared_range("severe_icans") == (0.05, 0.50)
    assert declared_range("infection") == (0.05, 0.50)


@pytest.mark.parametrize(
    "parts",
    [
        {"net_benefit_range": (0.3, 0.02)},
        {"net_benefit_range": (0.0, 0.3)},
        {"thresholds": (0.2, 0.1)},
        {"thresholds": (0.1, 0.1)},
        {"thresholds": (1.0,)},
        {"draws": 5},
        {"seed": -1},
        {"anticipated_auroc": 0.5},
    ],
)
def test_a_question_that_makes_no_sense_is_refused(parts: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Asked(**{"seed": 1, "net_benefit_range": (0.02, 0.3)} | parts)


def test_no_threshold_is_assumed() -> None:
    assert Asked(seed=1, net_benefit_range=(0.02, 0.3)).thresholds == ()


def test_the_schema_is_plain_json() -> None:
    json.dumps(Evaluation.model_json_schema(), allow_nan=False)
