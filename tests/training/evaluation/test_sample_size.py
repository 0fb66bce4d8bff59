import math

import numpy as np
import pytest
from scipy.special import expit

from tests.training.evaluation.conftest import asked
from training.evaluation import sample_size as size
from training.evaluation.discrimination import auroc
from training.evaluation.sample_size_criteria import sample_size_criteria


def test_the_worked_example_of_riley() -> None:
    """24 parameters, 17.4 % events, R2 of 0.288 (BMJ 2020;368:m441)."""
    assert math.ceil(size.for_shrinkage(24, 0.288)) == 623
    assert math.ceil(size.for_optimism(24, 0.288, 0.174)) == 662
    assert math.ceil(size.for_prevalence(0.174, 0.05)) == 221


def test_the_same_from_an_auroc() -> None:
    r2 = size.cox_snell_r2(0.174, 0.89)
    assert math.ceil(size.for_shrinkage(24, r2)) == 615
    assert math.ceil(size.for_optimism(24, r2, 0.174)) == 660


MINIMUM = {
    (0.04, 0.75): {6: (1577, 64), 10: (2628, 106), 15: (3942, 158), 20: (5256, 211)},
    (0.08, 0.70): {6: (1362, 109), 10: (2269, 182), 15: (3403, 273), 20: (4538, 364)},
    (0.08, 0.75): {6: (836, 67), 10: (1393, 112), 15: (2089, 168), 20: (2785, 223)},
    (0.08, 0.80): {6: (550, 44), 10: (916, 74), 15: (1374, 110), 20: (1832, 147)},
    (0.15, 0.75): {6: (493, 74), 10: (821, 124), 15: (1231, 185), 20: (1641, 247)},
    (0.20, 0.75): {6: (397, 80), 10: (661, 133), 15: (992, 199), 20: (1322, 265)},
    (0.30, 0.75): {6: (323, 97), 10: (512, 154), 15: (767, 231), 20: (1023, 307)},
}
"""Patients and events by prevalence, AUROC and parameters, the prevalence known within 0.05."""


@pytest.mark.parametrize(("prevalence", "area"), MINIMUM)
def test_the_table_of_minima(prevalence: float, area: float) -> None:
    r2 = size.cox_snell_r2(prevalence, area)
    for parameters, (patients, events) in MINIMUM[prevalence, area].items():
        needed = max(
            size.for_shrinkage(parameters, r2),
            size.for_optimism(parameters, r2, prevalence),
            size.for_prevalence(prevalence, 0.05),
        )
        assert math.ceil(needed) == patients
        assert math.ceil(patients * prevalence - 1e-9) == events


@pytest.mark.parametrize(
    ("prevalence", "ratio", "slope", "loose_slope", "area"),
    [(0.08, 1120, 1711, 428, 1232), (0.20, 390, 888, 222, 568), (0.30, 228, 714, 179, 433)],
)
def test_the_table_of_external_validation(
    prevalence: float, ratio: int, slope: int, loose_slope: int, area: int
) -> None:
    assert math.ceil(size.for_observed_over_expected(prevalence)) == ratio
    assert math.ceil(size.for_slope(prevalence, 0.75)) == slope
    assert math.ceil(size.for_slope(prevalence, 0.75, 0.4)) == loose_slope
    assert math.ceil(size.for_auroc(prevalence, 0.75)) == area


def test_the_error_of_risks_follows_its_regression() -> None:
    """ln MAPE = -0.508 - 0.544 ln n + 0.259 ln prevalence + 0.504 ln parameters."""
    n = size.for_risk_error(10, 0.2)
    error = np.exp(-0.508 - 0.544 * np.log(n) + 0.259 * np.log(0.2) + 0.504 * np.log(10))
    assert error == pytest.approx(0.05)


def test_the_anticipated_patients_have_the_prevalence_and_the_auroc() -> None:
    z, share = size.anticipated_log_odds(0.08, 0.75)
    risk = expit(z)
    assert share.sum() == pytest.approx(1.0)
    assert share @ risk == pytest.approx(0.08, rel=1e-6)
    both = np.r_[z, z], np.repeat([1.0, 0.0], len(z)), np.r_[share * risk, share * (1 - risk)]
    assert auroc(both[0], both[1], both[2][None])[0] == pytest.approx(0.75, abs=2e-3)


def test_a_simulated_cohort_of_the_wanted_size_has_the_wanted_slope_interval() -> None:
    z, share = size.anticipated_log_odds(0.2, 0.75)
    n = size.for_slope(0.2, 0.75)
    q = n * share * expit(z) * expit(-z)
    information = np.array([[q.sum(), q @ z], [q @ z, q @ z**2]])
    assert 1.96 * np.sqrt(np.linalg.inv(information)[1, 1]) == pytest.approx(0.2)


def test_what_is_met_is_said_criterion_by_criterion() -> None:
    found = sample_size_criteria(1000, 150, True, asked(parameters=10))
    needed = {c.name: (c.required_patients, c.required_events, c.met) for c in found.criteria}
    assert needed["development_shrinkage"] == (821, 124, True)
    assert needed["development_prevalence"] == (196, 30, True)
    assert needed["events_per_parameter"] == (667, 101, True)
    assert found.met is True
    assert sample_size_criteria(800, 120, True, asked(parameters=10)).met is False


def test_a_rare_outcome_asks_for_a_closer_margin() -> None:
    found = sample_size_criteria(1000, 80, True, asked(parameters=1))
    by_name = {c.name: c for c in found.criteria}
    assert by_name["development_prevalence"].required_patients == math.ceil(
        (1.96 / 0.02) ** 2 * 0.08 * 0.92
    )


def test_a_model_from_elsewhere_is_asked_for_validation() -> None:
    found = sample_size_criteria(1000, 80, False, asked())
    assert {c.name: c.required_patients for c in found.criteria} == {
        "external_observed_over_expected": 1120,
        "external_slope": 1711,
        "external_auroc": 1232,
    }
    assert found.met is False


def test_undeclared_parameters_are_not_guessed() -> None:
    found = sample_size_criteria(1000, 80, True, asked())
    unknown = [c for c in found.criteria if c.required_patients is None]
    assert len(unknown) == 4
    assert {c.reason for c in unknown} == {"the number of candidate parameters was not declared"}


def test_beyond_thirty_parameters_the_error_is_not_known() -> None:
    found = sample_size_criteria(1000, 80, True, asked(parameters=31))
    (error,) = [c for c in found.criteria if c.name == "development_error"]
    assert error.required_patients is None
    assert "30" in str(error.reason)


@pytest.mark.parametrize(("patients", "events"), [(0, 0), (50, 0), (50, 50)])
def test_one_class_has_no_criteria_and_says_why(patients: int, events: int) -> None:
    found = sample_size_criteria(patients, events, True, asked(parameters=3))
    assert found.criteria == ()
    assert found.met is None
    assert found.reason


def test_what_could_not_be_computed_is_not_met() -> None:
    """Of a recalibrated model the number of candidate parameters is not declared."""
    undeclared = sample_size_criteria(100_000, 15_000, True, asked(parameters=None))
    assert {c.met for c in undeclared.criteria} == {True, None}
    assert undeclared.met is None
    assert sample_size_criteria(100, 15, True, asked(parameters=None)).met is False
    assert sample_size_criteria(100_000, 15_000, True, asked(parameters=10)).met is True
