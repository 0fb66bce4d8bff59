"""Base rates: a random-effects synthesis of published incidence over product, disease and scale.

Every unselected cohort of one product contributes its severe events, binomial at the log-odds::

    logit(rate) = overall + costimulation + target + product + family + disease
                  + product in disease + shift of its grading scale + shift of a trial
                  + study

All effects are Gaussian, so products with little evidence borrow from their like, and scales are
never pooled without a shift.
Events are counted as what they are and not as a log-odds with a normal error: of rare events, and
above all of none, that says too little and pulls rates up (Stijnen T, Stat Med 2010;29:3046-3067).
The posterior is Laplace's approximation.
The study's own spread is estimated by maximum marginal likelihood; it is also the spread between
centres that a new centre is drawn from.
Rates are answered on the ASTCT 2019 scale in routine care (Higgins JPT, J R Stat Soc A
2009;172:137-159, for the predictive distribution of a new study).
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.special import expit, log_expit, logit

from data_schemas.evidence import Evidence, Incidence
from data_schemas.products import PRODUCTS

Array = np.ndarray

OVERALL = (-2.2, 1.5)
"""Mean and sd of the overall log-odds: 10 %, and anything from 1 to 70 % within two sd."""

SPREADS = {
    "costimulation": 1.0,
    "target": 0.7,
    "product": 0.5,
    "family": 0.6,
    "disease": 0.3,
    "product in disease": 0.3,
    "trial": 0.3,
}
"""Prior sd, in log-odds, of each kind of effect: wide against what the studies can say."""

SCALE_SHIFTS: dict[str, tuple[float, float]] = {
    "Penn2014": (0.5, 0.7),
    "Lee2014": (0.0, 0.3),
    "CARTOX": (0.0, 0.3),
    "MSKCC": (0.0, 0.3),
    "CTCAE": (0.2, 0.4),
    "CTCAE_all_events": (0.4, 0.4),
    "mixed": (0.0, 0.5),
}
"""Mean and sd of the shift of each older scale against ASTCT 2019.

