"""A patient is recognised by where, when and for what, and by age and sex; not by other values."""

import datetime
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_schemas.outcomes import OUTCOMES
from training.cohort import LearningCohort, patients_to_judge_by
from training.judging.recognised import fitted_versions, known_by, places, scored_with
from training.judging.scored_file import load, save
from training.pipeline import Run
from training.simulation.synthetic_cohort import simulate


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return simulate(60, 2, 3).table.dropna(axis="columns", how="all").dropna(subset="icans_grade")


@pytest.fixture
def read(tmp_path: Path) -> Callable[[pd.DataFrame, str], LearningCohort]:
    def of(table: pd.DataFrame, suffix: str) -> LearningCohort:
        path = tmp_path / f"cohort{suffix}"
        table.to_parquet(path) if suffix == ".parquet" else table.to_csv(path, index=False)
        return patients_to_judge_by(path, OUTCOMES["severe_icans"])

    return of


Read = Callable[[pd.DataFrame, str], LearningCohort]


def test_the_kind_of_file_its_order_and_its_laboratory_values_change_nobody(
    table: pd.DataFrame, read: Read
) -> None:
    corrected = table.iloc[::-1].assign(
        ferritin_ng_ml=1.0, icans_grade=0, patient_id=[f"new-{i}" for i in range(len(table))]
    )
    before, after = known_by(read(table, ".parquet")), known_by(read(corrected, ".csv"))
    assert len(set(before.tolist())) == len(table)
    assert set(before.tolist()) == set(after.tolist())


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("site", "elsewhere"),
        ("infusion_date", datetime.date(2019, 1, 1)),
        ("product", "other"),
        ("disease", "other"),
        ("sex", None),
        ("age_years", 33.25),
    ],
)
def test_each_of_what_recognises_a_patient_tells_two_apart(
    table: pd.DataFrame, read: Read, column: str, value: Any
) -> None:
    cohort = read(table, ".parquet")
    before = set(known_by(cohort).tolist())
    if column == "site":
        other = replace(cohort, site=np.full(len(cohort), value, dtype=object))
    elif column == "infusion_date":
        other = replace(cohort, infused=np.full(len(cohort), value, dtype="datetime64[D]"))
    else:
        name = column.removesuffix("_years")
        kind = cohort.columns[name].dtype
        changed = np.full(len(cohort), value, dtype=kind)
        other = replace(cohort, columns={**cohort.columns, name: changed})
    assert not before & set(known_by(other).tolist())


hashes = st.lists(st.integers(0, 12), max_size=12).map(lambda found: np.array(found, np.uint64))


@given(hashes, hashes)
def test_a_place_holds_the_same_patient_and_nobody_who_has_a_double(
    patients: np.ndarray, among: np.ndarray
) -> None:
    found = places(patients, among)
    for hashed, place in zip(patients, found, strict=True):
        single = (patients == hashed).sum() == 1 and (among == hashed).sum() == 1
        assert (place >= 0) == single
        assert place < 0 or among[place] == hashed


def test_a_model_of_no_patient_has_nobody_to_recognise(evidence_run: Run) -> None:
    assert fitted_versions(evidence_run.artefact) == []


def test_an_evaluation_that_recognises_nobody_is_none(cohort_run: Run, tmp_path: Path) -> None:
    artefact, scored = cohort_run.artefact, cohort_run.judgement.scored
    folder = tmp_path / artefact.version
    folder.mkdir()
    save(scored, folder)
    read_back = scored_with(artefact, tmp_path)[artefact.version]
    np.testing.assert_array_equal(read_back.known_by, scored.known_by)
    assert len(set(read_back.known_by.tolist())) == len(scored) == artefact.manifest.cohort.patients
    save(replace(load(folder), known_by=np.empty(0, np.uint64)), folder)
    assert scored_with(artefact, tmp_path) == {}
    assert fitted_versions(artefact) == [artefact.version]
