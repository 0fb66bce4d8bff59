"""The law that simulated centres are drawn from, as far as a Gaussian of coefficients can hold it.

Found by expectation and maximisation over centres whose true risks are known (Dempster AP, J R Stat
Soc B 1977;39:1-38), each centre's coefficients by penalised quasi-likelihood (Breslow NE, J Am Stat
Assoc 1993;88:9-25): a true risk is not drawn, so it scatters about a sum of terms by far less than
an outcome would, and by how much less is estimated as well.
"""

from dataclasses import replace

import numpy as np
from scipy.special import expit

from training.learning.posterior import Prior

Array = np.ndarray
Known = tuple[Array, Array]
"""One centre: rows with intercept, cells and terms, (n, p), and the true risks, (n,)."""

STEPS = 40
FIRST_SCATTER = 0.3


def gaussian_law(centres: list[Known], start: Prior) -> Prior:
    """Return mean and covariance of the centres' coefficients, without any direction.

    Parameters
    ----------
    start
        What the search starts from: of what no centre tells, this stays.
    """
    law, scatter = start, FIRST_SCATTER
    own = np.tile(start.mean, (len(centres), 1))
    for _ in range(STEPS):
        law, own, scatter = _step(centres, law, own, scatter)
    return replace(law, direction=np.zeros(len(start.mean), int))


def _step(
    centres: list[Known], law: Prior, own: Array, scatter: float
) -> tuple[Prior, Array, float]:
    """Return the law, each centre's coefficients (n_centres, p) and the scatter of risks."""
    precision = np.linalg.inv(law.covariance)
    moved, within = np.empty_like(own), np.zeros_like(law.covariance)
    squares = freedom = 0.0
    for i, (X, risk) in enumerate(centres):
        said = expit(X @ own[i])
        information = (X * (said * (1 - said))[:, None]).T @ X / scatter
        covariance = np.linalg.inv(information + precision)
        pull = X.T @ (risk - said) / scatter - precision @ (own[i] - law.mean)
        moved[i] = own[i] + covariance @ pull
        within += covariance
        said = expit(X @ moved[i])
        squares += float(((risk - said) ** 2 / (said * (1 - said))).sum())
        freedom += len(risk) - float(np.trace(information @ covariance))
    mean = moved.mean(axis=0)
    between = (moved - mean).T @ (moved - mean)
    law = replace(law, mean=mean, covariance=(within + between) / len(centres))
    return law, moved, squares / freedom