None is published against ASTCT 2019: means and sd are our choice. Penn lies above what regrading
JULIET to Lee did to severe CRS (22-23 % to about 17 %, unread: 0.35), since cohorts differ by more;
with 0.35 no rate moves by 0.1 percentage points. The CTCAE means stand for symptoms that ASTCT does
not count.
"""

FAMILIES = {
    "LBCL": "aggressive lymphoma",
    "PMBCL": "aggressive lymphoma",
    "FL": "indolent lymphoma",
    "MZL": "indolent lymphoma",
    "MCL": "mantle cell lymphoma",
    "CLL_SLL": "lymphocytic leukaemia",
    "B_ALL": "acute leukaemia",
    "MM": "myeloma",
}
"""Diseases that borrow from each other first."""

_STUDY_SPREADS = np.linspace(0.05, 1.5, 30)
_MOST_STEPS, _ROUNDING = 200, 1e-12


@dataclass(frozen=True)
class BaseRates:
    """Log-odds of the mean risk in each cell, on the ASTCT scale, in routine care.

    ``mean`` (n_cells,) and ``covariance`` (n_cells, n_cells) are of the cells themselves;
    ``between_centres`` is the sd of a new centre around them.
    """

    cells: tuple[tuple[str, str], ...]
    mean: Array
    covariance: Array
    between_centres: float
    rows: tuple[tuple[Incidence, ...], ...]
    """The published cohorts of each cell; empty where the cell borrows."""

    @property
    def expected(self) -> Array:
        """Log-odds of the mean risk to be expected in a study not yet seen, shape (n_cells,).

        ``E[expit(mean + sd Z)]``, sd of the cell and between studies: half of the studies lie above
        the middle one, and by more than the other half lie below it. Answers at the middle would
        expect too few events in all.
        """
        sd = np.sqrt(np.diag(self.covariance) + self.between_centres**2)
        return _log_odds_of_mean(self.mean, sd)


def cells() -> tuple[tuple[str, str], ...]:
    """Return every product with every disease that it treats."""
    return tuple((name, d) for name, product in PRODUCTS.items() for d in product.diseases)


def base_rates(evidence: Evidence, outcome: str) -> BaseRates:
    """Return the synthesis for ``severe_crs`` or ``severe_icans``.

    Raises
    ------
    KeyError
        For any other outcome: none is published.
    """
    rows = [row for row in evidence.incidence if _counts(row, outcome) is not None]
    counts = [c for row in rows if (c := _counts(row, outcome)) is not None]
    events, patients = np.array(counts, dtype=float).T
    effects = _Effects(outcome)
    studies = _Studies(np.array([effects.row(row) for row in rows]), events, patients)
    tau = max(_STUDY_SPREADS, key=lambda t: _log_marginal(studies, t, effects))
    mean, covariance = _posterior(studies, tau, effects)
    at = np.array([effects.cell_row(product, disease) for product, disease in cells()])
    return BaseRates(
        cells=cells(),
        mean=at @ mean,
        covariance=at @ covariance @ at.T,
        between_centres=float(tau),
        rows=tuple(tuple(r for r in rows if (r.product, r.disease) == cell) for cell in cells()),
    )


def _counts(row: Incidence, outcome: str) -> tuple[int, int] | None:
    """Return events and patients of a row that may be pooled for this outcome."""
    events = {"severe_crs": row.events_crs_severe, "severe_icans": row.events_icans_severe}[outcome]
    if row.role != "base_rate" or row.product not in PRODUCTS or events is None:
        return None
    assert row.n_treated is not None
    return events, row.n_treated


class _Effects:
    """The columns of the synthesis, with the prior of each."""

    def __init__(self, outcome: str) -> None:
        self.outcome = outcome
        names = ["overall"]
        names += [f"costimulation {p.costimulation}" for p in PRODUCTS.values()]
        names += [f"target {p.target}" for p in PRODUCTS.values()]
        names += [f"product {name}" for name in PRODUCTS]
        names += [f"family {family}" for family in FAMILIES.values()]
        names += [f"disease {d}" for _, d in cells()]
        names += [f"product in disease {name} {d}" for name, d in cells()]
        names += [f"scale {scale}" for scale in SCALE_SHIFTS] + ["trial"]
        self.names = list(dict.fromkeys(names))
        self.index = {name: i for i, name in enumerate(self.names)}
        priors = [self._prior(name) for name in self.names]
        self.mean = np.array([mean for mean, _ in priors])
        self.sd = np.array([sd for _, sd in priors])

    def _prior(self, name: str) -> tuple[float, float]:
        if name == "overall":
            return OVERALL
        kind = next(
            k for k in (*sorted(SPREADS, key=len, reverse=True), "scale") if name.startswith(k)
        )
        if kind == "scale":
            return SCALE_SHIFTS[name.removeprefix("scale ")]
        return 0.0, SPREADS[kind]

    def cell_row(self, product: str, disease: str) -> Array:
        known = PRODUCTS[product]
        row = np.zeros(len(self.names))
        for name in (
            "overall",
            f"costimulation {known.costimulation}",
            f"target {known.target}",
            f"product {product}",
            f"family {FAMILIES[disease]}",
            f"disease {disease}",
            f"product in disease {product} {disease}",
        ):
            if name in self.index:
                row[self.index[name]] = 1.0
        return row

    def row(self, published: Incidence) -> Array:
        row = self.cell_row(published.product, published.disease)
        crs = self.outcome == "severe_crs"
        scale = published.crs_scale if crs else published.neurotoxicity_scale
        if scale in SCALE_SHIFTS:
            row[self.index[f"scale {scale}"]] = 1.0
        if published.setting in ("trial", "label"):
            row[self.index["trial"]] = 1.0
        return row


@dataclass(frozen=True)
class _Studies:
    """``X`` (n_studies, n_effects) and the counts of each study, shape (n_studies,)."""

    X: Array
    events: Array
    patients: Array

    def surplus(self, log_odds: Array) -> tuple[Array, Array]:
        """Return events above those expected, and their variance: slope and bend of the likelihood.

        Of a rate that is 0 or 1 to all digits the variance is 0; nothing here divides by it.
        """
        rate = expit(log_odds)
        return self.events - self.patients * rate, self.patients * rate * expit(-log_odds)

    def log_likelihood(self, log_odds: Array) -> float:
        """Return the binomial log-likelihood up to a constant."""
        others = self.patients - self.events
        return float(self.events @ log_expit(log_odds) + others @ log_expit(-log_odds))


@dataclass(frozen=True)
class _Mode:
    """The studies' most likely log-odds (n_studies,), and Laplace's log density of their counts."""

    log_odds: Array
    log_marginal: float


def _mode(studies: _Studies, tau: float, effects: _Effects) -> _Mode:
    """Return the mode by Newton's method.

    As Rasmussen CE, Williams CKI, Gaussian Processes for Machine Learning, 2006, algorithm 3.1: in
    ``pull``, the log-odds being ``centre + spread @ pull``, so that nothing is divided by a weight.
    Steps are halved until they do not lower the density; it is log-concave and has one mode.
    """
    X = studies.X
    centre, spread = X @ effects.mean, (X * effects.sd**2) @ X.T + tau**2 * np.eye(len(X))

    def density(pull: Array) -> float:
        return studies.log_likelihood(centre + spread @ pull) - 0.5 * pull @ spread @ pull

    pull, reached = np.zeros(len(X)), density(np.zeros(len(X)))
    for _ in range(_MOST_STEPS):
        bend, step = _newton_step(studies, centre, spread, pull)
        while density(pull + step) < reached - _ROUNDING * abs(reached):
            step = step / 2
        before, pull = reached, pull + step
        reached = density(pull)
        if reached - before <= _ROUNDING * abs(reached):
            volume = np.linalg.slogdet(bend)[1]
            return _Mode(centre + spread @ pull, float(reached - 0.5 * volume))
    raise RuntimeError("the synthesis of the published rates did not converge")


def _newton_step(
    studies: _Studies, centre: Array, spread: Array, pull: Array
) -> tuple[Array, Array]:
    """Return the matrix ``B`` of the algorithm, by which the density bends, and the step."""
    log_odds = centre + spread @ pull
    surplus, weight = studies.surplus(log_odds)
    root = np.sqrt(weight)
    bend = np.eye(len(root)) + root[:, None] * spread * root
    aim = weight * (log_odds - centre) + surplus
    return bend, aim - root * np.linalg.solve(bend, root * (spread @ aim)) - pull


def _posterior(studies: _Studies, tau: float, effects: _Effects) -> tuple[Array, Array]:
    """Return mean and covariance of the effects, shapes (n_effects,) and its square."""
    log_odds = _mode(studies, tau, effects).log_odds
    surplus, weight = studies.surplus(log_odds)
    within = 1 + weight * tau**2
    precision = (studies.X * (weight / within)[:, None]).T @ studies.X
    covariance = np.linalg.inv(precision + np.diag(1.0 / effects.sd**2))
    pull = studies.X.T @ ((weight * log_odds + surplus) / within) + effects.mean / effects.sd**2
    return covariance @ pull, covariance


def _log_marginal(studies: _Studies, tau: float, effects: _Effects) -> float:
    """Log density of the counts by Laplace, with a half-normal(0.5) prior on the study spread."""
    return _mode(studies, tau, effects).log_marginal - 0.5 * (tau / 0.5) ** 2


@cache
def _hermite() -> tuple[Array, Array]:
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    return nodes, weights / weights.sum()


def typical_log_odds(mean_log_odds: Array, spread: Array) -> Array:
    """Return the log-odds of the typical patient from those of the mean risk.

    Risks average above the risk of the average patient: the intercept ``a`` solves
    ``E[expit(a + spread * Z)] = rate`` for a standard normal Z (Gauss-Hermite, bisection).

    Parameters
    ----------
    mean_log_odds
        Log-odds of the mean risk, shape (n_cells,).
    spread
        Standard deviation of the linear predictor between patients, shape (n_cells,).
    """
    low, high = mean_log_odds - 5.0, mean_log_odds + 5.0
    for _ in range(60):
        middle = (low + high) / 2
        below = _log_odds_of_mean(middle, spread) < mean_log_odds
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2


def _log_odds_of_mean(middle: Array, spread: Array) -> Array:
    """Return the log-odds of ``E[expit(middle + spread Z)]``, shape (n,)."""
    nodes, weights = _hermite()
    return np.asarray(logit(expit(middle[:, None] + spread[:, None] * nodes) @ weights))
