"""The prior of a model: its terms, its cells, and what is believed of each before the cohort."""

from dataclasses import dataclass, replace
from math import sqrt

import numpy as np
from scipy.special import expit
from scipy.stats import beta

from data_schemas.evidence import Evidence, EvidenceError, Problem
from data_schemas.predictors import PREDICTORS, Category, Flag, Predictor, Quantity
from data_schemas.typical_values import EVERYWHERE, FILE, burden_measures, typical_values
from serving.model.risk_model import STANDARD_NORMAL_95, Cell
from serving.model.terms import DEFAULT_DISEASE, FUNCTIONS, Term, of_cell
from serving.model.tumour_burden import BURDEN, MEASURES, BurdenScale
from training.cohort import LearningCohort
from training.experiment import Experiment, ExperimentRefused
from training.learning.centres import CENTRE_SPREAD
from training.learning.posterior import EVIDENCE_SLOPES, Prior
from training.learning.recipes import FREE_SPREAD
from training.synthesis.base_rates import BaseRates, base_rates, typical_log_odds
from training.synthesis.figure_reading import transformed_centre, typical
from training.synthesis.figures import TermKey
from training.synthesis.published_effects import (
    DISEASE_SPECIFIC,
    EffectPrior,
    declared_direction,
    effect_prior,
    spread_of_linear_predictor,
)

WIDE_INTERCEPT = 1.5
WORD_SPREAD = 0.2
"""Spread of a yes-or-no term between patients: that of one which 4 % of them carry."""


@dataclass(frozen=True)
class ModelPrior:
    """Everything that is fixed before a cohort is looked at.

    ``prior`` runs over intercept, cells and terms, in this order.
    """

    outcome: str
    terms: tuple[Term, ...]
    cells: tuple[Cell, ...]
    prior: Prior
    effects: tuple[EffectPrior, ...]
    burden_scale: BurdenScale
    between_centres: float

    @property
    def is_published(self) -> bool:
        """Tell whether it is of the literature; else its rate is that of the cohort itself."""
        return all(cell.origin != "own cohort" for cell in self.cells)


def evidence_prior(
    evidence: Evidence, experiment: Experiment, cohort: LearningCohort | None = None
) -> ModelPrior:
    """Return the prior that published evidence gives to an experiment's outcome.

    The cohort only centres predictors for which no typical value is published.
    """
    outcome = experiment.outcome.name
    terms, effects = _terms_and_effects(evidence, experiment, split=True, cohort=cohort)
    rates = base_rates(evidence, outcome)
    by_key = {effect.key: effect for effect in effects}
    spread = np.array([spread_of_linear_predictor(by_key, disease) for _, disease in rates.cells])
    between = sqrt(rates.between_centres**2 + CENTRE_SPREAD**2)
    level = typical_log_odds(rates.expected, spread)
    prior = _assemble(terms, effects, level, rates.covariance, between)
    return ModelPrior(
        outcome=experiment.outcome.name,
        terms=terms,
        cells=_published_cells(rates, between),
        prior=replace(prior, levels=levels_by_slope(rates.expected, spread)),
        effects=effects,
        burden_scale=published_burden_scale(),
        between_centres=between,
    )


def levels_by_slope(mean_log_odds: np.ndarray, spread: np.ndarray) -> dict[float, np.ndarray]:
    """Return by evidence slope how far the typical patient of a cell lies from the usual.

    Published mean rates stay what they are, so stronger effects go with a lower level. Weaker ones
    go with none: what the literature does not say of patients, something else does.
    The average over the slopes is 0: without patients the level is that of slope 1.

    Parameters
    ----------
    mean_log_odds, spread
        As :func:`typical_log_odds` takes them, shape (n_cells,).
    """
    levels = {s: typical_log_odds(mean_log_odds, max(s, 1.0) * spread) for s in EVIDENCE_SLOPES}
    usual = sum(weight * levels[s] for s, weight in EVIDENCE_SLOPES.items())
    return {s: level - usual for s, level in levels.items()}


