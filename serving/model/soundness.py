"""Whether the numbers of a model can be a model's: what no training writes is named.

Right hashes say only that a file is as it was saved; whoever may write to the store, or a fault in
training, can save anything.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from data_schemas.predictors import PREDICTORS, Category
from serving.model.risk_model import Cell, RiskModel
from serving.model.terms import DEFAULT_DISEASE, Term
from serving.model.tumour_burden import BURDEN, MEASURES, BurdenScale

LARGEST_LOG_ODDS = 100.0
"""A risk of 1 in 10^43: no evidence says so much, and no spread is so wide."""

LARGEST_VALUE = 1e9
LARGEST_LOGARITHM = 100.0
"""Whatever is measured stays below, in whichever unit; a term is held within a few spreads."""

_LOGARITHMS = ("log", "log1p", "ldh_ratio", "creatinine_ratio")
_ROUNDING = 1e-9


def faults(model: RiskModel) -> Iterator[str]:
    """Yield in words everything that no model can be."""
    if not model.cells:
        yield "it has no product in any disease"
    if len({(cell.product, cell.disease) for cell in model.cells}) < len(model.cells):
        yield "a product in a disease stands twice"
    for cell in model.cells:
        yield from _of_cell(cell)
    if not model.terms:
        yield "it has no term"
    for term in model.terms:
        yield from _of_term(term)
    yield from _of_posterior(model)
    yield from _of_trees(model)
    yield from _of_burden(model.burden_scale)
    if not 0 <= model.misfit_sd <= LARGEST_LOG_ODDS:
        yield f"misfit_sd must lie between 0 and {LARGEST_LOG_ODDS:g}"
    of_association = (model.association.log_odds_ratio,) if model.association else ()
    if _is_too_large(model.recalibration.intercept, model.recalibration.slope, *of_association):
        yield f"the recalibration or the association exceeds log-odds of {LARGEST_LOG_ODDS:g}"


def _of_cell(cell: Cell) -> Iterator[str]:
    if not (_may_be("product", cell.product) and _may_be("disease", cell.disease)):
        yield "it has a product or a disease that the contract does not know"
    rate = cell.base_rate
    if not (0 < rate < 1 and 0 <= cell.low <= rate <= cell.high <= 1):
        yield (
            f"the base rate of {cell.product} in {cell.disease} must lie between 0 and 1 and "
            "within its own interval"
        )


def _may_be(predictor: str, word: str) -> bool:
    declared = PREDICTORS[predictor]
    return isinstance(declared, Category) and word in declared.choices


def _of_term(term: Term) -> Iterator[str]:
    if DEFAULT_DISEASE not in term.centre:
        yield f"{term.name} has no centre for all diseases"
    if not (term.scale > 0 and term.spread >= 0):
        yield f"the scale of {term.name} must be above 0, and its spread not below"
    largest = LARGEST_LOGARITHM if term.transform in _LOGARITHMS else LARGEST_VALUE
    if max(map(abs, (*term.centre.values(), term.scale, term.spread))) > largest:
        yield f"a centre, the scale or the spread of {term.name} lies beyond any measurement"
    if (term.transform == "burden") != (term.predictor == BURDEN):
        yield f"{term.name} reads tumour burden as something else, or something else as burden"
    elif term.predictor not in (*PREDICTORS, BURDEN):
        yield f"{term.name} reads a predictor that the contract does not know"
    elif (term.transform == "is_any_of") != isinstance(PREDICTORS.get(term.predictor), Category):
        yield f"{term.name} reads words as a number, or a number as words"


def _of_posterior(model: RiskModel) -> Iterator[str]:
    mean, covariance = model.posterior.mean, model.posterior.covariance
    p = 1 + len(model.cells) + len(model.terms)
    if mean.shape != (p,) or covariance.shape != (p, p):
        yield "mean and covariance of the posterior do not have one number for each cell and term"
        return
    if _is_too_large(mean, np.sqrt(np.abs(covariance))):
        yield f"mean or covariance of the posterior exceed log-odds of {LARGEST_LOG_ODDS:g}"
        return
    rounding = _ROUNDING * max(1.0, float(np.abs(covariance).max()))
    if np.abs(covariance - covariance.T).max() > rounding:
        yield "the posterior covariance is not symmetric"
    elif np.linalg.eigvalsh(covariance)[0] < -rounding:
        yield "the posterior covariance is not positive semi-definite"


def _of_trees(model: RiskModel) -> Iterator[str]:
    trees = model.trees
    if not len(trees.term) == len(trees.threshold) == len(trees.leaf):
        yield "the trees have questions without answers"
    elif not np.all((trees.term >= 0) & (trees.term < len(model.terms))):
        yield "the trees ask about a term that is not there"
    elif _is_too_large(trees.leaf):
        yield f"the trees add more than log-odds of {LARGEST_LOG_ODDS:g}"


def _of_burden(scale: BurdenScale) -> Iterator[str]:
    for measure in MEASURES:
        values, levels = scale.values.get(measure, ()), scale.percentiles.get(measure, ())
        rising = all(one <= following for one, following in pairwise(values))
        if not values or len(values) != len(levels) or not rising:
            yield f"the scale of tumour burden says no percentile for each value of {measure}"
        elif not all(0 <= level <= 1 for level in levels):
            yield f"a percentile of {measure} lies outside of 0 to 1"


def _is_too_large(*numbers: float | np.ndarray) -> bool:
    return any(np.any(np.abs(one) > LARGEST_LOG_ODDS) for one in numbers)
