"""Simulated patients as requests."""

import numpy as np
import orjson

from data_schemas.cohort_table import Purpose, read_cohort
from data_schemas.patient_request import read_patient
from data_schemas.predictors import PREDICTORS, Quantity
from training.simulation.synthetic_cohort import simulate


def requests(n: int, seed: int) -> list[bytes]:
    """Return simulated patients as requests."""
    cohort = read_cohort(simulate(n, 4, seed).table, Purpose.SCORING)
    contents = []
    for i in range(n):
        body: dict[str, object] = {}
        for name, column in cohort.columns().items():
            declared, value = PREDICTORS[name], column[i]
            if isinstance(declared, Quantity) and not np.isnan(value):
                body[name] = {"value": float(value), "unit": declared.unit}
            elif isinstance(value, str):
                body[name] = value
            elif isinstance(value, float) and not np.isnan(value):
                body[name] = bool(value)
        contents.append(orjson.dumps(body))
    return contents


def wrapped(request: bytes) -> bytes:
    """Return a request as BentoML reads it: under the parameter's name."""
    return orjson.dumps({"patient": orjson.Fragment(request)})


def as_record(request: bytes) -> bytes:
    """Return a request as MLflow reads it: one record, in canonical units."""
    values = read_patient(orjson.loads(request)).values
    record = {k: float(v) if isinstance(v, bool) else v for k, v in values.items()}
    return orjson.dumps({"dataframe_records": [record]})
