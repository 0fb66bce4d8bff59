"""The prior puts base rates and effects where the patient of each disease is typical."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import expit
from scipy.stats import norm

from data_schemas.cohort_table import predictor_columns
from data_schemas.evidence import Evidence, EvidenceError
from data_schemas.predictors import PREDICTORS
from data_schemas.typical_values import burden_measures
from serving.model.terms import design
from tests.training.conftest import unpublished_outcome
from training.cohort import LearningCohort
from training.experiment import Experiment, ExperimentRefused, read_experiment
from training.learning import prior as prior_module
from training.learning.posterior import EVIDENCE_SLOPES, prior_only
from training.learning.prior import (
    ModelPrior,
    cohort_prior,
    evidence_prior,
    levels_by_slope,
    published_burden_scale,
)
from training.synthesis.base_rates import base_rates, typical_log_odds
from training.synthesis.figure_reading import transformed_centre, typical
from training.synthesis.published_effects import DISEASE_SPECIFIC, effect_prior

EXPERIMENT = Path(__file__).parents[3] / "experiments" / "severe_icans.toml"
UNPUBLISHED = "il6"
OWN = unpublished_outcome("age", "crp", "il6")


@pytest.fixture(scope="module")
def experiment() -> Experiment:
    return read_experiment(EXPERIMENT)


@pytest.fixture(scope="module")
def believed(evidence: Evidence, experiment: Experiment) -> ModelPrior:
    return evidence_prior(evidence, experiment)


@pytest.fixture(scope="module")
def leukaemia_and_lymphoma(cohort_of: Callable[..., LearningCohort]) -> LearningCohort:
    rng = np.random.default_rng(1)
    return cohort_of(
        np.arange(60) % 4 == 0,
        product=["tisagenlecleucel"] * 60,
        disease=["B_ALL"] * 30 + ["LBCL"] * 30,
        age=rng.uniform(20, 80, 60),
        crp=rng.lognormal(3, 1, 60),
        il6=rng.lognormal(2, 1, 60),
    )


def test_the_prior_runs_over_intercept_cells_and_terms(believed: ModelPrior) -> None:
    p = 1 + len(believed.cells) + len(believed.terms)
    assert believed.prior.n_free == 1 + len(believed.cells)
    assert believed.prior.mean.shape == (p,)
    assert (np.linalg.eigvalsh(believed.prior.covariance) > 0).all()
    assert len(believed.effects) == len(believed.terms)
    assert not believed.prior.direction[: believed.prior.n_free].any()
    assert len({term.name for term in believed.terms}) == len(believed.terms)


def test_the_intercept_carries_what_centres_differ_by(
    believed: ModelPrior, evidence: Evidence
) -> None:
    assert believed.prior.mean[0] == 0
    assert believed.prior.covariance[0, 0] == pytest.approx(believed.between_centres**2)
    assert believed.between_centres > base_rates(evidence, "severe_icans").between_centres


def test_every_predictor_of_the_experiment_has_its_terms(
    believed: ModelPrior, experiment: Experiment
) -> None:
    assert {term.predictor for term in believed.terms} == set(experiment.predictors)


def test_every_term_has_the_published_effect_and_the_declared_direction(
    believed: ModelPrior, evidence: Evidence
) -> None:
    means = believed.prior.mean[believed.prior.n_free :]
    for term, effect, mean in zip(believed.terms, believed.effects, means, strict=True):
        assert effect == effect_prior(evidence, "severe_icans", effect.key)
        assert mean == effect.mean
        assert mean * term.direction >= 0


def test_a_disease_of_its_own_counts_a_predictor_once(believed: ModelPrior) -> None:
    for predictor, own in DISEASE_SPECIFIC.items():
        terms = [t for t in believed.terms if t.predictor == predictor]
        assert [t.diseases for t in terms].count((own,)) == 1
        for disease in ("LBCL", "MM", own):
            assert sum(disease in t.diseases for t in terms) == 1


def test_the_typical_patient_of_every_disease_stands_at_zero(believed: ModelPrior) -> None:
    quantities = [t for t in believed.terms if t.predictor in ("crp", "ferritin", "platelets")]
    for disease in ("LBCL", "MM", "B_ALL"):
        columns = {
            t.predictor: np.array([typical(t.predictor, disease).centre]) for t in quantities
        }
        given = {
            **columns,
            "product": np.array(["tisagenlecleucel"], dtype=object),
            "disease": np.array([disease], dtype=object),
        }
        values = design(
            predictor_columns(given, 1), tuple(quantities), believed.burden_scale
        ).values
        np.testing.assert_allclose(values, 0.0, atol=1e-9)
    crp = next(t for t in quantities if t.name == "crp")
    assert crp.centre["*"] == pytest.approx(transformed_centre(typical("crp")))


def test_the_unknown_word_is_no_word_of_a_category(believed: ModelPrior) -> None:
    words = {word for term in believed.terms for word in term.choices}
    assert words
    assert "unknown" not in words
    references = {PREDICTORS[t.predictor].choices[0] for t in believed.terms if t.choices}
    assert words.isdisjoint(references - {"none"})


def test_base_rates_are_shown_with_interval_sources_and_marks(
    believed: ModelPrior, evidence: Evidence
) -> None:
    for cell in believed.cells:
        assert 0 < cell.low < cell.base_rate < cell.high < 1
        assert (cell.origin == "borrowed") == (not cell.sources)
        rows = [evidence.row(row_id) for row_id in cell.sources]
        assert cell.patients == sum(row.n_treated for row in rows)
        assert cell.holds_unread == any(row.verified != "read" for row in rows)


def test_the_typical_patient_is_below_the_mean_of_a_rare_outcome(believed: ModelPrior) -> None:
    levels = believed.prior.mean[1 : believed.prior.n_free]
    rates = np.array([cell.base_rate for cell in believed.cells])
    assert (levels < np.log(rates / (1 - rates))).all()


@pytest.mark.parametrize("slope", EVIDENCE_SLOPES)
def test_a_stronger_literature_keeps_the_mean_rate_by_a_lower_level(slope: float) -> None:
    rate, spread = 0.14, 0.9
    levels = levels_by_slope(np.log([rate / (1 - rate)]), np.array([spread]))
    usual = typical_log_odds(np.log([rate / (1 - rate)]), np.array([spread]))
    level = float((usual + levels[slope] - levels[1.0])[0])
    steepness = max(slope, 1.0) * spread
    mean = quad(lambda z: expit(level + steepness * z) * norm.pdf(z), -9, 9)[0]
    assert mean == pytest.approx(rate, abs=1e-6)


def test_without_patients_the_level_is_that_of_the_published_slope(believed: ModelPrior) -> None:
    cells = slice(1, believed.prior.n_free)
    said = prior_only(believed.prior).posterior
    np.testing.assert_allclose(said.mean[cells], believed.prior.mean[cells], atol=1e-9)
    crp = believed.prior.n_free + [term.name for term in believed.terms].index("crp")
    effect = believed.prior.mean[crp]
    together = sum(w * s * believed.prior.levels[s] for s, w in EVIDENCE_SLOPES.items()) * effect
    np.testing.assert_allclose(said.covariance[cells, crp], together, atol=1e-9)
    assert (together < 0).all()


def test_the_cohort_does_not_move_what_is_published(
    evidence: Evidence, believed: ModelPrior, leukaemia_and_lymphoma: LearningCohort
) -> None:
    with_cohort = evidence_prior(evidence, read_experiment(EXPERIMENT), leukaemia_and_lymphoma)
    np.testing.assert_array_equal(with_cohort.prior.mean, believed.prior.mean)
    assert with_cohort.terms == believed.terms


# ---- Without evidence --------------------------------------------------------------------------


def test_a_predictor_without_typical_value_needs_a_cohort(
    evidence: Evidence, experiment_file: Callable[..., Path], leukaemia_and_lymphoma: LearningCohort
) -> None:
    wanted = read_experiment(experiment_file(predictors=("age", UNPUBLISHED)))
    with pytest.raises(ExperimentRefused, match=UNPUBLISHED):
        evidence_prior(evidence, wanted)
    term = evidence_prior(evidence, wanted, leukaemia_and_lymphoma).terms[-1]
    values = leukaemia_and_lymphoma.transformed(UNPUBLISHED, term.transform)
    assert term.centre == {"*": pytest.approx(np.median(values))}
    assert term.scale == pytest.approx(values.std())


def test_an_outcome_of_ones_own_starts_at_the_pooled_rate(
    evidence: Evidence, experiment_file: Callable[..., Path], leukaemia_and_lymphoma: LearningCohort
) -> None:
    believed = cohort_prior(evidence, read_experiment(experiment_file(OWN)), leukaemia_and_lymphoma)
    assert [(c.product, c.disease) for c in believed.cells] == [
        ("tisagenlecleucel", "B_ALL"),
        ("tisagenlecleucel", "LBCL"),
    ]
    assert {c.base_rate for c in believed.cells} == {15.5 / 61}
    assert not any(c.sources for c in believed.cells)
    assert not believed.prior.mean[believed.prior.n_free :].any()


@pytest.mark.parametrize(("value", "n"), [(5.0, 40), (7.3, 30), (7.3, 100), (99.9, 37)])
def test_a_constant_predictor_has_the_scale_of_its_usual_range(
    evidence: Evidence,
    experiment_file: Callable[..., Path],
    cohort_of: Callable[..., LearningCohort],
    value: float,
    n: int,
) -> None:
    """By a scale of rounding errors any other value would be as far from typical as can be."""
    wanted, had = read_experiment(experiment_file(OWN)), np.arange(n) % 4 == 0
    constant, unmeasured = (
        cohort_prior(evidence, wanted, cohort_of(had, **columns)).terms[-1]
        for columns in ({UNPUBLISHED: np.full(n, value)}, {})
    )
    assert constant.predictor == UNPUBLISHED
    assert constant.scale == unmeasured.scale > 0.1


def test_a_predictor_that_nobody_published_and_nobody_measured_is_centred_in_its_usual_range(
    evidence: Evidence,
    experiment_file: Callable[..., Path],
    cohort_of: Callable[..., LearningCohort],
) -> None:
    wanted = read_experiment(experiment_file(predictors=("age", UNPUBLISHED)))
    believed = evidence_prior(evidence, wanted, cohort_of(np.arange(40) % 4 == 0))
    term = next(term for term in believed.terms if term.predictor == UNPUBLISHED)
    assert np.isfinite([*term.centre.values(), term.scale]).all()
    assert term.scale > 0


def test_a_measure_of_burden_without_quantiles_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rest = [row for row in burden_measures() if row.measure not in ("mtv", "m_protein")]
    monkeypatch.setattr(prior_module, "burden_measures", lambda: rest)
    with pytest.raises(EvidenceError) as caught:
        published_burden_scale()
    assert [problem.row for problem in caught.value.problems] == ["mtv", "m_protein"]
