"""What one predictor alone does to the typical patient, over the range in which it is met.

The curves ask the model itself, so they are what the service would answer.
"""

from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np

from data_schemas.cohort_table import predictor_columns
from data_schemas.predictors import PREDICTORS, Quantity
from data_schemas.products import scope_problem
from serving.answer.words import label_of
from serving.model.risk_model import STANDARD_NORMAL_95, Cell, Prediction, RiskModel, expit
from serving.model.terms import ASSUMED_LDH_LIMIT_U_L, Term, design, usual_creatinine
from serving.model.tumour_burden import BURDEN, SOURCES
from training.cohort import LearningCohort
from training.report.labels import said, unit_of, words_of
from training.report.model_record import Band, EffectCurve, Effects

Array = np.ndarray

_FARTHEST = 2.5
"""Spreads on either side of typical: about 99 of 100 patients."""
_POINTS = 41
_NO_MEANING = "it has no meaning in this disease"
_INVERSES: dict[str, Callable[[Array], Array]] = {
    "identity": lambda x: x,
    "log": np.exp,
    "log1p": np.expm1,
    "sqrt": np.square,
    "ldh_ratio": lambda x: ASSUMED_LDH_LIMIT_U_L * np.exp(x),
    "creatinine_ratio": np.exp,
    "burden": lambda x: x,
}
_LOGARITHMIC = ("log", "log1p", "ldh_ratio", "creatinine_ratio")


def effects(model: RiskModel, cohort: LearningCohort | None) -> Effects:
    """Return the curves for the typical patient of the cell that most patients belong to.

    Without a cohort that is the cell on which most patients were published.
    """
    cell = _commonest(model, cohort)
    typical = _predicted(model, cell, {}, 1)
    low, high = (float(expit(end)[0]) for end in (typical.low, typical.high))
    curves, left_out = [], {}
    for predictor in dict.fromkeys(term.predictor for term in model.terms):
        curve = _curve(model, cell, predictor)
        if curve is None:
            left_out[predictor] = _NO_MEANING
        else:
            curves.append(curve)
    return Effects(
        product=said(cell.product),
        disease=said(cell.disease),
        typical_risk=float(typical.risk[0]),
        typical_low=low,
        typical_high=high,
        curves=tuple(curves),
        left_out=left_out,
    )


def _commonest(model: RiskModel, cohort: LearningCohort | None) -> Cell:
    if cohort is None:
        return max(model.cells, key=lambda cell: cell.patients)
    cells = Counter(model.cell_of(cohort.columns).tolist())
    return model.cells[max((c for c in cells if c >= 0), key=lambda c: (cells[c], -c))]


def _curve(model: RiskModel, cell: Cell, predictor: str) -> EffectCurve | None:
    """Return the curve of one predictor, None where no term of it holds in the disease."""
    terms = [t for t in model.terms if t.predictor == predictor and t.applies_in(cell.disease)]
    if not terms or (predictor == BURDEN and cell.disease not in SOURCES):
        return None
    words = words_of(predictor)
    grid = np.array(words, dtype=object) if words else _grid(model, terms[0], cell)
    columns = {predictor: np.array([0.0, 1.0]) if words == ("no", "yes") else grid}
    predicted = _predicted(model, cell, columns, len(grid))
    log_odds, half = _contribution(model, cell, predictor, columns, predicted)
    shown = [i for i, word in enumerate(words) if word not in ("unknown", "other")]
    kept = np.array(shown) if words else np.arange(len(grid))
    return EffectCurve(
        predictor=predictor,
        label=label_of(predictor),
        unit=unit_of(predictor),
        scale=("words" if words else "log" if terms[0].transform in _LOGARITHMIC else "linear"),
        values=() if words else tuple(_in_unit(predictor, grid).tolist()),
        words=tuple(said(words[i]) for i in shown),
        typical=None if words else _typical(model, terms[0], cell),
        log_odds=_band(log_odds[kept], (log_odds - half)[kept], (log_odds + half)[kept]),
        risk=_band(*(expit(z)[kept] for z in (predicted.logit, predicted.low, predicted.high))),
    )


def _band(value: Array, low: Array, high: Array) -> Band:
    return Band(value=tuple(value.tolist()), low=tuple(low.tolist()), high=tuple(high.tolist()))


def _centre(term: Term, cell: Cell) -> float:
    return float(term.centre_in(cell.disease, cell.product))


def _typical(model: RiskModel, term: Term, cell: Cell) -> float:
    value = _INVERSES[term.transform](np.array(_centre(term, cell)))
    return float(_in_unit(term.predictor, value * _usual(model, term, cell)))


