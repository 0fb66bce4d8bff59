"""Proof that what was saved says what its makers say: XGBoost for the trees, SHAP for the reasons.

Both read the saved files, not the objects in memory.
"""

from pathlib import Path

import numpy as np
import xgboost

from data_schemas.refusal import Refused
from serving.model.artefact import Artefact

Array = np.ndarray

TOLERANCE = 1e-5
"""XGBoost adds its leaves in single precision; several hundred leaves of 0.1 differ by less."""

MOST_ROWS = 200


class NotFaithful(Refused):
    """The saved model and the library that made it disagree; it must not be used."""


def verify_trees(artefact: Artefact, booster_file: Path, values: Array, weight: float) -> None:
    """Compare the saved tables with the saved booster on rows of a design (n, n_terms).

    ``weight`` is the share of the booster's log-odds that the model takes.

    Raises
    ------
    NotFaithful
        If margins or Shapley values differ by more than ``TOLERANCE`` log-odds.
    """
    import shap  # takes seconds: only runs that grew trees wait for it

    rows = values[:MOST_ROWS].astype(np.float32)
    booster = xgboost.Booster({"nthread": 1}, model_file=booster_file)
    margin = booster.predict(xgboost.DMatrix(rows), output_margin=True)
    trees = artefact.model.trees
    _agree("margins", trees.log_odds(rows), weight * margin)
    reference = np.zeros((1, rows.shape[1]), dtype=np.float32)
    explainer = shap.TreeExplainer(booster, reference, feature_perturbation="interventional")
    _agree("Shapley values", trees.contributions(rows), weight * explainer.shap_values(rows))


def _agree(what: str, ours: Array, theirs: Array) -> None:
    distance = float(np.abs(ours - theirs).max())
    if distance > TOLERANCE:
        raise NotFaithful(f"{what} of the saved trees differ by {distance:.1e} log-odds")
