"""A model as MLflow keeps it: our artefact, with signature and example, and without a pickle.

The ``python_function`` flavour with a loader module is MLflow's way to load plain data by code that
is installed; its other way, a pickled Python object, is never used.
"""

import warnings
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from data_schemas.predictors import PREDICTORS, Quantity
from serving.model.artefact import Artefact
from serving.model.store import make_current
from serving.model.tumour_burden import MEASURES
from serving.openapi import EXAMPLE_PATIENT

if TYPE_CHECKING:
    from mlflow.models import Model, ModelSignature

_LOADER = "training.tracking.loaded_model"
_REQUIRED = ("product", "disease")


def write_model_folder(artefact: Artefact, described: "Model", folder: Path, scratch: Path) -> None:
    """Write a model into a folder that does not exist yet.

    Parameters
    ----------
    described
        MLflow's own record of the model, which is completed.
    scratch
        An empty directory for the time of writing.
    """
    make_current(scratch / "model", artefact)
    with warnings.catch_warnings():
        # On import MLflow warns of type hints of its own.
        warnings.filterwarnings("ignore", ".*Any type hint is inferred as AnyType", UserWarning)
        from mlflow.pyfunc import save_model

        save_model(
            folder,
            loader_module=_LOADER,
            data_path=str(scratch / "model"),
            mlflow_model=described,
            signature=signature(artefact),
            input_example=invented_patient(artefact),
            pip_requirements=[f"cart-risk=={version('cart-risk')}"],
        )


def signature(artefact: Artefact) -> "ModelSignature":
    """Return the columns of a model's answer; what it is asked is checked by the contract alone.

    MLflow drops every column that a signature's inputs do not name, so a value in another accepted
    unit, or under a misspelt name, would be missing without a word; and it refuses whole numbers
    where it expects others. The input example shows what the model reads.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    outcome = artefact.model.outcome
    risks = [ColSpec("double", f"{outcome}{end}") for end in ("", "_low", "_high")]
    status = ColSpec("string", f"{outcome}_status")
    return ModelSignature(outputs=Schema([ColSpec("string", "patient_id"), *risks, status]))


def columns_read(artefact: Artefact) -> Iterator[tuple[str, str, str]]:
    """Yield predictor, column in the contract's own unit, and MLflow's type."""
    used = {term.predictor for term in artefact.model.terms} | {*_REQUIRED, "age"}
    used |= {"ldh_uln"} if "ldh" in used else set()
    used |= {*MEASURES} if "tumour_burden" in used else set()
    for name, declared in PREDICTORS.items():
        if name in used and isinstance(declared, Quantity):
            yield name, next(iter(declared.columns(name))), "double"
        elif name in used:
            yield name, name, "string"


def invented_patient(artefact: Artefact) -> pd.DataFrame:
    """Return one invented patient as a row of a cohort table, with what the model reads."""
    row: dict[str, object] = {"patient_id": "invented"}
    for name, column, _ in columns_read(artefact):
        value = EXAMPLE_PATIENT.get(name)
        if isinstance(value, dict):
            declared = PREDICTORS[name]
            assert isinstance(declared, Quantity)
            row[column] = declared.conversions[value["unit"]](value["value"])
        elif value is not None:
            row[column] = value
    return pd.DataFrame([row])
