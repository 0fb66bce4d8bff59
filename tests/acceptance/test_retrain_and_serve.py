"""A centre's whole year: train on a cohort, score, promote, serve, retrain, roll back, withdraw."""

import re
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from data_schemas.predictors import PREDICTORS, Quantity
from serving.model.store import load_current

OUTCOMES = ("severe_crs", "severe_icans")
PATIENTS = 500
CENTRES = 4

Command = Callable[..., str]
Serve = Callable[[Path], AbstractContextManager[Any]]


@dataclass(frozen=True)
class Year:
    """The tables of one year, and the store of the models trained on them."""

    table: Path
    truth: Path
    store: Path


def simulate(cart_risk: Command, out: Path, seed: int) -> Path:
    cart_risk("simulate", "--out", out, "--n", PATIENTS, "--sites", CENTRES, "--seed", seed)
    return out


@pytest.fixture(scope="module")
def first_year(cart_risk: Command, quick_experiments: Path, workplace: Path) -> Year:
    table = simulate(cart_risk, workplace / "first.parquet", 11)
    store = workplace / "models_of_first_year"
    for outcome in OUTCOMES:
        experiment = quick_experiments / f"{outcome}.toml"
        cart_risk("train", experiment, "--cohort", table, "--models", store)
    return Year(table, workplace / "first.truth.parquet", store)


@pytest.fixture(scope="module")
def scored(cart_risk: Command, first_year: Year, workplace: Path) -> pd.DataFrame:
    out = workplace / "scored.parquet"
    cart_risk("score", "--cohort", first_year.table, "--out", out, "--models", first_year.store)
    return pd.read_parquet(out)


def test_training_with_models_makes_both_outcomes_current(first_year: Year) -> None:
    current = load_current(first_year.store)
    assert set(current) == set(OUTCOMES)
    for artefact in current.values():
        said = artefact.manifest.cohort
        assert said.real_patients == 0
        assert 0.9 * PATIENTS < said.simulated_patients <= PATIENTS
        assert said.sites == CENTRES


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_every_patient_has_a_status_and_a_risk_only_where_it_allows_one(
    scored: pd.DataFrame, outcome: str
) -> None:
    assert len(scored) == PATIENTS
    status = scored[f"{outcome}_status"]
    # Fitted on simulated patients, so no answer may be unreserved.
    assert set(status) <= {"caution", "insufficient_data"}
    has_risk = scored[outcome].notna()
    assert (has_risk == (status == "caution")).all()
    assert has_risk.mean() > 0.9
    low, risk, high = (scored.loc[has_risk, outcome + end] for end in ("_low", "", "_high"))
    assert ((low > 0) & (low < risk) & (risk < high) & (high < 1)).all()


def expected_log_loss(risk: np.ndarray, truth: np.ndarray) -> float:
    return float(-(truth * np.log(risk) + (1 - truth) * np.log1p(-risk)).mean())


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_risks_are_nearer_to_the_truth_than_the_rate_of_the_product(
    first_year: Year, scored: pd.DataFrame, outcome: str
) -> None:
    patients = pd.read_parquet(first_year.table)
    truth = pd.read_parquet(first_year.truth)
    assert (scored["patient_id"] == truth["patient_id"]).all()
    cells = load_current(first_year.store)[outcome].model.cells
    rates = {(cell.product, cell.disease): cell.base_rate for cell in cells}
    pairs = zip(patients["product"], patients["disease"], strict=True)
    rate = np.array([rates[pair] for pair in pairs])
    kept = scored[outcome].notna().to_numpy()
    true_risk = truth[outcome].to_numpy()[kept]
    best = expected_log_loss(true_risk, true_risk)
    of_model = expected_log_loss(scored[outcome].to_numpy()[kept], true_risk) - best
    of_rate = expected_log_loss(rate[kept], true_risk) - best
    assert 0 < of_model < of_rate


def rest_request(row: pd.Series) -> dict[str, Any]:
    """Say in the REST contract what a row of the cohort table says."""
    body: dict[str, Any] = {"infusion_date": row["infusion_date"].date().isoformat()}
    for name, declared in PREDICTORS.items():
        columns = declared.columns(name) if isinstance(declared, Quantity) else {name: ""}
        for column, unit in columns.items():
            if column not in row or pd.isna(row[column]):
                continue
            body[name] = {"value": float(row[column]), "unit": unit} if unit else row[column]
            measured_at = row.get(f"{name}_measured_at")
            if unit and not pd.isna(measured_at):
                body[name]["measured_at"] = measured_at.date().isoformat()
    return body