def _usual(model: RiskModel, term: Term, cell: Cell) -> float:
    """Return what a term reads its predictor as a multiple of, in the typical patient of a cell.

    LDH is left to its inverse: nobody's upper limit of normal goes with age.
    """
    if term.transform != "creatinine_ratio":
        return 1.0
    ages = [_centre(t, cell) for t in model.terms if _is_age(t) and t.applies_in(cell.disease)]
    return float(usual_creatinine(np.array(ages or [np.nan]))[0])


def _is_age(term: Term) -> bool:
    return (term.predictor, term.transform) == ("age", "identity")


def _in_unit(predictor: str, values: Array) -> Array:
    """Return values as they are shown: burden as a percentile of 100."""
    return 100 * values if predictor == BURDEN else values


def _grid(model: RiskModel, term: Term, cell: Cell) -> Array:
    """Return values of a quantity, evenly on the model's scale, within what is usual."""
    if term.predictor == BURDEN:
        return np.linspace(0.02, 0.98, _POINTS)
    declared = PREDICTORS[term.predictor]
    assert isinstance(declared, Quantity)
    low, high = declared.soft
    reach = term.scale * np.linspace(-_FARTHEST, _FARTHEST, _POINTS)
    values = _usual(model, term, cell) * _INVERSES[term.transform](_centre(term, cell) + reach)
    if term.transform in _LOGARITHMIC:
        low = max(low, high / 1000)
    values = values[np.isfinite(values)].clip(low, high)
    if _is_age(term):
        values = np.array([age for age in values if _is_answered(cell, age)])
    return np.unique(values.round() if declared.whole else values)


def _is_answered(cell: Cell, age_years: float) -> bool:
    """Tell whether patients of a cell are answered at this age, if they are at any."""
    product, disease = cell.product, cell.disease
    return scope_problem(product, disease, age_years) == scope_problem(product, disease, None)


def _predicted(model: RiskModel, cell: Cell, changed: dict[str, Array], n: int) -> Prediction:
    return model.predict(_typical_patients(model, cell, changed, n))


def _typical_patients(
    model: RiskModel, cell: Cell, changed: dict[str, Array], n: int
) -> dict[str, Array]:
    """Return n patients of a cell, typical but for the columns given, each of shape (n,)."""
    words = {"product": cell.product, "disease": cell.disease}
    columns: dict[str, Array] = {k: np.full(n, v, dtype=object) for k, v in words.items()}
    for term in model.terms:
        if term.applies_in(cell.disease):
            columns |= dict(_column(model, term, cell, changed.get(term.predictor), n))
    if "age" in changed and any(term.transform == "creatinine_ratio" for term in model.terms):
        # Who is older has the creatinine that is usual then, or the curve would show both.
        columns["creatinine"] = usual_creatinine(np.asarray(changed["age"], dtype=float))
    return dict(predictor_columns(columns, n))


def _column(
    model: RiskModel, term: Term, cell: Cell, given: Array | None, n: int
) -> Iterator[tuple[str, Array]]:
    """Yield the contract column that a term reads, as given or typical."""
    if term.transform == "is_any_of":
        reference = words_of(term.predictor)[0]
        yield term.predictor, np.full(n, reference, dtype=object) if given is None else given
        return
    typical = _INVERSES[term.transform](np.array(_centre(term, cell)))
    values = np.full(n, _usual(model, term, cell) * typical)
    if given is not None:
        values = np.asarray(given, dtype=float)
    if term.transform == "burden":
        for measure in SOURCES.get(cell.disease, ())[:1]:
            scale = model.burden_scale
            yield measure, np.interp(values, scale.percentiles[measure], scale.values[measure])
    else:
        yield term.predictor, values


def _contribution(
    model: RiskModel, cell: Cell, predictor: str, changed: dict[str, Array], predicted: Prediction
) -> tuple[Array, Array]:
    """Return a predictor's contribution and the half-width of its 90 % interval, (n,) each."""
    mine = [j for j, term in enumerate(model.terms) if term.predictor == predictor]
    columns = _typical_patients(model, cell, changed, len(predicted.logit))
    values = design(columns, model.terms, model.burden_scale).values[:, mine]
    places = 1 + len(model.cells) + np.array(mine)
    covariance = model.posterior.covariance[np.ix_(places, places)]
    variance = np.einsum("ij,jk,ik->i", values, covariance, values)
    half = STANDARD_NORMAL_95 * abs(model.recalibration.slope) * np.sqrt(variance)
    return predicted.contributions[:, mine].sum(axis=1), half
