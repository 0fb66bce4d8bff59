"""A new outcome on real patients by an experiment file alone: death of COVID-19 in hospital.

Not CAR-T, but the same blood results, measured and missing as hospitals measure and miss them.
The patients stay outside the repository; failures show counts, never rows.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data_schemas.cohort_table import Cohort, CohortRefused, Purpose, read_cohort
from data_schemas.outcomes import OUTCOMES
from serving.answer.published_scores import published_scores
from serving.model.artefact import Artefact, load_artefact
from serving.model.store import load_current
from training.experiment import read_experiment
from training.learning.recipes import RECIPES

OUTCOME = "in_hospital_death"
EXPERIMENT = "tongji_in_hospital_death.toml"
PATIENTS, DEATHS = 375, 174
EXTERNAL_PATIENTS, EXTERNAL_DEATHS = 110, 13
ADMISSION = "2020-01-01"
SENTINEL = -1.0
LEAST_POSSIBLE_HEMOGLOBIN_G_L = 20.0
COLUMNS = {
    "crp_mg_l": "High sensitivity C-reactive protein",
    "ferritin_ng_ml": "ferritin",
    "ldh_u_l": "Lactate dehydrogenase",
    "platelets_10e9_l": "Platelet count",
    "creatinine_umol_l": "creatinine",
    "albumin_g_l": "albumin",
    "hemoglobin_g_l": "hemoglobin",
    "anc_10e9_l": "neutrophils count",
    "age_years": "age",
}
"""Column of the contract to column of the source, in the same unit."""

Command = Callable[..., str]


def uncleaned(source: Path) -> pd.DataFrame:
    """Name the columns as the contract does, and change no value."""
    given = pd.read_csv(source / "tongji_covid" / "tongji_first48h_derived.csv")
    table = pd.DataFrame({ours: given[theirs] for ours, theirs in COLUMNS.items()})
    table["sex"] = given["gender"].map({1: "male", 2: "female"})
    table["patient_id"] = given["PATIENT_ID"].astype(str)
    table[f"outcome_{OUTCOME}"] = given["outcome"].map({1: "yes", 0: "no"})
    return as_of_one_hospital(table)


def as_of_one_hospital(table: pd.DataFrame) -> pd.DataFrame:
    words = {"site": "tongji", "product": "other", "disease": "other", "infusion_date": ADMISSION}
    return table.assign(**words)


def cleaned(table: pd.DataFrame) -> pd.DataFrame:
    """Set missing what cannot have been measured: the sentinel, and an impossible haemoglobin."""
    measured = [column for column in COLUMNS if column in table]
    table = table.copy()
    table[measured] = table[measured].mask(table[measured] == SENTINEL)
    impossible = table["hemoglobin_g_l"] < LEAST_POSSIBLE_HEMOGLOBIN_G_L
    table["hemoglobin_g_l"] = table["hemoglobin_g_l"].mask(impossible)
    return table


def auroc(risk: np.ndarray, died: np.ndarray) -> float:
    """Return the share of pairs in which the one who died had the higher risk (Mann-Whitney)."""
    ranks = pd.Series(risk).rank().to_numpy()
    dead = int(died.sum())
    return float((ranks[died == 1].sum() - dead * (dead + 1) / 2) / (dead * (len(died) - dead)))


@pytest.fixture(scope="module")
def cohort_file(real_data: Path, private: Path) -> Path:
    path = private / "tongji.parquet"
    cleaned(uncleaned(real_data)).to_parquet(path)
    return path


@pytest.fixture(scope="module")
def store(cart_risk: Command, cohort_file: Path, experiments: Path, private: Path) -> Path:
    models = private / "models"
    cart_risk("train", experiments / EXPERIMENT, "--cohort", cohort_file, "--models", models)
    return models


@pytest.fixture
def artefact(store: Path) -> Artefact:
    return load_current(store)[OUTCOME]


def test_the_product_does_not_know_this_outcome(experiments: Path) -> None:
    assert OUTCOME not in OUTCOMES
    rooms = [experiments.parent / room for room in ("data_schemas", "serving", "training")]
    naming_it = [f for room in rooms for f in room.rglob("*.py") if OUTCOME in f.read_text("utf-8")]
    assert naming_it == []
    experiment = read_experiment(experiments / EXPERIMENT)
    assert not experiment.anchor.evidence
    assert RECIPES[experiment.learner.name].tree_weight > 0


def test_uncleaned_table_is_refused_by_row_number_and_never_by_value(real_data: Path) -> None:
    with pytest.raises(CohortRefused) as refused:
        read_cohort(uncleaned(real_data), Purpose.SCORING)
    found = {v.column: len(v.rows) for v in refused.value.violations}
    assert refused.value.rules == {"outside_limits"}
    assert found == {"platelets_10e9_l": 3, "hemoglobin_g_l": 9}
    said = str(refused.value)
    assert "must lie between 0 and 3000" in said
    assert str(SENTINEL) not in said


def test_model_is_fitted_on_all_patients_and_says_so(artefact: Artefact) -> None:
    said = artefact.manifest.cohort
    assert said.patients == said.real_patients == PATIENTS
    assert said.simulated_patients == 0
    assert said.events == DEATHS
    assert artefact.manifest.evidence.rows == 0
    assert artefact.manifest.outcome.name == OUTCOME
    assert f"{DEATHS} events: local deviation fitted" in artefact.manifest.local_deviation


def test_cross_validation_separates_and_is_calibrated(artefact: Artefact) -> None:
    measures = {m.name: m for m in artefact.manifest.performance}
    assert measures["auroc"].patients == PATIENTS
    assert "cross-validation, real patients" in measures["auroc"].on
    assert measures["auroc"].value > 0.85
    assert 0.8 <= measures["calibration_slope"].value <= 1.25
    assert 0.9 <= measures["observed_over_expected"].value <= 1.1


def test_artefact_is_verified_when_reloaded(artefact: Artefact) -> None:
    again = load_artefact(artefact.folder, artefact.sha256)
    assert again.version == artefact.version
    assert again.manifest == artefact.manifest


def test_scores_have_intervals_and_statuses(
    cart_risk: Command, cohort_file: Path, store: Path, private: Path
) -> None:
    out = private / "scored.csv"
    cart_risk("score", "--cohort", cohort_file, "--out", out, "--models", store)
    scored = pd.read_csv(out)
    status = scored[f"{OUTCOME}_status"]
    has_risk = scored[OUTCOME].notna()
    assert len(scored) == PATIENTS
    assert set(status) == {"caution", "insufficient_data"}
    assert int((has_risk != (status == "caution")).sum()) == 0
    assert int(has_risk.sum()) > 0.9 * PATIENTS
    low, risk, high = (scored.loc[has_risk, OUTCOME + end] for end in ("_low", "", "_high"))
    disordered = ~((low > 0) & (low < risk) & (risk < high) & (high < 1))
    assert int(disordered.sum()) == 0
    patients = pd.read_parquet(cohort_file)
    unmeasured = patients[[c for c in COLUMNS if c != "age_years"]].isna().all(axis=1)
    assert int(unmeasured.sum()) > 0
    assert int((has_risk & unmeasured).sum()) == 0
    died = (patients[f"outcome_{OUTCOME}"] == "yes")[has_risk]
    assert auroc(risk.to_numpy(), died.to_numpy().astype(float)) > 0.85


def test_easix_agrees_with_arithmetic_on_the_source_units(
    real_data: Path, cohort_file: Path
) -> None:
    given = pd.read_csv(real_data / "tongji_covid" / "tongji_first48h_derived.csv")
    ldh, creatinine_umol_l, platelets = (
        given[COLUMNS[c]].to_numpy() for c in ("ldh_u_l", "creatinine_umol_l", "platelets_10e9_l")
    )
    arithmetic = ldh * (creatinine_umol_l / 88.4) / platelets
    # The trap of the source: its sentinel makes EASIX negative where it is not cleaned.
    assert int((arithmetic < 0).sum()) == 3
    complete = np.flatnonzero(arithmetic > 0)
    assert len(complete) > 300
    cohort = read_cohort(cohort_file, Purpose.SCORING)
    ours = np.array([easix_of(cohort, i) for i in complete])
    assert np.abs(ours / arithmetic[complete] - 1).max() < 1e-12


def easix_of(cohort: Cohort, row: int) -> float:
    columns = cohort.columns()
    values = {name: float(columns[name][row]) for name in ("ldh", "creatinine", "platelets")}
    (easix,) = (s for s in published_scores(values) if s.name == "easix")
    assert easix.value is not None
    return easix.value


def external_table(source: Path) -> pd.DataFrame:
    """First LDH and CRP within 48 h of admission; a patient's number stands on the first row."""
    rows = pd.read_excel(source / "tongji_covid" / "time_series_test_110_preprocess_en.xlsx")
    rows["PATIENT_ID"] = rows["PATIENT_ID"].ffill().astype(int)
    early = rows[rows["RE_DATE"] <= rows["Admission time"] + pd.Timedelta(hours=48)]
    given = early.groupby("PATIENT_ID").first()
    died = rows.groupby("PATIENT_ID")["outcome"].first()
    table = given.reindex(died.index)[[COLUMNS["ldh_u_l"], COLUMNS["crp_mg_l"]]]
    table.columns = ["ldh_u_l", "crp_mg_l"]
    table[f"outcome_{OUTCOME}"] = died.map({1: "yes", 0: "no"})
    return as_of_one_hospital(table.reset_index(names="patient_id"))


