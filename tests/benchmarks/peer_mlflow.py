"""The library path as an MLflow model: a record in, risks and contributions out.

MLflow runs this file when it loads the model ("models from code"): no pickle is needed for it.
"""

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from answer_library import LibraryPath
from mlflow.pyfunc import PythonModel, PythonModelContext
from models_in_store import read_store


class Risk(PythonModel):
    """Risk and contributions of both outcomes by XGBoost and SHAP."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the models and make the explainers."""
        self.library = LibraryPath(read_store(Path(context.artifacts["models"])))

    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Assess one patient."""
        return self.library.explained(model_input)


mlflow.models.set_model(Risk())
