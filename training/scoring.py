"""A cohort scored with the models of a store, by the same code that answers at the bedside."""

from itertools import compress
from pathlib import Path

import numpy as np
import pandas as pd

from data_schemas.cohort_table import Cohort, Purpose, read_cohort
from data_schemas.refusal import Refused
from serving.model.applicability import RaisedCaution, cautions, of_the_model, statuses
from serving.model.artefact import Artefact
from serving.model.risk_model import Prediction, expit, predictions
from serving.model.store import load_current
from serving.whole_file import FOR_ITS_OWNER, whole_file

Array = np.ndarray


class NothingToScoreWith(Refused):
    """The store holds no current model."""


def score_cohort(cohort: Cohort, store: Path) -> pd.DataFrame:
    """Return one row a patient: risk, 90 % interval, status and why of every outcome.

    Where a status forbids a risk, the three numbers are missing and ``why`` says it in words; else
    it holds the codes of the cautions, each with the predictor that it is about.

    Raises
    ------
    NothingToScoreWith
        If the store holds no current model.
    ArtefactRefused
        If a model is not what its pointer says.
    """
    artefacts = load_current(store)
    if not artefacts:
        raise NothingToScoreWith(f"no current model under {store.name}: train or promote one first")
    scored: dict[str, object] = {"patient_id": cohort.patient_id}
    said = predictions({name: a.model for name, a in artefacts.items()}, cohort.columns())
    for name, artefact in artefacts.items():
        scored |= _scored(name, artefact, cohort, said[name])
    return pd.DataFrame(scored)


def _scored(
    name: str, artefact: Artefact, cohort: Cohort, prediction: Prediction
) -> dict[str, object]:
    columns = cohort.columns()
    always = of_the_model(artefact)
    raised = cautions(columns, cohort.days_before, artefact.model, prediction, always)
    status, reasons = statuses(columns, prediction, raised)
    usable = np.array([s.has_risk for s in status], dtype=bool)
    return {
        name: np.where(usable, expit(prediction.logit), np.nan),
        f"{name}_low": np.where(usable, expit(prediction.low), np.nan),
        f"{name}_high": np.where(usable, expit(prediction.high), np.nan),
        f"{name}_status": [s.value for s in status],
        f"{name}_why": np.where(usable, _codes(raised, len(status)), np.array(reasons, object)),
    }


def _codes(raised: list[RaisedCaution], n: int) -> Array:
    """Return the codes of each patient's cautions in one text; each set of them is written once."""
    concerns = np.array([c.concerns for c in raised], dtype=bool).reshape(len(raised), n)
    kinds, kind = np.unique(concerns, axis=1, return_inverse=True)
    names = [f"{c.code}:{c.predictor}" if c.predictor else str(c.code) for c in raised]
    written = [" ".join(compress(names, column)) for column in kinds.T]
    return np.array(written, dtype=object)[kind.ravel()]


def score_file(cohort_file: Path, out: Path, store: Path) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Score a cohort file into a Parquet or CSV file, which appears whole or not at all.

    It names patients beside their risks: its owner alone may read it.

    Returns
    -------
    The scores, and what was noticed of the cohort.
    """
    if out.suffix not in (".parquet", ".csv"):
        raise Refused("scores are written to a .parquet or a .csv file")
    cohort = read_cohort(cohort_file, Purpose.SCORING)
    scored = score_cohort(cohort, store)
    with whole_file(out, FOR_ITS_OWNER) as sink:
        if out.suffix == ".csv":
            scored.to_csv(sink, index=False, mode="wb")
        else:
            scored.to_parquet(sink, index=False)
    return scored, cohort.notices
