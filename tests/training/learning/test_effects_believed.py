"""A model card names the figures that its learner believed, and no others."""

from collections.abc import Callable
from pathlib import Path

import pytest

from data_schemas.evidence import Evidence
from training.experiment import read_experiment
from training.learning.prior import ModelPrior, evidence_prior
from training.learning.recipes import FREE_SPREAD, RECIPES


@pytest.fixture(scope="module")
def published(evidence: Evidence, experiment_file: Callable[..., Path]) -> ModelPrior:
    return evidence_prior(evidence, read_experiment(experiment_file()))


@pytest.mark.parametrize("name", [name for name, r in RECIPES.items() if r.knows_literature])
def test_who_starts_from_the_literature_cites_it(name: str, published: ModelPrior) -> None:
    assert RECIPES[name].effects_believed(published.effects) == published.effects
    assert any(effect.sources for effect in published.effects)


@pytest.mark.parametrize(("name", "spread"), [("ridge", FREE_SPREAD), ("product_rate", 0.0)])
def test_who_takes_no_effect_from_it_cites_none(
    name: str, spread: float, published: ModelPrior
) -> None:
    believed = RECIPES[name].effects_believed(published.effects)
    assert [effect.key for effect in believed] == [effect.key for effect in published.effects]
    assert {(e.mean, e.sd, e.sources, e.as_published) for e in believed} == {
        (0.0, spread, (), None)
    }
    start = published.prior.n_free
    prior = RECIPES[name].prior(published.prior, published.prior.mean[1:start])
    assert (prior.mean[start:] == 0).all()
    assert prior.covariance[start:, start:].diagonal() == pytest.approx(spread**2, abs=1e-7)