def cohort_prior(evidence: Evidence, experiment: Experiment, cohort: LearningCohort) -> ModelPrior:
    """Return the prior of an outcome on which nothing is published: the cohort's pooled rate.

    Terms without a typical value are centred and scaled by the cohort itself; effects are free, as
    for any learner that knows no literature. The rate's interval is Jeffreys' (Brown LD, Stat Sci
    2001;16:101-133).
    """
    terms, believed = _terms_and_effects(evidence, experiment, split=False, cohort=cohort)
    effects = tuple(replace(effect, sd=FREE_SPREAD) for effect in believed)
    events, others = cohort.events, len(cohort) - cohort.events
    rate = (events + 0.5) / (len(cohort) + 1.0)
    low, high = (float(end) for end in beta.ppf([0.05, 0.95], events + 0.5, others + 0.5))
    pairs = sorted(set(zip(cohort.columns["product"], cohort.columns["disease"], strict=True)))
    cells = tuple(
        Cell(
            product=product,
            disease=disease,
            base_rate=float(rate),
            low=low,
            high=high,
            patients=len(cohort),
            sources=(),
            origin="own cohort",
            holds_unread=False,
        )
        for product, disease in pairs
    )
    level = np.full(len(cells), np.log(rate / (1 - rate)))
    covariance = np.eye(len(cells)) * CENTRE_SPREAD**2
    return ModelPrior(
        outcome=experiment.outcome.name,
        terms=terms,
        cells=cells,
        prior=_assemble(terms, effects, level, covariance, WIDE_INTERCEPT),
        effects=effects,
        burden_scale=published_burden_scale(),
        between_centres=WIDE_INTERCEPT,
    )


def experiment_prior(
    evidence: Evidence, experiment: Experiment, cohort: LearningCohort | None
) -> ModelPrior:
    """Return the prior that an experiment asks for: published evidence, or its cohort's own rate.

    Raises
    ------
    ExperimentRefused
        If it asks for neither.
    """
    if experiment.anchor.evidence:
        return evidence_prior(evidence, experiment, cohort)
    if cohort is None:
        raise ExperimentRefused(f"{experiment.name}: without evidence an experiment needs a cohort")
    return cohort_prior(evidence, experiment, cohort)


def published_burden_scale() -> BurdenScale:
    """Return the percentiles of each measure of tumour burden as published.

    Raises
    ------
    EvidenceError
        If a measure that burden is read from has none.
    """
    curves = {row.measure: row.curve() for row in burden_measures()}
    if without := [name for name in MEASURES if name not in curves]:
        limit, remedy = "no quantiles, though burden is read from it", "add a [[burden]] row"
        raise EvidenceError(tuple(Problem(FILE, name, "-", limit, remedy) for name in without))
    return BurdenScale(
        {name: values for name, (values, _) in curves.items()},
        {name: levels for name, (_, levels) in curves.items()},
    )


def _assemble(
    terms: tuple[Term, ...],
    effects: tuple[EffectPrior, ...],
    levels: np.ndarray,
    covariance: np.ndarray,
    between: float,
) -> Prior:
    n_free = 1 + len(levels)
    p = n_free + len(terms)
    full = np.zeros((p, p))
    full[0, 0] = between**2
    full[1:n_free, 1:n_free] = covariance
    np.fill_diagonal(full[n_free:, n_free:], [effect.sd**2 for effect in effects])
    mean = np.concatenate([[0.0], levels, [effect.mean for effect in effects]])
    direction = np.array([0] * n_free + [term.direction for term in terms])
    return Prior(mean, full, direction, n_free)


def _published_cells(rates: BaseRates, between: float) -> tuple[Cell, ...]:
    cells = []
    for i, (product, disease) in enumerate(rates.cells):
        sd = sqrt(rates.covariance[i, i] + between**2)
        low, high = (float(expit(rates.mean[i] + k * STANDARD_NORMAL_95 * sd)) for k in (-1, 1))
        rows = rates.rows[i]
        cells.append(
            Cell(
                product=product,
                disease=disease,
                base_rate=float(expit(rates.expected[i])),
                low=low,
                high=high,
                patients=sum(row.n_treated or 0 for row in rows),
                sources=tuple(row.id for row in rows),
                origin="published" if rows else "borrowed",
                holds_unread=any(row.verified != "read" for row in rows),
            )
        )
    return tuple(cells)


