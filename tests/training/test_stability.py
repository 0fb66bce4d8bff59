"""Refits say how much a model would differ had other patients come."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from data_schemas.evidence import load_evidence
from data_schemas.outcomes import OUTCOMES
from training.cohort import learning_cohort
from training.experiment import read_experiment
from training.learner import learn
from training.prior import evidence_prior
from training.recipes import RECIPES
from training.stability import Stability, stability


@pytest.fixture(scope="module")
def refitted(
    experiment_file: Callable[..., Path], simulated_file: Path
) -> Callable[[int, float], Stability]:
    """Refit a cohort, repeated a number of times, with a given misfit of the served model."""
    outcome = OUTCOMES["severe_icans"]
    prior = evidence_prior(load_evidence(), read_experiment(experiment_file()))
    cohort = learning_cohort(simulated_file, outcome)
    recipe = RECIPES["anchored_ridge"]

    @cache
    def refit(copies: int, misfit_sd: float) -> Stability:
        many = cohort.take(np.tile(np.arange(len(cohort)), copies))
        learnt = learn(prior, many, 1, recipe)
        learnt = replace(learnt, model=replace(learnt.model, misfit_sd=misfit_sd))
        return stability(prior, many, learnt, recipe, 1, 20)

    return refit


def test_more_patients_of_the_same_kind_make_the_risks_steadier(
    refitted: Callable[[int, float], Stability],
) -> None:
    # Few patients are held near the evidence, which is steady too: it takes many more to tell.
    assert refitted(16, 0.4).mean_absolute_change < 0.8 * refitted(1, 0.4).mean_absolute_change


def test_the_served_interval_is_wider_than_the_refits_alone(
    refitted: Callable[[int, float], Stability],
) -> None:
    assert refitted(1, 0.4).width_over_bootstrap > 1.0


def test_the_width_is_that_of_the_model_that_is_served(
    refitted: Callable[[int, float], Stability],
) -> None:
    assert refitted(1, 3.0).width_over_bootstrap > refitted(1, 0.4).width_over_bootstrap


def test_the_same_seed_gives_the_same_refits(refitted: Callable[[int, float], Stability]) -> None:
    once = refitted(1, 0.4)
    refitted.cache_clear()  # type: ignore[attr-defined]  # a cached function
    assert refitted(1, 0.4) == once
