"""Patients drawn from known risks, and scored cohorts made of them by hand."""

from typing import Any

import numpy as np
import pytest
from scipy.special import expit

from training.evaluation.asked import Asked
from training.evaluation.scored_cohort import ScoredCohort
from training.evaluation.seen import Seen

Array = np.ndarray


def drawn(
    n: int, slope: float = 1.0, shift: float = 0.0, seed: int = 0, prevalence: float = -1.5
) -> tuple[Array, Array]:
    """Log-odds that say z, and outcomes drawn at log-odds shift + slope * z."""
    rng = np.random.default_rng(seed)
    z = prevalence + 1.2 * rng.standard_normal(n)
    return z, (rng.random(n) < expit(shift + slope * z)).astype(float)


def seen(z: Array, y: Array) -> Seen:
    return Seen.among(z, np.asarray(y, dtype=float))


def ones(n: int) -> Array:
    return np.ones((1, n))


def asked(**declared: Any) -> Asked:
    return Asked(**{"seed": 3, "draws": 60, "net_benefit_range": (0.05, 0.3)} | declared)


def scored(n: int = 160, seed: int = 0, fitted_here: bool = True, **parts: Any) -> ScoredCohort:
    """A scored cohort with all its parts, some patients of which have no answer."""
    rng = np.random.default_rng(seed)
    z, y = drawn(n, seed=seed)

    def near(*shape: int) -> Array:
        return z + 0.3 * rng.standard_normal(shape)

    def words(*choice: str) -> Array:
        return np.array(choice, dtype=object)[rng.integers(0, len(choice), n)]

    comparator = near(n)
    comparator[: n // 10] = np.nan
    whole: dict[str, Any] = {
        "on": "simulated patients, never clinical performance",
        "fitted_here": fitted_here,
        "outcome": y,
        "model": z,
        "low": z - 0.7,
        "high": z + 0.8,
        "comparators": {"product_rate": words("a", "b") == "a", "score": comparator},
        "groups": {"site": words("north", "south"), "sex": words("female", "male", "not known")},
    }
    whole["comparators"]["product_rate"] = np.where(
        whole["comparators"]["product_rate"], -1.0, -2.0
    )
    if fitted_here:
        later = np.where(np.arange(n) > n // 2, near(n), np.nan)
        whole |= {
            "left_out": near(3, n),
            "without": {"site": near(n), "later": later},
            "refits": near(25, n),
            "drawn": rng.integers(0, n, (25, n)),
        }
    return ScoredCohort(**whole | parts)


@pytest.fixture(scope="session")
def whole() -> ScoredCohort:
    return scored()
