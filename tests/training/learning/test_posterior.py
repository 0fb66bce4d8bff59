"""From prior to posterior: evidence without patients, the cohort's own answer with many."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import multivariate_normal
from sklearn.linear_model import LogisticRegression

from serving.model.risk_model import Posterior
from training.learning.posterior import (
    DEVIATION_SPREADS,
    EVIDENCE_SLOPES,
    LEVEL_SPREADS,
    Prior,
    fit_level_and_slope,
    fit_posterior,
    laplace,
    posterior_mode,
    prior_only,
    with_level_spread,
)

Array = np.ndarray
EFFECTS = np.array([0.4, 0.3, -0.3])
EVERY = np.ones(5, bool)


def prior(direction: tuple[int, ...] = (0, 0, 0), sd: float = 0.25) -> Prior:
    """Intercept, one cell, three effects."""
    mean = np.concatenate([[0.0, -1.5], EFFECTS])
    covariance = np.diag([0.6**2, 0.3**2, sd**2, sd**2, sd**2])
    return Prior(mean, covariance, np.array([0, 0, *direction]), n_free=2)


def cohort(n: int, effects: Array, level: float = -1.2, seed: int = 1) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((n, len(effects)))
    X = np.column_stack([np.ones(n), np.ones(n), values])
    y = (rng.random(n) < expit(level + values @ effects)).astype(float)
    return X, y


# ---- No patients ---------------------------------------------------------------------------


def test_the_weights_before_any_patient_are_probabilities() -> None:
    assert sum(EVIDENCE_SLOPES.values()) == pytest.approx(1)
    assert sum(DEVIATION_SPREADS.values()) == pytest.approx(1)
    assert 0.0 in EVIDENCE_SLOPES  # a literature can be switched off


def test_longer_tails_of_the_level_leave_its_variance() -> None:
    assert sum(LEVEL_SPREADS.values()) == pytest.approx(1)
    assert sum(w * k**2 for k, w in LEVEL_SPREADS.items()) == pytest.approx(1)
    believed = prior()
    level = prior_only(believed).posterior.covariance[0, 0]
    assert level == pytest.approx(believed.covariance[0, 0])


def test_without_patients_the_posterior_is_the_mixture_of_priors() -> None:
    believed = prior()
    fitted = prior_only(believed)
    slope = sum(s * w for s, w in EVIDENCE_SLOPES.items())
    np.testing.assert_allclose(fitted.posterior.mean[:2], believed.mean[:2], atol=1e-6)
    np.testing.assert_allclose(fitted.posterior.mean[2:], slope * EFFECTS, atol=1e-6)
    for (s, k), weight in fitted.weights.items():
        assert weight == pytest.approx(EVIDENCE_SLOPES[s] * DEVIATION_SPREADS[k])
    assert not fitted.released.any()


def test_without_patients_the_covariance_is_that_of_the_mixture() -> None:
    believed = prior()
    rng = np.random.default_rng(2)
    drawn = [
        rng.choice(list(given), p=list(given.values()), size=400_000)
        for given in (EVIDENCE_SLOPES, DEVIATION_SPREADS)
    ]
    effect = drawn[0] * EFFECTS[0] + drawn[1] * 0.25 * rng.standard_normal(400_000)
    covariance = prior_only(believed).posterior.covariance
    assert covariance[2, 2] == pytest.approx(effect.var(), rel=0.02)
    assert covariance[0, 0] == pytest.approx(0.6**2)


def test_a_level_is_added_once_and_at_its_slope_only() -> None:
    usual = prior()
    believed = replace(usual, levels={2.0: np.array([-0.7])})
    for given in (believed, believed.with_held_effects(), believed.without_directions(EVERY)):
        assert given.scaled(2.0, 1.0).mean[1] == usual.mean[1] - 0.7
        assert given.scaled(2.0, 1.0).scaled(2.0, 1.0).mean[1] == usual.mean[1] - 0.7
        assert given.scaled(1.0, 2.0).mean[1] == usual.mean[1]


# ---- Many patients ---------------------------------------------------------------------------


def test_with_many_patients_the_posterior_is_maximum_likelihood() -> None:
    truth = np.array([0.9, -0.5, 0.2])  # far from what was published
    X, y = cohort(6000, truth, level=-0.6)
    fitted = fit_posterior(X, y, prior())
    reference = LogisticRegression(C=np.inf, tol=1e-8, max_iter=500).fit(X[:, 2:], y)
    level = fitted.posterior.mean[0] + fitted.posterior.mean[1]
    np.testing.assert_allclose(fitted.posterior.mean[2:], reference.coef_[0], atol=0.03)
    assert level == pytest.approx(reference.intercept_[0], abs=0.03)


def test_the_mode_under_a_flat_prior_is_maximum_likelihood() -> None:
    X, y = cohort(400, np.array([0.9, -0.5, 0.2]))
    flat = Prior(np.zeros(4), np.eye(4) * 1e8, np.zeros(4, int), 1)
    design = X[:, [0, 2, 3, 4]]
    reference = LogisticRegression(C=np.inf, tol=1e-10, max_iter=500).fit(design[:, 1:], y)
    mode = posterior_mode(design, y, flat)
    np.testing.assert_allclose(mode[1:], reference.coef_[0], atol=1e-3)
    assert mode[0] == pytest.approx(reference.intercept_[0], abs=1e-3)


def test_the_mode_is_ridge_regression_around_the_evidence() -> None:
    X, y = cohort(150, np.array([0.9, -0.5, 0.2]))
    believed = prior()

    def loss(theta: Array) -> float:
        z = X @ theta
        pull = (theta - believed.mean) ** 2 / np.diag(believed.covariance)
        return float(np.logaddexp(0, z).sum() - y @ z + pull.sum() / 2)

    reference = minimize(
        loss,
        believed.mean,
        method="Nelder-Mead",
        options={"maxfev": 20_000, "xatol": 1e-8, "fatol": 1e-10},
    ).x
    np.testing.assert_allclose(posterior_mode(X, y, believed), reference, atol=1e-4)


@pytest.mark.parametrize("seed", range(8))
def test_the_mode_under_directions_is_that_of_a_bounded_minimiser(seed: int) -> None:
    """Against SciPy's L-BFGS-B, which knows nothing of the curvature."""
    rng = np.random.default_rng(seed)
    p = 12
    root = rng.standard_normal((p, p)) / 4
    believed = Prior(
        np.concatenate([[-1.0, 0.0], rng.normal(0, 0.4, p - 2)]),
        root @ root.T + 0.05 * np.eye(p),
        np.concatenate([[0, 0], rng.integers(-1, 2, p - 2)]),
        n_free=2,
    )
    X = np.column_stack([np.ones(150), rng.standard_normal((150, p - 1))])
    y = (rng.random(150) < expit(X @ rng.normal(0, 0.7, p))).astype(float)
    precision = np.linalg.inv(believed.covariance)

    def loss(theta: Array) -> float:
        z, away = X @ theta, theta - believed.mean
        return float(np.logaddexp(0, z).sum() - y @ z + 0.5 * away @ precision @ away)

    bounds = [(0 if d > 0 else None, 0 if d < 0 else None) for d in believed.direction]
    options = {"maxiter": 5000, "maxfun": 500_000, "ftol": 1e-15, "gtol": 1e-9}
    oracle = minimize(loss, np.zeros(p), method="L-BFGS-B", bounds=bounds, options=options)
    mode = posterior_mode(X, y, believed)
    assert loss(mode) <= oracle.fun + 1e-8
    np.testing.assert_allclose(mode, oracle.x, atol=1e-3)
    assert (mode * believed.direction >= 0).all()


