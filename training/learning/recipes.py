"""The learners by name: what each believes before the cohort, and whether trees grow.

Every recipe ends in the same kind of model, so that all are saved, served, explained and judged
alike; they differ in the prior of the effects only.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from types import MappingProxyType

import numpy as np

from training.learning.posterior import Prior
from training.synthesis.published_effects import EffectPrior

FREE_SPREAD = 0.5
"""Prior sd of an effect, in log-odds per spread, for a learner that knows no literature."""

LOCAL_RATE, LOCAL_INTERCEPT = 0.7, 3.0
"""Prior sd of a cell and of the intercept, in log-odds, where no base rate is believed."""

_FROZEN = 1e-8
_FREE = FREE_SPREAD, "this learner takes no effect from the literature"
_NO_EFFECT = 0.0, "this learner has no linear effects"


class Effects(StrEnum):
    """What is believed of the effects before the cohort."""

    NONE = "none"
    FREE = "free"
    PUBLISHED = "published"
    PUBLISHED_AND_FROZEN = "published, only recalibrated"


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a cohort is learnt from.

    ``published_rates`` is false for peers that know nothing of the literature, not even base rates.
    ``tree_weight`` is the weight of the trees' log-odds: 0 grows none, 0.5 averages the linear
    part with the linear part plus trees. ``tuned`` lets Optuna choose XGBoost's parameters.
    ``learns`` is false for what is fixed before any patient.
    """

    effects: Effects
    published_rates: bool = True
    tree_weight: float = 0.0
    tuned: bool = False
    learns: bool = True

    @property
    def knows_literature(self) -> bool:
        """Tell whether published effects have any say."""
        return self.effects in (Effects.PUBLISHED, Effects.PUBLISHED_AND_FROZEN)

    @property
    def holds_effects(self) -> bool:
        """Tell whether no single effect can move, however many events there are."""
        return self.effects in (Effects.NONE, Effects.PUBLISHED_AND_FROZEN)

    def effects_believed(self, published: Iterable[EffectPrior]) -> tuple[EffectPrior, ...]:
        """Return what is believed of each effect, as a model card tells it."""
        if self.knows_literature:
            return tuple(published)
        spread, how = _FREE if self.effects is Effects.FREE else _NO_EFFECT
        nothing = partial(EffectPrior, as_published=None, before_transport=None, sources=())
        return tuple(
            nothing(effect.key, mean=0.0, sd=spread, unread=False, how=how) for effect in published
        )

    def prior(self, published: Prior, mean_rates: np.ndarray) -> Prior:
        """Return what this recipe believes, given what is published.

        Parameters
        ----------
        mean_rates
            Log-odds of each cell's mean risk: without effects the typical patient is the mean.
        """
        effect = np.arange(len(published.mean)) >= published.n_free
        if self.effects is Effects.PUBLISHED:
            return published
        if self.effects is Effects.PUBLISHED_AND_FROZEN:
            return published.with_held_effects()
        spread = FREE_SPREAD**2 if self.effects is Effects.FREE else _FROZEN
        covariance = np.where(np.outer(~effect, ~effect), published.covariance, 0.0)
        mean = np.concatenate([[0.0], mean_rates, np.zeros(int(effect.sum()))])
        if not self.published_rates:
            mean, covariance = np.zeros(len(mean)), np.diag(np.where(effect, 0.0, LOCAL_RATE**2))
            covariance[0, 0] = LOCAL_INTERCEPT**2
        covariance[effect, effect] = spread
        return replace(published, mean=mean, covariance=covariance, levels={})


DEFAULT = "anchored"

RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "product_rate": Recipe(Effects.NONE, learns=False),
        "evidence": Recipe(Effects.PUBLISHED, learns=False),
        "recalibrated_evidence": Recipe(Effects.PUBLISHED_AND_FROZEN),
        "ridge": Recipe(Effects.FREE, published_rates=False),
        "xgboost": Recipe(Effects.NONE, published_rates=False, tree_weight=1.0, tuned=True),
        "anchored_ridge": Recipe(Effects.PUBLISHED),
        "anchored_xgboost": Recipe(Effects.PUBLISHED_AND_FROZEN, tree_weight=1.0, tuned=True),
        DEFAULT: Recipe(Effects.PUBLISHED, tree_weight=0.5),
    }
)
