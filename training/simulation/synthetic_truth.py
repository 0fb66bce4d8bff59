"""The true risk of simulated patients: published effects, deliberately made wrong.

A simulation drawn from the evidence itself would prove nothing, for a model that starts from the
same tables is then right by construction.
So the truth departs from them in ways that a centre's may, at two levels, the world and the centre.
With ``N(m, v)`` a normal distribution of mean ``m`` and variance ``v``, in log-odds::

    base rate of a cell, world      drawn from the synthesis' posterior, jointly over cells
    effect, world                   N(e, (0.3 |e|)^2 + 0.1^2), e the mean of the evidence prior,
                                    in the truth ``stronger`` the figure before its shrinkage
    effect, centre                  N(w, (0.5 |w|)^2 + 0.1^2), w the world's
    intercept, centre               N(0, between_centres^2 + 0.4^2)
    product, centre                 N(0, 0.2^2)

CRP and ferritin level off (``1.5 tanh(t / 1.5)``, ``t`` in spreads from typical) and have no effect
in B-ALL; CRP and burden interact (``+ 0.25 crp burden``).
None of the three is in the evidence.
Signs are free: a centre's effect may run against the direction that the contract declares.

Each cell's intercept makes the true risk, averaged over patients and centres, the cell's base rate.
It is solved on a fixed reference population in which every patient is at a centre of their own.
"""

from dataclasses import dataclass
from functools import cache
from math import sqrt
from typing import Literal

import numpy as np
from scipy.special import expit

from data_schemas.evidence import load_evidence
from data_schemas.predictors import PREDICTORS, Category, Flag
from data_schemas.typical_values import EVERYWHERE
from serving.model.terms import FARTHEST, transformed
from serving.model.tumour_burden import BURDEN, tumour_burden
from training.learning.centres import CENTRE_SPREAD
from training.learning.prior import published_burden_scale
from training.simulation.synthetic_patients import (
    CELLS,
    PRODUCT_NAMES,
    PRODUCT_OF_CELL,
    Patients,
    patients_in,
)
from training.synthesis.base_rates import base_rates
from training.synthesis.figure_reading import transformed_centre, typical
from training.synthesis.figures import TermKey
from training.synthesis.published_effects import DISEASE_SPECIFIC, effect_prior

Array = np.ndarray
TruthName = Literal["perturbed", "as_published", "null", "reversed", "shifted", "stronger"]

ACTING = (
    *("crp", "ferritin", "ldh", "platelets", BURDEN, "albumin", "creatinine", "hemoglobin"),
    *("anc", "age", "sex", "ecog", "neuro_comorbidity", "active_infection", "cns_involvement"),
    *("extramedullary_disease", "prior_lines", "bridging", "ld_regimen", "crs_prophylaxis"),
)
"""Predictors with an effect on the true risk; those nobody published have effects near zero."""

WORLD_SHARE, CENTRE_SHARE, EFFECT_FLOOR = 0.3, 0.5, 0.1
PRODUCT_SPREAD = 0.2
LEVELS_OFF_AT = 1.5
INTERACTION = 0.25
SHIFT = 1.2
SILENT_IN_B_ALL = ("crp", "ferritin")

_REFERENCE_PATIENTS = 2000
_REFERENCE_SEED = 5


@dataclass(frozen=True)
class Scenario:
    """How a truth differs: whether it is redrawn, the sign of its effects, a shift in log-odds.

    ``shrunk`` is false where published figures act as if nothing were lost in transport.
    """

    redrawn: bool = True
    shrunk: bool = True
    sign: float = 1.0
    shift: float = 0.0


SCENARIOS: dict[TruthName, Scenario] = {
    "perturbed": Scenario(),
    "as_published": Scenario(redrawn=False),
    "null": Scenario(sign=0.0),
    "reversed": Scenario(sign=-1.0),
    "shifted": Scenario(shift=SHIFT),
    "stronger": Scenario(shrunk=False),
}


@dataclass(frozen=True)
class World:
    """What all centres share: log-odds of each cell (n_cells,) and effects (n_terms,)."""

    cells: Array
    effects: Array


@dataclass(frozen=True)
class Centres:
    """What each has of its own: intercept (n,), products (n, n_products), effects (n, n_terms)."""

    intercept: Array
    product: Array
    effects: Array


def true_risk(
    patients: Patients, sites: int, outcome: str, truth: TruthName, rng: np.random.Generator
) -> Array:
    """Return every patient's true risk of an outcome, shape (n,), between 0 and 1."""
    scenario = SCENARIOS[truth]
    world = draw_world(outcome, scenario, rng)
    centres = draw_centres(world, outcome, sites, scenario, rng)
    level = _intercepts(world, outcome, scenario)[patients.cell] + scenario.shift
    logit = level + _departure(_terms(patients), patients, centres, scenario)
    return np.asarray(expit(logit))


def term_keys() -> tuple[TermKey, ...]:
    """Return the terms of the truth: one a predictor, one a word, and those of leukaemia alone."""
    keys: list[TermKey] = []
    for predictor in ACTING:
        declared = PREDICTORS.get(predictor)
        if isinstance(declared, Category):
            words = [w for w in declared.choices[1:] if w not in ("other", "unknown")]
            keys += [(predictor, EVERYWHERE, word) for word in words]
        else:
            keys.append((predictor, EVERYWHERE, ""))
        if predictor in DISEASE_SPECIFIC and predictor not in SILENT_IN_B_ALL:
            keys.append((predictor, DISEASE_SPECIFIC[predictor], ""))
    return tuple(keys)


@cache
def published_effects(outcome: str, *, shrunk: bool) -> Array:
    """Return the effects as the evidence prior has them, or before transport, (n_terms,)."""
    evidence = load_evidence()
    priors = [effect_prior(evidence, outcome, key) for key in term_keys()]
    return np.array([prior.mean if shrunk else prior.before_transport or 0.0 for prior in priors])


