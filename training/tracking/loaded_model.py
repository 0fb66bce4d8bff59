"""A registered model as ``mlflow.pyfunc.load_model`` returns it: a cohort table in, risks out.

MLflow imports this module by name and hands it a folder of data. No code and no pickle lies in the
folder, and every byte of the artefact is verified before it answers.
"""

from pathlib import Path
from typing import Any

import pandas as pd

from data_schemas.cohort_table import Purpose, read_cohort
from serving.model.store import load_current
from training.scoring import score_cohort


class LoadedModel:
    """A store of one model."""

    def __init__(self, store: Path) -> None:
        """Verify the model of a store.

        Raises
        ------
        ArtefactRefused
            If it is not byte for byte what was trained.
        """
        load_current(store)
        self.store = store

    def predict(self, table: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Score a cohort table as ``cart-risk score`` does; ``params`` are not used.

        Raises
        ------
        CohortRefused
            If the table breaks the contract.
        """
        return score_cohort(read_cohort(table, Purpose.SCORING), self.store)


def _load_pyfunc(path: str) -> LoadedModel:
    """Load the model for MLflow, which looks for a function of this name."""
    return LoadedModel(Path(path))