def test_a_few_patients_move_little_and_more_move_more() -> None:
    truth = np.array([1.2, 0.3, -0.3])
    away = []
    for n in (0, 50, 3000):
        X, y = cohort(3000, truth)
        fitted = fit_posterior(X[:n], y[:n], prior())
        away.append(abs(fitted.posterior.mean[2] - truth[0]))
    assert away[0] > away[1] > away[2]
    assert away[2] < 0.12


def test_more_patients_narrow_every_effect() -> None:
    sds = []
    for n in (0, 200, 1000):
        X, y = cohort(1000, EFFECTS)
        sds.append(np.sqrt(np.diag(fit_posterior(X[:n], y[:n], prior()).posterior.covariance)))
    assert (sds[0][2:] > sds[1][2:]).all()
    assert (sds[1] > sds[2]).all()


# ---- Laplace's approximation -------------------------------------------------------------------


def _negative_log_posterior(theta: Array, X: Array, y: Array, believed: Prior) -> float:
    z = X @ theta
    away = theta - believed.mean
    pull = away @ np.linalg.solve(believed.covariance, away)
    return float(np.logaddexp(0, z).sum() - y @ z + pull / 2)


def test_the_covariance_is_the_inverse_hessian() -> None:
    X, y = cohort(250, EFFECTS)
    believed = prior()
    mode = posterior_mode(X, y, believed)
    h, p = 1e-3, len(mode)
    hessian = np.zeros((p, p))
    for i in range(p):
        for j in range(p):
            for si, sj in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
                theta = mode.copy()
                theta[i] += si * h
                theta[j] += sj * h
                hessian[i, j] += si * sj * _negative_log_posterior(theta, X, y, believed)
    hessian /= 4 * h * h
    covariance, _ = laplace(X, y, believed, mode)
    np.testing.assert_allclose(covariance, np.linalg.inv(hessian), rtol=1e-3, atol=1e-6)


