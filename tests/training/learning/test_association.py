"""How two outcomes go together: published and made modest, then what a cohort says."""

from collections.abc import Callable
from dataclasses import replace
from math import log, sqrt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data_schemas.evidence import Evidence
from data_schemas.outcomes import OUTCOMES
from serving.model.joint_risk import Association, both
from serving.model.risk_model import RiskModel
from training.cohort import LearningCohort, learning_cohort
from training.experiment import read_experiment
from training.learning.association import (
    SCEPTICAL,
    BothKnown,
    known_in,
    published_association,
    with_cohort,
)
from training.learning.learner import learn
from training.learning.prior import evidence_prior
from training.pipeline import train
from training.synthesis.effect_conversions import log_ratio_error

Array = np.ndarray
Build = Callable[..., LearningCohort]
Write = Callable[..., Path]

WITH_CRS = '[together]\nother = "severe_crs"\n'
OPEN = Association(other="severe_crs", log_odds_ratio=0.0, sd=SCEPTICAL, patients=0, sources=())


def pairs(n: int, log_odds_ratio: float, seed: int = 1) -> BothKnown:
    """Draw pairs of events whose risks differ between patients and whose odds ratio is known."""
    rng = np.random.default_rng(seed)
    p, q = rng.beta(2, 6, n), rng.beta(2, 5, n)
    joint = np.array([both(a, b, log_odds_ratio) for a, b in zip(p, q, strict=True)])
    u = rng.random(n)
    return BothKnown(
        p, q, (u < p).astype(float), ((u < joint) | ((u >= p) & (u < p + q - joint))).astype(float)
    )


# ---- Published ---------------------------------------------------------------------------------


def test_the_published_association_cites_its_row_and_is_more_modest(evidence: Evidence) -> None:
    published = published_association(evidence, "severe_crs")
    (source,) = published.sources
    row = evidence.row(source)
    assert (row.predictor, row.outcome) == ("crs", "severe_neurologic_toxicity")
    assert (published.other, published.patients) == ("severe_crs", 0)
    assert 0 < published.log_odds_ratio < log(row.effect) / 2
    assert published.sd < log_ratio_error(row.effect, row.ci_low, row.ci_high)


def test_a_vaguer_figure_says_less(evidence: Evidence) -> None:
    (source,) = published_association(evidence, "severe_crs").sources
    row = evidence.row(source)
    figures = []
    for widened in (1.0, 3.0):
        ends = {"ci_low": row.ci_low / widened, "ci_high": row.ci_high * widened}
        rows = tuple(
            r.model_copy(update=ends) if r.id == source else r for r in evidence.associations
        )
        figures.append(published_association(replace(evidence, associations=rows), "severe_crs"))
    assert figures[0].log_odds_ratio > figures[1].log_odds_ratio > 0
    assert figures[0].sd < figures[1].sd < SCEPTICAL


# ---- Learnt ------------------------------------------------------------------------------------


@pytest.mark.parametrize("truth", [-1.0, 0.0, 0.7, 2.5])
def test_a_known_odds_ratio_is_recovered(truth: float) -> None:
    found = with_cohort(OPEN, pairs(3000, truth))
    assert found.sd < 0.25
    assert abs(found.log_odds_ratio - truth) < 3 * found.sd
    assert found.patients == 3000


def test_the_standard_deviation_is_that_of_repeated_cohorts() -> None:
    found = [with_cohort(OPEN, pairs(600, 1.5, seed)) for seed in range(60)]
    estimates = np.array([f.log_odds_ratio for f in found])
    assert estimates.mean() == pytest.approx(1.5, abs=0.15)
    assert np.mean([f.sd for f in found]) == pytest.approx(estimates.std(ddof=1), rel=0.3)


def test_more_patients_narrow_it_as_the_root_of_their_number() -> None:
    sd = [with_cohort(OPEN, pairs(n, 1.0)).sd for n in (100, 1000, 4000)]
    assert SCEPTICAL > sd[0] > sd[1] > sd[2]
    assert sd[1] / sd[2] == pytest.approx(sqrt(4), rel=0.2)


def test_two_by_two_tables_agree_with_their_own_odds_ratio() -> None:
    """Without predictors Plackett's likelihood is that of a table; a wide prior leaves it."""
    a, b, c, d = 60, 90, 80, 370
    first = np.repeat([1.0, 1.0, 0.0, 0.0], [a, b, c, d])
    second = np.repeat([1.0, 0.0, 1.0, 0.0], [a, b, c, d])
    known = BothKnown(np.full(600, first.mean()), np.full(600, second.mean()), first, second)
    found = with_cohort(replace(OPEN, sd=100.0), known)
    assert found.log_odds_ratio == pytest.approx(log(a * d / (b * c)), abs=1e-3)


