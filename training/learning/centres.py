"""Several centres in one cohort, and the centre that is not among them.

A cohort of one centre is learnt for that centre.
A cohort of several is learnt for a centre not yet seen: each centre gets an intercept of its own
while fitting, which serving does not know, and what centres differ by is added to the uncertainty
of every answer (Higgins JPT, J R Stat Soc A 2009;172:137-159, for the prediction of a new study).
"""

from dataclasses import replace

import numpy as np

from training.learning.posterior import Prior
from training.synthesis.published_effects import BETWEEN_CENTRES

Array = np.ndarray

CENTRE_SPREAD = 0.4
"""Sd of a centre's intercept around the mean of studies, themselves averages of centres."""

LEAST_EFFECT_SPREAD = 0.1
"""Sd between centres, in log-odds per spread, of an effect that is nil on average."""


LEAST_PATIENTS = 10
"""Fewer patients are no centre by which centres could be told apart: a referral, or a slip."""


def site_columns(site: Array) -> Array:
    """Return one column a centre, shape (n, k); no column for a cohort of one centre.

    Patients of a site with fewer than ``LEAST_PATIENTS`` have no column, and count as patients of
    the average centre.
    """
    found, patients = np.unique(site.astype(str), return_counts=True)
    names = found[patients >= LEAST_PATIENTS].tolist()
    if len(names) < 2:
        return np.zeros((len(site), 0))
    return (site[:, None] == np.array(names, dtype=object)[None, :]).astype(float)


def with_sites(prior: Prior, sites: int) -> Prior:
    """Return the prior with an intercept for each of the cohort's centres at its end."""
    p = len(prior.mean)
    covariance = np.zeros((p + sites, p + sites))
    covariance[:p, :p] = prior.covariance
    covariance[p:, p:] = np.eye(sites) * CENTRE_SPREAD**2
    return replace(
        prior,
        mean=np.concatenate([prior.mean, np.zeros(sites)]),
        covariance=covariance,
        direction=np.concatenate([prior.direction, np.zeros(sites, dtype=int)]),
        n_sites=sites,
    )


def of_a_new_centre(mean: Array, n_free: int, sites: int) -> Array:
    """Return the covariance that a centre not yet seen adds to a cohort of several, (p, p).

    The intercepts of the cohort's centres were fitted, so the new centre adds its own; effects were
    pooled, so the average of ``sites`` centres is itself off by a share.
    """
    p = len(mean)
    if sites < 2:
        return np.zeros((p, p))
    effect = (BETWEEN_CENTRES * mean) ** 2 + LEAST_EFFECT_SPREAD**2
    variance = np.where(np.arange(p) >= n_free, effect * (1 + 1 / sites), 0.0)
    variance[0] = CENTRE_SPREAD**2
    return np.diag(variance)