def test_the_marginal_likelihood_is_that_of_integration() -> None:
    """One parameter, where the integral can be done on a line."""
    rng = np.random.default_rng(3)
    X = rng.standard_normal((120, 1))
    y = (rng.random(120) < expit(0.5 * X[:, 0])).astype(float)
    believed = Prior(np.array([0.3]), np.array([[0.25]]), np.zeros(1, int), 0)
    line = np.linspace(-3, 4, 20_001)
    log_density = -((line - 0.3) ** 2) / (2 * 0.25) - 0.5 * np.log(2 * np.pi * 0.25)
    z = X @ line[None, :]
    log_density += y @ z - np.logaddexp(0, z).sum(axis=0)
    exact = np.log(np.trapezoid(np.exp(log_density - log_density.max()), line)) + log_density.max()
    _, approximate = laplace(X, y, believed, posterior_mode(X, y, believed))
    assert approximate == pytest.approx(exact, abs=0.02)


@pytest.mark.parametrize(("factor", "nearest"), [(0.0, 0.0), (1.0, 1.0), (1.5, 1.5)])
def test_the_cohort_finds_how_far_the_evidence_holds(factor: float, nearest: float) -> None:
    """Twelve effects that all hold, or all do not: the slope of the evidence shows."""
    effects = np.array([0.6, -0.6] * 6)
    believed = Prior(
        np.concatenate([[0.0], effects]), np.diag([1.0] + [0.1**2] * 12), np.zeros(13, int), 1
    )
    rng = np.random.default_rng(5)
    X = np.column_stack([np.ones(4000), rng.standard_normal((4000, 12))])
    y = (rng.random(4000) < expit(X[:, 1:] @ effects * factor)).astype(float)
    assert fit_posterior(X, y, believed).likeliest[0] == nearest


def test_a_cohort_without_any_effect_switches_the_literature_off() -> None:
    X, y = cohort(3000, np.zeros(3))
    fitted = fit_posterior(X, y, prior(direction=(1, 1, -1), sd=0.1))
    assert np.abs(fitted.posterior.mean[2:]).max() < 0.1


# ---- Directions --------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_directions_hold_where_there_is_no_effect(seed: int) -> None:
    X, y = cohort(200, np.zeros(3), seed=seed)
    fitted = fit_posterior(X, y, prior(direction=(1, 1, -1)))
    kept = ~fitted.released[2:]
    assert (fitted.posterior.mean[2:] * np.array([1, 1, -1]) >= 0)[kept].all()
    assert kept.all()


def test_a_strongly_reversed_truth_releases_its_directions() -> None:
    X, y = cohort(2000, np.array([-0.8, 0.3, 0.8]))
    fitted = fit_posterior(X, y, prior(direction=(1, 1, -1)))
    assert fitted.released.tolist() == [False, False, True, False, True]
    assert fitted.posterior.mean[2] < -0.5
    assert fitted.posterior.mean[4] > 0.5


def test_a_few_reversed_patients_release_nothing() -> None:
    X, y = cohort(60, np.array([-0.5, 0.3, 0.3]))
    fitted = fit_posterior(X, y, prior(direction=(1, 1, -1)))
    assert not fitted.released.any()


def test_an_effect_without_a_declared_direction_is_free() -> None:
    X, y = cohort(2000, np.array([-0.8, 0.3, -0.3]))
    fitted = fit_posterior(X, y, prior())
    assert not fitted.released.any()
    assert fitted.posterior.mean[2] < -0.5


# ---- Well behaved --------------------------------------------------------------------------------


def test_the_same_cohort_gives_the_same_bits() -> None:
    X, y = cohort(300, EFFECTS)
    first, again = (fit_posterior(X, y, prior(direction=(1, 1, -1))) for _ in range(2))
    np.testing.assert_array_equal(first.posterior.mean, again.posterior.mean)
    np.testing.assert_array_equal(first.posterior.covariance, again.posterior.covariance)
    assert first.weights == again.weights


