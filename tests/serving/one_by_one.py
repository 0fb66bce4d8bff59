"""Patients of a table as requests, values taken away at random, to compare one with many."""

from dataclasses import dataclass

import numpy as np

from data_schemas.cohort_table import Cohort
from data_schemas.patient_request import PatientRequest
from data_schemas.predictors import PREDICTORS, Category, Flag, Quantity

Columns = dict[str, np.ndarray]
ALWAYS = {"product", "disease"}


@dataclass(frozen=True)
class Patients:
    """The same patients as a table and one by one."""

    columns: Columns
    requests: list[PatientRequest]

    def __len__(self) -> int:
        return len(self.requests)


def patients_of(cohort: Cohort, times: int, seed: int) -> Patients:
    """Return every patient several times, each time with other values, missing and far-off ones."""
    rng = np.random.default_rng(seed)
    n = times * len(cohort)
    columns: Columns = {}
    for name, column in cohort.columns().items():
        many = np.tile(column, times)
        if name not in ALWAYS:
            gone = rng.random(n) < rng.choice([0.02, 0.1, 0.4])
            many[gone] = None if many.dtype == object else np.nan
        declared = PREDICTORS[name]
        if isinstance(declared, Quantity):
            low, high = declared.hard
            if not declared.whole:
                many = np.clip(many * rng.lognormal(0.0, 0.2, n), low, high)
            far = rng.random(n) < 0.02
            many[far] = np.clip(np.round(rng.uniform(low, high, far.sum())), low, high)
        columns[name] = many
    return Patients(columns, [_request(columns, i) for i in range(n)])


def _request(columns: Columns, i: int) -> PatientRequest:
    values: dict[str, float | str | bool] = {}
    for name, declared in PREDICTORS.items():
        value = columns[name][i]
        if isinstance(declared, Category):
            if isinstance(value, str):
                values[name] = value
        elif not np.isnan(value):
            values[name] = bool(value) if isinstance(declared, Flag) else float(value)
    return PatientRequest(values, {}, None)


def columns_of(request: PatientRequest) -> Columns:
    """Return a patient as contract columns of one row."""
    columns: Columns = {}
    for name, declared in PREDICTORS.items():
        value = request.values.get(name)
        if isinstance(declared, Category):
            columns[name] = np.array([value], dtype=object)
        else:
            columns[name] = np.array([np.nan if value is None else float(value)])
    return columns