def assert_service_answers_as(
    batch: pd.DataFrame, table: Path, service: Any, version: str, rows: list[int]
) -> None:
    patients = pd.read_parquet(table)
    for i in rows:
        response = service.assess(rest_request(patients.iloc[i]))
        assert response.status_code == 200, response.text
        answer = response.json()
        (risk,) = answer["outcomes"]
        in_batch = batch.iloc[i]
        assert risk["status"] == in_batch["severe_crs_status"]
        assert risk["model"]["version"] == version
        assert risk["model"]["fitted_on_real_patients"] == 0
        assert risk["model"]["fitted_on_simulated_patients"] > 0
        codes = {caution["code"] for caution in answer["cautions"]}
        assert "fitted_on_simulated_patients" in codes
        if np.isnan(in_batch["severe_crs"]):
            assert "risk" not in risk
            continue
        assert risk["risk"] == pytest.approx(in_batch["severe_crs"], rel=0, abs=1e-9)
        for end in ("low", "high"):
            expected = in_batch[f"severe_crs_{end}"]
            assert risk["interval"][end] == pytest.approx(expected, rel=0, abs=1e-9)
        assert any("simulated patients" in reason for reason in risk["reasons"])


def registered_version(said: str) -> str:
    found = re.search(r"severe_crs[/\\]([0-9a-f]{12}), registered", said.replace("\n", ""))
    assert found is not None, said
    return found[1]


def wait_for_status(service: Any, status: int) -> bool:
    """Wait until the service is ready, or is not; it looks at its store once a second."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if service.client.get("/readyz").status_code == status:
            return True
        time.sleep(0.1)
    return False


def test_retrained_model_is_promoted_serves_and_is_rolled_back(
    cart_risk: Command,
    serving: Serve,
    quick_experiments: Path,
    first_year: Year,
    scored: pd.DataFrame,
    workplace: Path,
) -> None:
    in_service = workplace / "models" / "in_service"
    experiment = quick_experiments / "severe_crs.toml"

    first = registered_version(cart_risk("train", experiment, "--cohort", first_year.table))
    assert not (in_service / "severe_crs").exists(), "training alone must not change what answers"
    again = load_current(first_year.store)["severe_crs"].version
    assert first == again, "the same table and experiment must give the same model"
    refused = cart_risk("promote", "severe_crs", "--reason", "first local model", status=1)
    assert "too few refits" in refused, "so few repetitions cannot show that a model is stable"
    signed = ("--override", "--who", "A. Tester")
    cart_risk("promote", "severe_crs", "--reason", "first local model", *signed)
    listed = cart_risk("models")
    assert first in listed
    assert "champion" in listed

    no_risk = np.flatnonzero(scored["severe_crs"].isna())[:2]
    rows = [0, 1, 2, 3, 4, *map(int, no_risk)]
    with serving(in_service) as service:
        assert_service_answers_as(scored, first_year.table, service, first, rows)

    table = simulate(cart_risk, workplace / "second.parquet", 12)
    second = registered_version(cart_risk("train", experiment, "--cohort", table))
    assert second != first
    promoted = cart_risk("promote", "severe_crs", "--reason", "second year", *signed)
    assert f"{second} answers now (before: {first})" in promoted
    assert load_current(in_service)["severe_crs"].version == second

    rolled_back = cart_risk("rollback", "severe_crs", "--reason", "too few events this year")
    assert f"{first} answers again (before: {second})" in rolled_back
    with serving(in_service) as service:
        assert_service_answers_as(scored, first_year.table, service, first, rows[:2])
        who = ("--who", "A. Tester")
        withdrawn = cart_risk("withdraw", "severe_crs", "--reason", "none is good enough", *who)
        assert f"no version answers now (before: {first})" in withdrawn
        assert wait_for_status(service, 503), "taken out without a restart"
        told = service.client.get("/v1/model/history").json()
        assert told["intact"]
        assert [line["act"] for line in told["history"]] == [
            *2 * ["promote"],
            "rollback",
            "withdraw",
        ]
        cart_risk("rollback", "severe_crs", "--reason", "it is")
        assert wait_for_status(service, 200)
    ledger = (in_service / "promotions.jsonl").read_text("utf-8").splitlines()
    assert len(ledger) == 5