def _terms_and_effects(
    evidence: Evidence, experiment: Experiment, *, split: bool, cohort: LearningCohort | None = None
) -> tuple[tuple[Term, ...], tuple[EffectPrior, ...]]:
    outcome = experiment.outcome.name
    terms: list[Term] = []
    effects: list[EffectPrior] = []
    for predictor in experiment.predictors:
        for key, diseases in _keys(predictor, split=split):
            terms.append(_term(key, diseases, declared_direction(key, outcome), cohort))
            effects.append(effect_prior(evidence, outcome, key))
    return tuple(terms), tuple(effects)


def _keys(predictor: str, *, split: bool) -> list[tuple[TermKey, tuple[str, ...]]]:
    """Return a predictor's terms with the diseases that each holds in (empty: in all)."""
    declared = PREDICTORS.get(predictor)
    if isinstance(declared, Category):
        # The first word is the reference; what is not known is missing, not a word.
        words = [w for w in declared.choices[1:] if w != "unknown"]
        return [((predictor, EVERYWHERE, word), declared.diseases) for word in words]
    own = DISEASE_SPECIFIC.get(predictor) if split else None
    if own is None:
        return [((predictor, EVERYWHERE, ""), declared.diseases if declared else ())]
    others = tuple(d for d in _DISEASES if d != own)
    return [((predictor, EVERYWHERE, ""), others), ((predictor, own, ""), (own,))]


_DISEASES = PREDICTORS["disease"].choices  # type: ignore[union-attr]  # a Category by declaration


def _term(
    key: TermKey, diseases: tuple[str, ...], direction: int, cohort: LearningCohort | None
) -> Term:
    predictor, scope, word = key
    name = ":".join(
        part for part in (predictor, word, "" if scope == EVERYWHERE else scope) if part
    )
    declared = PREDICTORS.get(predictor)
    if predictor == BURDEN:
        centre, scale, transform = {DEFAULT_DISEASE: 0.5}, sqrt(1 / 12), "burden"
    elif isinstance(declared, Category):
        centre, scale, transform = {DEFAULT_DISEASE: 0.0}, 1.0, "is_any_of"
    elif isinstance(declared, Flag):
        centre, scale, transform = {DEFAULT_DISEASE: 0.0}, 1.0, "identity"
    else:
        centre, scale, transform = _centred(predictor, declared, cohort)
    return Term(
        name=name,
        predictor=predictor,
        transform=transform,  # type: ignore[arg-type]  # one of the closed set above
        centre=centre,
        scale=scale,
        spread=WORD_SPREAD if isinstance(declared, Category | Flag) else 1.0,
        diseases=diseases,
        choices=(word,) if word else (),
        direction=direction,
    )


def _own_centre(values: np.ndarray, declared: Quantity) -> tuple[dict[str, float], float]:
    """Return median and spread of a cohort, or of the usual range where it has no values."""
    known = values[np.isfinite(values)]
    # The spread of equal numbers is not 0: their mean is rounded, and another number than they are.
    if len(known) and np.ptp(known) > 0:
        return {DEFAULT_DISEASE: float(np.median(known))}, float(known.std())
    low, high = declared.soft
    ends = FUNCTIONS[declared.transform](np.array([max(low, high / 1000), high]))
    return {DEFAULT_DISEASE: float(ends.mean())}, float(np.ptp(ends) / 4)


def _centred(
    predictor: str, declared: Predictor | None, cohort: LearningCohort | None
) -> tuple[dict[str, float], float, str]:
    """Return centre, scale and transform of a quantity: published, else the cohort's own."""
    assert isinstance(declared, Quantity)
    try:
        rows = {d: typical(predictor, d) for d in (EVERYWHERE, *_DISEASES)}
    except KeyError:
        if cohort is None:
            raise ExperimentRefused(
                f"{predictor}: no typical value is published; give a cohort"
            ) from None
        return *_own_centre(
            cohort.transformed(predictor, declared.transform), declared
        ), declared.transform
    centre = {d: transformed_centre(row) for d, row in rows.items() if row.disease == d}
    centre |= {
        of_cell(row.product, row.disease): transformed_centre(row)
        for row in typical_values()
        if row.predictor == predictor and row.product != EVERYWHERE
    }
    return centre, rows[EVERYWHERE].spread, rows[EVERYWHERE].transform