@cache
def _published_rates(outcome: str) -> tuple[Array, Array, float]:
    """Return what is published of cells, (n_cells,), their covariance, the sd between centres."""
    evidence = load_evidence()
    rates = base_rates(evidence, outcome)
    at = [rates.cells.index(cell) for cell in CELLS]
    between = sqrt(rates.between_centres**2 + CENTRE_SPREAD**2)
    return rates.mean[at], rates.covariance[np.ix_(at, at)], between


def draw_world(outcome: str, scenario: Scenario, rng: np.random.Generator) -> World:
    """Draw base rates and effects around the published ones."""
    cells, covariance, _ = _published_rates(outcome)
    effects = published_effects(outcome, shrunk=scenario.shrunk)
    if not scenario.redrawn:
        return World(cells, scenario.sign * effects)
    drawn = rng.multivariate_normal(cells, covariance, method="cholesky")
    spread = np.sqrt((WORLD_SHARE * effects) ** 2 + EFFECT_FLOOR**2)
    redrawn = effects + spread * rng.standard_normal(len(effects))
    return World(drawn, scenario.sign * redrawn)


def draw_centres(
    world: World, outcome: str, sites: int, scenario: Scenario, rng: np.random.Generator
) -> Centres:
    """Draw centres around a world."""
    between = _published_rates(outcome)[-1]
    intercept = between * rng.standard_normal(sites)
    product = PRODUCT_SPREAD * rng.standard_normal((sites, len(PRODUCT_NAMES)))
    spread = np.sqrt((CENTRE_SHARE * world.effects) ** 2 + EFFECT_FLOOR**2)
    effects = world.effects + spread * rng.standard_normal((sites, len(spread)))
    if not scenario.redrawn:
        return Centres(0 * intercept, 0 * product, np.tile(world.effects, (sites, 1)))
    # Without effects in the world, centres have none either: nothing predicts but the product.
    return Centres(intercept, product, effects if scenario.sign else 0 * effects)


def _departure(terms: Array, patients: Patients, centres: Centres, scenario: Scenario) -> Array:
    """Return how far each patient's log-odds lie from their cell's intercept, shape (n,)."""
    site = patients.site
    total = centres.intercept[site] + centres.product[site, PRODUCT_OF_CELL[patients.cell]]
    for key, values, effects in zip(term_keys(), terms, centres.effects.T, strict=True):
        bent = _levelled_off(values) if scenario.redrawn and key[0] in SILENT_IN_B_ALL else values
        total += effects[site] * bent
    if scenario.redrawn:
        crp, burden = (term_keys().index((p, EVERYWHERE, "")) for p in ("crp", BURDEN))
        total += scenario.sign * INTERACTION * _levelled_off(terms[crp]) * terms[burden]
    return np.asarray(total)


def _levelled_off(values: Array) -> Array:
    return LEVELS_OFF_AT * np.tanh(values / LEVELS_OFF_AT)


def _terms(patients: Patients) -> Array:
    """Return the terms of complete patients, shape (n_terms, n), in spreads from typical."""
    percentile = tumour_burden(patients.columns, published_burden_scale()).percentile
    rows = []
    for key in term_keys():
        predictor, scope, word = key
        if predictor == BURDEN:
            values = (percentile - 0.5) / sqrt(1 / 12)
        elif word:
            values = (patients.columns[predictor] == word).astype(float)
        elif isinstance(PREDICTORS[predictor], Flag):
            values = patients.columns[predictor]
        else:
            values = _standardised(predictor, patients)
        rows.append(np.where(_holds_in(predictor, scope)[patients.cell], values, 0.0))
    return np.array(rows)


def _holds_in(predictor: str, scope: str) -> Array:
    """Return for each cell whether a term holds there, shape (n_cells,)."""
    if scope == EVERYWHERE:
        return np.array([disease != DISEASE_SPECIFIC.get(predictor) for _, disease in CELLS])
    return np.array([disease == scope for _, disease in CELLS])


def _standardised(predictor: str, patients: Patients) -> Array:
    """Return a quantity in spreads from the typical value of the product's patients."""
    rows = [typical(predictor, disease, product) for product, disease in CELLS]
    centre = np.array([transformed_centre(row) for row in rows])[patients.cell]
    scaled = transformed(patients.columns, predictor, rows[0].transform)
    spread = typical(predictor).spread
    return np.asarray(np.clip((scaled - centre) / spread, -FARTHEST, FARTHEST))


@cache
def _reference() -> tuple[Patients, Array]:
    """Return the reference population and its terms: each cell alike, a centre for each patient."""
    cell = np.repeat(np.arange(len(CELLS)), _REFERENCE_PATIENTS)
    own_centre = np.arange(len(cell))
    rng = np.random.default_rng(_REFERENCE_SEED)
    patients = patients_in(own_centre, cell, len(cell), rng)
    return patients, _terms(patients)


def _intercepts(world: World, outcome: str, scenario: Scenario) -> Array:
    """Solve each cell's intercept for a mean true risk equal to its base rate, shape (n_cells,)."""
    patients, terms = _reference()
    rng = np.random.default_rng(_REFERENCE_SEED + 1)
    centres = draw_centres(world, outcome, len(patients.cell), scenario, rng)
    away = _departure(terms, patients, centres, scenario).reshape(len(CELLS), -1)
    rate = expit(world.cells)
    low, high = world.cells - 8.0, world.cells + 8.0
    for _ in range(50):
        middle = (low + high) / 2
        below = expit(middle[:, None] + away).mean(axis=1) < rate
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.asarray((low + high) / 2)
