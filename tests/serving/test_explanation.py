"""The explanation is exact, sorted, and never blames what was not measured."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_schemas.cohort_table import Cohort
from data_schemas.predictors import PREDICTORS
from data_schemas.risk_assessment import Contribution
from serving.explanation import contributions, natural_frequency, value_in_words
from serving.tumour_burden import tumour_burden
from tests.conftest import Store

PATIENTS = range(0, 1000, 20)


@pytest.fixture(scope="module", params=["severe_crs", "severe_icans"])
def explained(
    request: pytest.FixtureRequest, fitted_store: Store, cohort: Cohort
) -> list[tuple[float, tuple[Contribution, ...]]]:
    """For some patients the distance from the typical one, and its account."""
    model, columns = fitted_store.models[request.param], cohort.columns()
    prediction = model.predict(columns)
    burden = tumour_burden(columns, model.burden_scale)
    return [
        (
            float(prediction.logit[i] - prediction.base[i]),
            contributions(model, prediction, i, columns, burden),
        )
        for i in PATIENTS
    ]


Explained = list[tuple[float, tuple[Contribution, ...]]]


def test_contributions_are_the_distance_from_the_typical_patient(explained: Explained) -> None:
    for distance, parts in explained:
        assert sum(part.log_odds for part in parts) == pytest.approx(distance, abs=1e-12)


def test_there_is_one_contribution_a_predictor_largest_first(explained: Explained) -> None:
    for _, parts in explained:
        sizes = [abs(part.log_odds) for part in parts]
        assert sizes == sorted(sizes, reverse=True)
        assert len({part.predictor for part in parts}) == len(parts)


def test_what_was_not_measured_contributes_exactly_nothing(explained: Explained) -> None:
    unmeasured = [part for _, parts in explained for part in parts if not part.measured]
    assert unmeasured
    assert {part.log_odds for part in unmeasured} == {0.0}
    assert all(part.text == f"{part.label} not measured; typical assumed" for part in unmeasured)


def test_the_sentence_says_the_direction_and_no_cause(explained: Explained) -> None:
    for part in (part for _, parts in explained for part in parts if part.measured):
        assert part.text.startswith(part.label)
        assert ("goes with a higher risk" in part.text) == (part.log_odds > 1e-12)
        assert ("goes with a lower risk" in part.text) == (part.log_odds < -1e-12)
        assert not re.search(r"caus|because|due to|lowers|raises", part.text)


def test_burden_names_the_measure_it_came_from(explained: Explained) -> None:
    texts = [
        part.text
        for _, parts in explained
        for part in parts
        if part.predictor == "tumour_burden" and part.measured
    ]
    assert texts
    assert all(re.search(r"percentile \d+ \([a-z].* .*\)", text) for text in texts)


def test_groups_are_those_of_the_contract(explained: Explained) -> None:
    for part in explained[0][1]:
        declared = PREDICTORS.get(part.predictor)
        assert part.group == (declared.group if declared else "tumour")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("crp", 84.0, "84 mg/L"),
        ("ferritin", 123456.0, "1.235e+05 ng/mL"),
        ("age", 64.0, "64 years"),
        ("ecog", 2.0, "2"),
        ("prior_lines", 3.0, "3"),
        ("bulky_disease", 1.0, "present"),
        ("bulky_disease", 0.0, "absent"),
        ("bulky_disease", np.nan, None),
        ("crp", np.nan, None),
        ("ld_regimen", "flu_cy", "flu cy"),
        ("ld_regimen", None, None),
        ("cns_involvement", "unknown", None),
    ],
)
def test_a_value_is_written_as_a_clinician_writes_it(
    name: str, value: object, words: str | None
) -> None:
    assert value_in_words(name, value) == words


@given(st.floats(0, 1))
def test_a_frequency_is_the_risk_of_a_hundred_patients(risk: float) -> None:
    words = natural_frequency(risk)
    number = int(re.search(r"(\d+) of 100 patients", words)[1])  # type: ignore[index]
    if words.startswith("fewer"):
        assert (number, risk < 0.01) == (1, True)
    elif words.startswith("more"):
        assert (number, risk > 0.95) == (95, True)
    else:
        assert abs(number - 100 * risk) <= 0.5 + 1e-9
        assert 1 <= number <= 95
