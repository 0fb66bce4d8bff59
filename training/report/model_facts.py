"""What the model is made of: the evidence before, the coefficients after, and their weights."""

from typing import Any

import numpy as np

from serving.answer.words import label_of
from serving.model.disease_codes import disease_codes
from serving.model.risk_model import RiskModel
from training.cohort import LearningCohort
from training.learning.recipes import RECIPES
from training.report.effects import effects
from training.report.labels import said, short
from training.report.model_record import (
    BaseRate,
    Coefficient,
    Importance,
    ModelFacts,
    Source,
    Weight,
)

Array = np.ndarray

_BY_CELL = "the products and diseases of the model, each counted once"
_BY_PATIENT = "the judged patients"


def model_facts(
    model: RiskModel,
    prior_table: dict[str, Any],
    learner: str,
    released: tuple[str, ...],
    cohort: LearningCohort | None,
) -> ModelFacts:
    """Return what a finished model is made of.

    Parameters
    ----------
    prior_table
        What was believed before any patient, as the artefact keeps it.
    released
        Terms whose promised direction was let go.
    cohort
        The judged patients, None where there are none.
    """
    return ModelFacts(
        terms=len(model.terms),
        trees=len(model.trees),
        evidence_used=RECIPES[learner].knows_literature and _is_any_published(prior_table),
        recalibration_intercept=model.recalibration.intercept,
        recalibration_slope=model.recalibration.slope,
        misfit_sd=model.misfit_sd,
        between_centres_sd=prior_table["between_centres_sd"],
        importance=importance(model, cohort),
        effects=effects(model, cohort),
        coefficients=_coefficients(model, prior_table, released),
        base_rates=tuple(_base_rate(row) for row in prior_table["base_rates"]),
        assumed=tuple(prior_table["assumed"]),
    )


def _is_any_published(prior_table: dict[str, Any]) -> bool:
    return any(effect["sources"] for effect in prior_table["effects"])


def importance(model: RiskModel, cohort: LearningCohort | None) -> Importance:
    """Return each predictor's share of the model's weight, and what it contributes on average."""
    of_cells = {"disease": np.array([cell.disease for cell in model.cells], dtype=object)}
    disease = disease_codes(of_cells if cohort is None else cohort.columns)
    contributed = None if cohort is None else _mean_contributions(model, cohort)
    weights = [
        Weight(
            predictor=name,
            label=label_of(name),
            share=float(share[disease].mean()),
            mean_contribution=None if contributed is None else contributed[name],
        )
        for name, share in model.share_by_predictor().items()
    ]
    ordered = sorted(weights, key=lambda weight: (-weight.share, weight.predictor))
    return Importance(of=_BY_CELL if cohort is None else _BY_PATIENT, weights=tuple(ordered))


def _terms_of(model: RiskModel, predictor: str) -> list[int]:
    return [j for j, term in enumerate(model.terms) if term.predictor == predictor]


def _mean_contributions(model: RiskModel, cohort: LearningCohort) -> dict[str, float]:
    """Return the mean over patients of each predictor's |contribution|, in log-odds."""
    prediction = model.predict(cohort.columns)
    of_terms = prediction.contributions[prediction.in_scope]
    return {
        name: float(np.abs(of_terms[:, _terms_of(model, name)].sum(axis=1)).mean())
        for name in dict.fromkeys(term.predictor for term in model.terms)
    }


def _coefficients(
    model: RiskModel, prior_table: dict[str, Any], released: tuple[str, ...]
) -> tuple[Coefficient, ...]:
    sd = np.sqrt(np.diag(model.posterior.covariance))[1 + len(model.cells) :]
    return tuple(
        Coefficient(
            term=row["term"],
            label=term_label(row["term"]),
            prior_mean=row["mean"],
            prior_sd=row["sd"],
            posterior_mean=float(mean),
            posterior_sd=float(spread),
            # A prior without spread is that of a learner without linear effects: nothing moved.
            shift=float((mean - row["mean"]) / row["sd"]) if row["sd"] else 0.0,
            direction=row["direction"],
            released=row["term"] in released,
            how=row["how"],
            holds_unread=row["holds_unread"],
            sources=tuple(Source(**source) for source in row["sources"]),
        )
        for row, mean, spread in zip(prior_table["effects"], model.coefficients, sd, strict=True)
    )


def term_label(term: str) -> str:
    """Return a term in words: the predictor, its word, and the disease that it holds in."""
    predictor, *rest = term.split(":")
    words = ", ".join(said(part) for part in rest)
    return f"{short(label_of(predictor))} ({words})" if rest else label_of(predictor)


def _base_rate(row: dict[str, Any]) -> BaseRate:
    names = ("risk", "low", "high", "patients", "origin")
    return BaseRate(
        product=said(row["product"]),
        disease=said(row["disease"]),
        sources=tuple(Source(**source) for source in row["sources"]),
        **{name: row[name] for name in names},
    )
