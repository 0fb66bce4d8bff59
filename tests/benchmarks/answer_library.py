"""The same numbers by the libraries that made the trees: pandas, XGBoost and SHAP.

It is given our own terms and our own reading of the request, and leaves out the words, cautions,
scores and sources: it does less than the answer that it stands beside.
"""

import json
import warnings

import numpy as np
import pandas as pd
import xgboost
from answer_models import Models

from data_schemas.patient_request import read_patient
from data_schemas.predictors import PREDICTORS, Category
from serving.model.risk_model import STANDARD_NORMAL_95, expit
from serving.model.terms import design

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the packages that SHAP imports
    import shap

Array = np.ndarray
Columns = dict[str, Array]


class LibraryPath:
    """Answers with XGBoost's margin and SHAP's contributions above the linear part."""

    def __init__(self, models: Models) -> None:
        """Make the explainers; the reference is the typical patient, as in the answer."""
        self.models = {name: artefact.model for name, artefact in models.artefacts.items()}
        self.boosters = models.boosters
        self.explainers = {
            name: shap.TreeExplainer(
                booster,
                np.zeros((1, len(self.models[name].terms)), np.float32),
                feature_perturbation="interventional",
            )
            for name, booster in models.boosters.items()
        }

    def answer(self, content: bytes) -> bytes:
        """Return risk, interval and contributions of both outcomes from a request's bytes."""
        frame = _frame(read_patient(json.loads(content)).values)
        columns = {str(name): frame[name].to_numpy() for name in frame}
        return json.dumps({name: self._outcome(name, columns) for name in self.boosters}).encode()

    def _outcome(self, name: str, columns: Columns) -> dict[str, object]:
        model = self.models[name]
        made = design(columns, model.terms, model.burden_scale)
        terms = pd.DataFrame(made.values.astype(np.float32), columns=[t.name for t in model.terms])
        cell = int(model.cell_of(columns)[0])
        linear = made.values[0] * model.coefficients
        contributions = linear + self.shap_values(name, terms)[0]
        at_cell = model.posterior.mean[0] + model.posterior.mean[1 + cell]
        margin = self.margins(name, terms)[0]
        logit = at_cell + linear.sum() + margin
        row = np.concatenate([[1.0], np.arange(len(model.cells)) == cell, made.values[0]])
        variance = row @ model.posterior.covariance @ row + model.misfit_sd**2
        variance += made.missing[0] @ model.variance.if_missing
        half = STANDARD_NORMAL_95 * np.sqrt(variance)
        return {
            "risk": float(expit(logit)),
            "low": float(expit(logit - half)),
            "high": float(expit(logit + half)),
            "contributions": dict(zip(terms, contributions.tolist(), strict=True)),
        }

    def margins(self, name: str, terms: pd.DataFrame | Array) -> Array:
        """Return XGBoost's own log-odds, shape (n,)."""
        return self.boosters[name].predict(self._matrix(terms), output_margin=True)

    def shap_values(self, name: str, terms: pd.DataFrame | Array) -> Array:
        """Return interventional Shapley values, shape (n, n_terms)."""
        return np.asarray(self.explainers[name].shap_values(np.asarray(terms)))

    def path_dependent(self, name: str, terms: Array) -> Array:
        """Return XGBoost's own, path-dependent contributions, shape (n, n_terms + 1)."""
        return self.boosters[name].predict(self._matrix(terms), pred_contribs=True)

    def _matrix(self, terms: pd.DataFrame | Array) -> xgboost.DMatrix:
        return xgboost.DMatrix(np.asarray(terms), nthread=1)


def _frame(values: object) -> pd.DataFrame:
    frame = pd.DataFrame([values])
    frame = frame.reindex(columns=list(PREDICTORS))
    words = [name for name, declared in PREDICTORS.items() if isinstance(declared, Category)]
    return frame.astype({name: object if name in words else float for name in PREDICTORS})
