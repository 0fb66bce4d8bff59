"""A centre closes the loop: it assesses, reports outcomes, exports, judges and updates."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from serving.model.store import load_current
from tests.acceptance.test_retrain_and_serve import rest_request
from training.simulation.synthetic_cohort import simulate

Command = Callable[..., str]
Serve = Callable[..., AbstractContextManager[Any]]
OUTCOME = "severe_icans"
ERASED, UNTOLD = 0, 1
"""Patients, by row: one who will be erased, and one of whom nothing is reported."""


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """A centre where every risk is far higher than published."""
    found = simulate(160, 1, 31, truth="shifted").table
    known = found[found["icans_grade"].notna() & found["crs_grade"].notna()]
    return known.reset_index(drop=True)


@pytest.fixture(scope="module")
def experiment(workplace: Path) -> Path:
    """Of seconds: without trees, judged on few repetitions."""
    path = workplace / f"{OUTCOME}.toml"
    path.write_text(
        'predictors = ["crp", "ferritin", "ldh", "platelets", "age"]\nseed = 3\n'
        f'[outcome]\nname = "{OUTCOME}"\n[learner]\nname = "anchored_ridge"\n'
        "[validation]\nfolds = 2\nrepeats = 1\nbootstrap_refits = 3\n"
        "simulated_centres = 1\nsimulated_patients = 120\n",
        "utf-8",
    )
    return path


@pytest.fixture(scope="module")
def in_service(cart_risk: Command, experiment: Path, workplace: Path) -> Path:
    store = workplace / "models" / "in_service"
    cart_risk("log-key", "--if-missing")
    cart_risk("train", experiment)
    signed = ("--override", "--who", "Dr A. Nobody")
    cart_risk("promote", OUTCOME, "--reason", "to be judged by its own answers", *signed)
    return store


def the_same_log(workplace: Path) -> dict[str, str]:
    """Where the commands look for the log unless they are told otherwise."""
    return {
        "CART_RISK_LOG_URL": f"sqlite:///{workplace}/log/assessments.sqlite",
        "CART_RISK_LOG_KEY_FILE": str(workplace / "log" / "site.key"),
    }


@pytest.fixture(scope="module")
def exported(
    cart_risk: Command, serving: Serve, table: pd.DataFrame, in_service: Path, workplace: Path
) -> Path:
    """Everybody was assessed, and all but one had outcomes; one outcome was corrected."""
    with serving(in_service, settings=the_same_log(workplace)) as service:
        items = [rest_request(row) | {"reference": f"p-{i}"} for i, row in table.iterrows()]
        answer = service.client.post("/v1/assess/batch", json={"items": items}).json()
        ids = [item["assessment"]["assessment_id"] for item in answer["items"]]

        def report(id: str, crs: float, icans: float) -> None:
            grades = {"crs_grade": int(crs), "icans_grade": int(icans)}
            told = {"assessment_id": id, "grading_scale": "ASTCT 2019", "follow_up_days": 40}
            response = service.client.post("/v1/outcomes", json=told | grades)
            assert response.status_code == 201, response.text

        for i, row in table.iterrows():
            if i != UNTOLD:
                report(ids[int(i)], 5 - row["crs_grade"], 5 - row["icans_grade"])
                report(ids[int(i)], row["crs_grade"], row["icans_grade"])
    cart_risk("log-erase", "--assessment", ids[ERASED])
    out = workplace / "local.csv"
    said = cart_risk("log-cohort", "--out", out, "--site", "here", "--simulated")
    assert f"{len(table) - 2} patients with reported outcomes" in said
    return out


def test_the_file_holds_each_patient_once_by_the_last_report(
    exported: Path, table: pd.DataFrame
) -> None:
    found, told = pd.read_csv(exported), table.drop(index=[ERASED, UNTOLD])
    assert found["patient_id"].is_unique
    assert found["product"].tolist() == told["product"].tolist()
    for column in ("crs_grade", "icans_grade", "ferritin_ng_ml", "age_years"):
        assert found[column].tolist() == pytest.approx(told[column].tolist(), nan_ok=True)


def test_it_judges_the_model_in_service(cart_risk: Command, exported: Path) -> None:
    said = cart_risk("evaluate", "--model", OUTCOME, "--cohort", exported)
    assert f"{OUTCOME}: Does not keep " in said
    assert "an update would be: Bayesian intercept" in said


def test_it_updates_the_model_in_service(
    cart_risk: Command, exported: Path, in_service: Path, table: pd.DataFrame, workplace: Path
) -> None:
    updated, parent = workplace / "updated", load_current(in_service)[OUTCOME]
    place = ("--models", updated)
    said = cart_risk("recalibrate", "--model", parent.folder, "--cohort", exported, *place)
    assert "updated: Bayesian intercept" in said
    (step,) = load_current(updated)[OUTCOME].manifest.lineage
    assert step.parent_version == parent.version
    assert step.patients == len(table) - 2
    assert step.real_patients == 0


def test_a_model_is_trained_on_it(
    cart_risk: Command, exported: Path, experiment: Path, workplace: Path
) -> None:
    store = workplace / "trained_here"
    cart_risk("train", experiment, "--cohort", exported, "--models", store)
    assert load_current(store)[OUTCOME].manifest.cohort.is_simulated