def test_the_order_of_patients_does_not_matter() -> None:
    X, y = cohort(300, EFFECTS)
    turned = fit_posterior(X[::-1], y[::-1], prior())
    np.testing.assert_allclose(
        turned.posterior.mean, fit_posterior(X, y, prior()).posterior.mean, atol=1e-4
    )


def test_perfect_separation_stays_finite() -> None:
    X, _ = cohort(200, EFFECTS)
    fitted = fit_posterior(X, (X[:, 2] > 0).astype(float), prior())
    assert np.isfinite(fitted.posterior.mean).all()
    assert (np.linalg.eigvalsh(fitted.posterior.covariance) > 0).all()
    assert fitted.posterior.mean[2] > EFFECTS[0]


def test_weights_sum_to_one() -> None:
    X, y = cohort(300, EFFECTS)
    assert sum(fit_posterior(X, y, prior()).weights.values()) == pytest.approx(1)


# ---- The level of risk -------------------------------------------------------------------------


@pytest.mark.parametrize("times", [0.5, 2.0])
def test_another_spread_of_the_level_is_exact_for_a_gaussian(times: float) -> None:
    """The oracle is a linear regression under both priors, with its own marginal likelihood."""
    believed, noise = prior(), 0.7
    X = cohort(40, EFFECTS)[0]
    y = X @ np.array([0.9, -1.5, *EFFECTS]) + noise * np.random.default_rng(4).standard_normal(40)

    def regression(covariance: Array) -> tuple[Array, Array, float]:
        after = np.linalg.inv(X.T @ X / noise**2 + np.linalg.inv(covariance))
        mean = after @ (X.T @ y / noise**2 + np.linalg.solve(covariance, believed.mean))
        total = X @ covariance @ X.T + noise**2 * np.eye(40)
        return mean, after, float(multivariate_normal(X @ believed.mean, total).logpdf(y))

    wider = believed.covariance.copy()
    wider[0, 0] *= times**2
    mean, covariance, evidence = regression(believed.covariance)
    expected = regression(wider)
    moved, ratio = with_level_spread(Posterior(mean, covariance), believed, times)
    np.testing.assert_allclose(moved.mean, expected[0], atol=1e-9)
    np.testing.assert_allclose(moved.covariance, expected[1], atol=1e-9)
    assert evidence + ratio == pytest.approx(expected[2], abs=1e-8)


def test_a_centre_far_from_every_published_rate_is_believed_sooner() -> None:
    """Two prior sd away the level is held less than by one Gaussian, near by it is held more."""
    believed = prior()
    held = {level: cohort(60, EFFECTS, level, seed=3) for level in (0.2, -1.5)}
    far, near = (
        (fit_posterior(X, y, believed).posterior.mean[0], posterior_mode(X, y, believed)[0])
        for X, y in held.values()
    )
    assert far[0] > far[1] > 0
    assert abs(near[0]) < abs(near[1])


def test_a_level_that_moves_takes_no_direction_with_it() -> None:
    believed = prior(direction=(1, 1, -1))
    X, y = cohort(200, -EFFECTS, level=0.6)
    effects = fit_posterior(X, y, believed).posterior.mean[2:]
    released = fit_posterior(X, y, believed).released[2:]
    assert (effects * np.array([1, 1, -1]) >= 0)[~released].all()


# ---- Few events ----------------------------------------------------------------------------


def test_few_events_move_the_slope_of_all_effects_and_leave_each_as_unknown_as_it_was() -> None:
    believed = prior()
    X, y = cohort(60, 2 * EFFECTS)
    fitted = fit_level_and_slope(X, y, believed)
    slopes = np.array([slope for slope, _ in fitted.weights])
    weights = np.array(list(fitted.weights.values()))
    slope = weights @ slopes
    assert fitted.posterior.mean[2:] == pytest.approx(slope * EFFECTS, rel=1e-3)
    of_slope = weights @ (slopes - slope) ** 2
    together = believed.covariance[2:, 2:] + of_slope * np.outer(EFFECTS, EFFECTS)
    assert fitted.posterior.covariance[2:, 2:] == pytest.approx(together, rel=1e-3)
    level = fitted.posterior.covariance[0, 0]
    assert level < believed.covariance[0, 0]


def test_centres_and_cells_are_no_effects() -> None:
    with_centres = replace(prior(), n_free=2, n_sites=1)
    assert with_centres.is_effect.tolist() == [False, False, True, True, False]