def test_independent_outcomes_pull_it_toward_none(evidence: Evidence) -> None:
    published = published_association(evidence, "severe_crs")
    few, many = (with_cohort(published, pairs(n, 0.0, seed=3)) for n in (60, 3000))
    assert published.log_odds_ratio > few.log_odds_ratio > abs(many.log_odds_ratio)
    assert abs(many.log_odds_ratio) < 3 * many.sd
    assert (many.other, many.sources) == (published.other, published.sources)


def test_pairs_that_say_nothing_leave_the_published_figure(evidence: Evidence) -> None:
    published = published_association(evidence, "severe_crs")
    rare = np.full(5, 1e-6)
    found = with_cohort(published, BothKnown(rare, rare, np.zeros(5), np.zeros(5)))
    assert found.log_odds_ratio == pytest.approx(published.log_odds_ratio, abs=1e-3)
    assert found.sd == pytest.approx(published.sd, rel=1e-3)


# ---- Who counts --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def models(evidence: Evidence, experiment_file: Write) -> tuple[RiskModel, RiskModel]:
    """Severe CRS and severe ICANS by evidence alone."""
    crs, icans = (
        learn(evidence_prior(evidence, read_experiment(experiment_file(outcome=name))), None, 1)
        for name in ("severe_crs", "severe_icans")
    )
    return crs.model, icans.model


def test_only_patients_with_both_outcomes_in_scope_count(
    models: tuple[RiskModel, RiskModel], cohort_of: Build
) -> None:
    known = "axicabtagene_ciloleucel"
    cohort = cohort_of(
        np.array([1.0, 0.0, 1.0, 0.0, 1.0]),
        product=[known, known, "unheard_of", known, known],
        crp=np.array([5.0, 50.0, 5.0, 150.0, 300.0]),
    )
    cohort = replace(cohort, other_outcome=np.array([0.0, np.nan, 1.0, 1.0, np.nan]))
    found = known_in(cohort, *models)
    assert found is not None
    assert (found.first.tolist(), found.second.tolist()) == ([0.0, 1.0], [1.0, 0.0])
    for model, risk in zip(models, (found.first_risk, found.second_risk), strict=True):
        np.testing.assert_array_equal(risk, model.predict(cohort.columns).risk[[0, 3]])


@pytest.mark.parametrize("other", [None, np.full(3, np.nan)])
def test_without_a_second_outcome_nobody_counts(
    models: tuple[RiskModel, RiskModel], cohort_of: Build, other: Array | None
) -> None:
    cohort = replace(cohort_of(np.array([1.0, 0.0, 1.0])), other_outcome=other)
    assert known_in(cohort, *models) is None


# ---- In a run ----------------------------------------------------------------------------------


def test_a_run_stores_what_its_cohort_says(
    evidence: Evidence, experiment_file: Write, simulated_file: Path, tmp_path: Path
) -> None:
    run = train(experiment_file(sections=WITH_CRS), simulated_file, tmp_path)
    cohort = learning_cohort(simulated_file, OUTCOMES["severe_icans"], OUTCOMES["severe_crs"])
    published, found = published_association(evidence, "severe_crs"), run.artefact.model.association
    assert found is not None
    assert cohort.other_outcome is not None
    assert 0 < found.patients <= np.isfinite(cohort.other_outcome).sum()
    assert found.sd < published.sd
    assert (found.other, found.sources) == (published.other, published.sources)


@pytest.mark.parametrize("absence", ["no column", "no value"])
def test_without_grades_of_the_other_outcome_the_published_figure_stays(
    evidence: Evidence, experiment_file: Write, simulated_file: Path, tmp_path: Path, absence: str
) -> None:
    table = pd.read_parquet(simulated_file)
    if absence == "no column":
        table = table.drop(columns="crs_grade")
    else:
        table["crs_grade"] = np.nan
    path = tmp_path / "cohort.parquet"
    table.to_parquet(path)
    run = train(experiment_file(sections=WITH_CRS), path, tmp_path / "store")
    assert run.artefact.manifest.cohort.patients > 0
    assert run.artefact.model.association == published_association(evidence, "severe_crs")


def test_without_a_cohort_the_published_figure_is_stored(
    evidence: Evidence, experiment_file: Write, tmp_path: Path
) -> None:
    found = train(experiment_file(sections=WITH_CRS), None, tmp_path).artefact.model.association
    assert found == published_association(evidence, "severe_crs")
    assert found.patients == 0


def test_nothing_is_joined_that_was_not_asked_for(experiment_file: Write, tmp_path: Path) -> None:
    assert train(experiment_file(), None, tmp_path).artefact.model.association is None
