"""The library path as a BentoML service, written as most people write one."""

import os
from pathlib import Path
from typing import Any

import bentoml
import pandas as pd
from answer_library import LibraryPath
from models_in_store import read_store
from pydantic import BaseModel, create_model

from data_schemas.patient_request import read_patient
from data_schemas.predictors import PREDICTORS, Quantity


class Measured(BaseModel):
    """A quantity with its unit."""

    value: float
    unit: str


Patient: Any = create_model(
    "Patient",
    **{
        name: ((Measured if isinstance(declared, Quantity) else bool | str) | None, None)
        for name, declared in PREDICTORS.items()
    },
)


@bentoml.service
class Risk:
    """Risk and contributions of both outcomes by XGBoost and SHAP."""

    def __init__(self) -> None:
        self.library = LibraryPath(read_store(Path(os.environ["CART_RISK_MODELS"])))

    @bentoml.api
    def assess(self, patient: Patient) -> dict[str, Any]:
        """Assess one patient."""
        values = read_patient(patient.model_dump(exclude_none=True)).values
        return self.library.explained(pd.DataFrame([values]))