def test_external_patients_are_separated_by_ldh_and_crp_alone(
    cart_risk: Command, real_data: Path, cohort_file: Path, experiments: Path, private: Path
) -> None:
    pytest.importorskip("openpyxl")
    text = (experiments / EXPERIMENT).read_text("utf-8")
    listed = text[text.index("predictors") : text.index("seed")]
    smaller = private / "ldh_and_crp.toml"
    smaller.write_text(text.replace(listed, 'predictors = ["ldh", "crp"]\n'), "utf-8")
    models = private / "models_of_ldh_and_crp"
    cart_risk("train", smaller, "--cohort", cohort_file, "--models", models)

    table = external_table(real_data)
    external, unscored = private / "external.csv", private / "external_scored.csv"
    table.to_csv(external, index=False)
    cart_risk("score", "--cohort", external, "--out", unscored, "--models", models)
    # Their age is not in the file, and without an age no number is given, whatever the model uses.
    status = pd.read_csv(unscored)[f"{OUTCOME}_status"]
    assert status.value_counts().to_dict() == {"insufficient_data": EXTERNAL_PATIENTS}

    cohort = read_cohort(table, Purpose.SCORING)
    measured = table[["ldh_u_l", "crp_mg_l"]].notna().all(axis=1).to_numpy()
    log_odds = load_current(models)[OUTCOME].model.predict(cohort.columns()).logit
    died = (table[f"outcome_{OUTCOME}"] == "yes").to_numpy().astype(float)
    assert died.sum() == EXTERNAL_DEATHS
    assert auroc(log_odds[measured], died[measured]) > 0.85
