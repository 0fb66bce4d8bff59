"""What an operator sees is named in closed lists, and the dashboard asks for nothing else."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from serving.doors.metrics import count_up, exposition, forget_dead_workers
from serving.ward import Ward
from tests.conftest import Body
from tests.running_service import ROOT, Running
from tests.serving.at_the_door import client_of

OPERATIONS = ROOT / "docs" / "operations"


def value(name: str, **labels: str) -> float:
    count_up()
    for line in exposition().decode().splitlines():
        found = re.fullmatch(rf"{name}(?:\{{(.*)\}})? (\S+)", line)
        if found and dict(re.findall(r'(\w+)="([^"]*)"', found[1] or "")) == labels:
            return float(found[2])
    return 0.0


def test_an_assessment_counts_its_status_cautions_and_missing_predictors(
    ward: Ward, patient: Body
) -> None:
    del patient["albumin"]
    with client_of(ward) as client:
        before = {
            "missing": value("cart_risk_missing_total", predictor="albumin"),
            "answers": value(
                "cart_risk_requests_total", route="/v1/assess", method="POST", status="200"
            ),
            "logged": value("cart_risk_log_commit_seconds_count"),
        }
        answer = client.post("/v1/assess", json=patient).json()
        status = value("cart_risk_assessments_total", status=answer["status"])
        assert status >= 1
        assert value("cart_risk_missing_total", predictor="albumin") == before["missing"] + 1
        assert value("cart_risk_log_commit_seconds_count") == before["logged"] + 1
        assert (
            value("cart_risk_requests_total", route="/v1/assess", method="POST", status="200")
            == before["answers"] + 1
        )
        for caution in answer["cautions"]:
            assert value("cart_risk_cautions_total", code=caution["code"]) >= 1


def test_what_a_caller_sends_never_becomes_a_series(ward: Ward) -> None:
    with client_of(ward) as client:
        before = len(exposition().splitlines())
        for i in range(300):
            client.get(f"/MRN-{i}")
            client.get(f"/v1/assessments/MRN-{i}")
            client.request(f"MRN{i}", "/v1/assess")
        text = exposition().decode()
        assert "MRN" not in text
        assert len(text.splitlines()) < before + 100


def test_the_dashboard_and_the_manual_know_the_metrics_that_there_are(client_metrics: str) -> None:
    served = set(re.findall(r"^# TYPE (cart_risk_\w+)", client_metrics, flags=re.M))
    dashboard = json.loads((OPERATIONS / "grafana.json").read_text("utf-8"))
    asked = {
        name
        for panel in dashboard["panels"]
        for target in panel["targets"]
        for name in re.findall(r"cart_risk_\w+", target["expr"])
    }
    assert {name.removesuffix("_bucket") for name in asked} <= served
    manual = set(re.findall(r"`(cart_risk_\w+)`", (OPERATIONS / "README.md").read_text("utf-8")))
    assert manual == {name for name in served if not name.endswith("_created")}


@pytest.fixture
def client_metrics(running: Running, patient: Body) -> str:
    running.client.post("/v1/assess", json={"product": "other", "disease": "LBCL",
                                            "age": {"value": 50, "unit": "a"}})  # fmt: skip
    running.client.post("/v1/assess", json=patient | {"ldh_uln": None})
    return running.client.get("/metrics").text


def test_metrics_of_the_library_are_there(ward: Ward) -> None:
    client: TestClient
    with client_of(ward) as client:
        response = client.get("/metrics")
        assert response.headers["content-type"].startswith("text/plain")


def test_what_a_killed_worker_said_last_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with subprocess.Popen(["true"]) as ended:
        pass
    ours, theirs = (tmp_path / f"gauge_livemax_{pid}.db" for pid in (os.getpid(), ended.pid))
    counted = tmp_path / f"counter_{ended.pid}.db"
    for file in (ours, theirs, counted):
        file.touch()
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    forget_dead_workers()
    assert sorted(tmp_path.iterdir()) == sorted([ours, counted])


def test_a_worker_that_could_not_start_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = tmp_path / "metrics"
    folder.mkdir()
    nobody_could_ask = {
        "PROMETHEUS_MULTIPROC_DIR": str(folder),
        "CART_RISK_KEYS": str(tmp_path / "keys.json"),
    }
    worker = subprocess.run(
        [sys.executable, "-c", "import serving.service"],
        env=os.environ | nobody_could_ask,
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert "no valid key" in worker.stderr
    assert list(folder.iterdir()) == []


def test_what_a_worker_counted_outlives_it(tmp_path: Path) -> None:
    code = (
        "from serving.doors.metrics import count_answer, leave_nothing_uncounted; "
        "count_answer('/livez', 'GET', 200, 0.001); leave_nothing_uncounted()"
    )
    subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)},
        cwd=ROOT,
        check=True,
    )
    kinds = sorted(left.name.partition("_")[0] for left in tmp_path.iterdir())
    assert kinds == ["counter", "histogram"]


def test_a_killed_worker_whose_number_another_user_has_by_now_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = tmp_path / "gauge_livemax_4321.db"
    left.touch()

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    forget_dead_workers()
    assert not left.exists()
