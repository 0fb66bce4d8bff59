"""How many patients guidance asks for, to develop a model or to validate one elsewhere.

Development: Riley RD, Stat Med 2019;38:1276-1296 (shrinkage, optimism, prevalence), van Smeden M,
Stat Methods Med Res 2019;28:2455-2474 (error of risks); the anticipated AUROC becomes a Cox-Snell
R2 by Riley RD, Stat Med 2021;40:859-864.
Validation: Riley RD, Stat Med 2021;40:4230-4251, with the variance of the AUROC of Newcombe RG,
Stat Med 2006;25:559-573.
Throughout, log-odds are normal with equal spread in patients with and without the outcome, and the
model is calibrated; expectations are Gauss-Hermite sums, so the same question has one answer.
"""

import numpy as np
from scipy.special import expit, logit
from scipy.stats import norm

Array = np.ndarray

_NODES = 200
_NORMAL = 1.96
_SHRINKAGE = 0.9
_R2_OPTIMISM = 0.05
_RISK_ERROR = 0.05
_MARGIN = 0.05
_RARE = 0.1
RATIO_MARGIN, SLOPE_MARGIN, AUROC_WIDTH = 0.2, 0.2, 0.1


def anticipated_log_odds(prevalence: float, auroc: float) -> tuple[Array, Array]:
    """Return log-odds and their weights, which sum to 1, in patients of such a model.

    Patients without the outcome are N(0, 1), those with it N(mu, 1), mu = sqrt(2) Phi^-1(AUROC);
    the log-odds is logit(prevalence) - mu^2 / 2 + mu x.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    weights = weights / weights.sum()
    apart = np.sqrt(2) * norm.ppf(auroc)
    x = np.r_[nodes, nodes + apart]
    share = np.r_[weights * (1 - prevalence), weights * prevalence]
    return logit(prevalence) - apart**2 / 2 + apart * x, share


def cox_snell_r2(prevalence: float, auroc: float) -> float:
    """Return the Cox-Snell R2 of a calibrated model with this AUROC."""
    z, share = anticipated_log_odds(prevalence, auroc)
    gained = share @ (expit(z) * z - np.logaddexp(0.0, z)) - _null(prevalence)
    return float(1 - np.exp(-2 * gained))


def _null(prevalence: float) -> float:
    """Return the mean log-likelihood of the prevalence itself."""
    without = 1 - prevalence
    return float(prevalence * np.log(prevalence) + without * np.log(without))


def for_shrinkage(parameters: int, r2: float, shrinkage: float = _SHRINKAGE) -> float:
    """Return n at which estimates need to shrink by no more than 10 %."""
    return float(parameters / ((shrinkage - 1) * np.log(1 - r2 / shrinkage)))


def for_optimism(parameters: int, r2: float, prevalence: float) -> float:
    """Return n at which Nagelkerke's R2 is optimistic by no more than 0.05."""
    largest = 1 - np.exp(2 * _null(prevalence))
    return for_shrinkage(parameters, r2, r2 / (r2 + _R2_OPTIMISM * largest))


def prevalence_margin(prevalence: float) -> float:
    """Return how exactly the mean risk should be known: 0.05, or a quarter of a rare prevalence."""
    return _MARGIN if prevalence > _RARE else prevalence / 4


def for_prevalence(prevalence: float, margin: float) -> float:
    """Return n at which the mean risk is known within the margin."""
    return (_NORMAL / margin) ** 2 * prevalence * (1 - prevalence)


def for_risk_error(parameters: int, prevalence: float) -> float:
    """Return n at which risks are wrong by 0.05 on average; found for up to 30 parameters."""
    of_both = 0.259 * np.log(prevalence) + 0.504 * np.log(parameters)
    return float(np.exp((-0.508 + of_both - np.log(_RISK_ERROR)) / 0.544))


def for_observed_over_expected(prevalence: float, margin: float = RATIO_MARGIN) -> float:
    """Return n at which the interval of O/E has a half-width of the margin, when O/E is 1."""
    error = np.arcsinh(margin) / _NORMAL
    return float((1 - prevalence) / (prevalence * error**2))


def for_slope(prevalence: float, auroc: float, margin: float = SLOPE_MARGIN) -> float:
    """Return n at which the interval of the calibration slope is 1 plus and minus the margin."""
    z, share = anticipated_log_odds(prevalence, auroc)
    q = share * expit(z) * expit(-z)
    i_a, i_ab, i_b = q.sum(), q @ z, q @ z**2
    return float(i_a / ((margin / _NORMAL) ** 2 * (i_a * i_b - i_ab**2)))


def for_auroc(prevalence: float, auroc: float, width: float = AUROC_WIDTH) -> float:
    """Return n at which the interval of the AUROC is so wide: the root of Newcombe's variance."""
    error = width / (2 * _NORMAL)
    c = (1 - auroc) / (2 - auroc) + auroc / (1 + auroc)
    v = error**2 * prevalence * (1 - prevalence) / (auroc * (1 - auroc))
    return float((c / 2 + np.sqrt(c**2 / 4 + 4 * v * (1 - c))) / (2 * v))
