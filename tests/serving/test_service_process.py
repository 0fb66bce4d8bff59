"""The running service: ready only with verified models, and silent about every patient."""

import json
import re
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from data_schemas.predictors import PREDICTORS
from serving.api_keys import KeyFile, Scope
from serving.model.artefact import MODEL_FILE
from serving.model.store import make_current
from serving.openapi import openapi_document
from tests.conftest import Body, Store
from tests.running_service import ROOT, Running, served

CANARY = "MRN4711Kowalski"


def test_the_service_is_ready_with_verified_models(running: Running) -> None:
    assert running.client.get("/readyz").status_code == 200
    assert running.client.get("/livez").status_code == 200


def test_a_patient_is_assessed(running: Running, patient: Body, evidence_store: Store) -> None:
    response = running.client.post("/v1/assess", json=patient)
    assert response.status_code == 200
    versions = {outcome["model"]["sha256"] for outcome in response.json()["outcomes"]}
    assert versions == {artefact.sha256 for artefact in evidence_store.artefacts.values()}


def test_every_request_is_counted(running: Running, patient: Body) -> None:
    def counted() -> dict[str, float]:
        text = running.client.get("/metrics").text
        found = re.findall(
            r'requests_total\{method="POST",route="/v1/assess",status="(\d+)"\} (\S+)', text
        )
        return {code: float(count) for code, count in found}

    before = counted()
    for content in (json.dumps(patient), json.dumps(patient), "{", "{}"):
        running.client.post("/v1/assess", content=content)
    more = {code: count - before.get(code, 0) for code, count in counted().items()}
    assert {code: count for code, count in more.items() if count} == {"200": 2, "400": 1, "422": 1}


def test_the_page_and_the_document_are_ours(running: Running) -> None:
    page = running.client.get("/").text
    assert 'src="page.js"' in page or 'src="/page.js"' in page
    assert "googletagmanager" not in page
    assert "https://" not in page
    document = running.client.get("/docs.json").json()
    assert document["openapi"].startswith("3.1")
    for path, operations in document["paths"].items():
        if "get" in operations and "{" not in path:
            assert running.client.get(path).status_code == 200, path


@pytest.mark.parametrize("path", ["/nowhere", "/v1", "/assets/index.html", "/static_content/x"])
def test_an_unknown_path_is_a_problem_in_our_own_dialect(running: Running, path: str) -> None:
    response = running.client.get(path)
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"


def test_another_method_is_a_problem_in_our_own_dialect(running: Running) -> None:
    response = running.client.get("/v1/assess")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert response.headers["content-type"] == "application/problem+json"


def test_nothing_that_was_sent_is_ever_printed_or_repeated(running: Running, patient: Body) -> None:
    number = 4711.4711
    bodies = [
        f'{{"{CANARY}": ',
        f"{CANARY}",
        json.dumps(CANARY),
        json.dumps([CANARY]),
        json.dumps(patient | {CANARY: 1}),
        json.dumps(patient | {"mrn": CANARY, "infusion_date": CANARY}),
        json.dumps(patient | {"crp": {"value": number, "unit": "mg/L"}}),
        json.dumps(patient | {"crp": {"value": 84, "unit": CANARY}}),
        json.dumps(patient | {"crp": {"value": CANARY, "unit": "mg/L", CANARY: CANARY}}),
        json.dumps(patient | {"crp": {"value": 84, "unit": "mg/L", "measured_at": CANARY}}),
        *(json.dumps(patient | {name: CANARY}) for name in PREDICTORS),
        CANARY * 10_000,
        "[" * 30_000 + CANARY,
    ]
    for body in bodies:
        response = running.client.post("/v1/assess", content=body, headers={"x-patient": CANARY})
        assert response.status_code in (400, 413, 422)
        assert CANARY not in response.text
        assert str(number) not in response.text
    accepted = patient | {"ferritin": {"value": number, "unit": "ng/mL"}}
    assert running.client.post("/v1/assess", json=accepted).status_code == 200
    printed = running.output.read_text("utf-8")
    assert "Service cart-risk initialized" in printed
    assert CANARY not in printed
    assert str(number) not in printed
    assert "Traceback" not in printed
    assert CANARY not in running.client.get("/metrics").text


def test_no_route_prints_repeats_or_counts_what_it_was_sent(
    running: Running, patient: Body
) -> None:
    """The canary in every path, query, header and body of every operation."""
    marks = dict.fromkeys(("x-patient", "user-agent", "referer", "x-request-id"), CANARY)
    marks |= {"cookie": f"mrn={CANARY}", "origin": f"https://{CANARY}.example", "accept": CANARY}
    keys = ({}, {"authorization": f"Bearer {CANARY}"}, {"authorization": CANARY})
    bodies = (
        json.dumps(patient | {"reference": CANARY}),
        json.dumps(patient | {"reference": f"{CANARY} x"}),
        json.dumps({"items": [patient | {"mrn": CANARY}, CANARY, {CANARY: CANARY}]}),
        json.dumps({"patient": patient, "changes": {CANARY: CANARY, "sex": CANARY}}),
        json.dumps({"assessment_id": CANARY, "grading_scale": CANARY, CANARY: 1}),
        f'{{"{CANARY}":1,"{CANARY}":2}}',
        CANARY,
    )
    types = ("application/json", "application/x-ndjson", f"text/{CANARY}", CANARY)
    paths = [path.replace("{id}", CANARY) for path in openapi_document()["paths"]]
    for path in (*paths, "/", f"/{CANARY}", f"/v1/{CANARY}/x"):
        for method in ("GET", "POST", CANARY):
            for i, body in enumerate(bodies):
                headers = marks | keys[i % 3] | {"content-type": types[i % 4]}
                response = running.client.request(
                    method, f"{path}?name={CANARY}", content=body, headers=headers
                )
                assert response.status_code < 500
                assert CANARY not in response.text
                assert CANARY not in str(response.headers)
    assert CANARY not in running.client.get("/metrics").text
    assert CANARY not in running.output.read_text("utf-8")
    kept = [path for path in running.output.parent.rglob("*") if path.is_file()]
    assert any(path.suffix == ".sqlite" for path in kept)
    assert [path.name for path in kept if CANARY.encode() in path.read_bytes()] == []


def test_promotions_under_load_fail_no_request(
    evidence_store: Store, fitted_store: Store, tmp_path: Path, patient: Body
) -> None:
    store = tmp_path / "store"
    shutil.copytree(evidence_store.root, store)
    seen: set[str] = set()
    statuses: set[int] = set()
    wanted = {a.sha256 for s in (evidence_store, fitted_store) for a in s.artefacts.values()}

    def ask(running: Running) -> None:
        with httpx.Client(base_url=running.url, headers=running.client.headers) as client:
            while not stopped.is_set():
                response = client.post("/v1/assess", json=patient, timeout=30)
                statuses.add(response.status_code)
                seen.update(one["model"]["sha256"] for one in response.json()["outcomes"])

    stopped = threading.Event()
    with served(store, tmp_path) as running, ThreadPoolExecutor(16) as callers:
        asked = [callers.submit(ask, running) for _ in range(16)]
        try:
            for promoted in (fitted_store, evidence_store, fitted_store):
                for artefact in promoted.artefacts.values():
                    make_current(store, artefact)
                now = {name: a.sha256 for name, a in promoted.artefacts.items()}
                assert answers_from(running, now)
        finally:
            stopped.set()
        for one in asked:
            one.result()
    assert statuses == {200}
    assert seen == wanted


def answers_from(running: Running, models: dict[str, str]) -> bool:
    """Wait until these models answer; the service looks once a second."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if running.client.get("/readyz").json()["models"] == models:
            return True
        time.sleep(0.05)
    return False


def test_a_tampered_store_keeps_the_service_alive_and_closed(
    evidence_store: Store, tmp_path: Path, patient: Body
) -> None:
    store = tmp_path / "store"
    shutil.copytree(evidence_store.root, store)
    path = next(store.rglob(MODEL_FILE))
    path.write_bytes(path.read_bytes().replace(b"0", b"1", 1))
    with served(store, tmp_path) as closed:
        assert closed.client.get("/readyz").status_code == 503
        assert closed.client.get("/livez").status_code == 200
        for response in (
            closed.client.post("/v1/assess", json=patient),
            closed.client.get("/v1/model"),
        ):
            assert response.status_code == 503
            assert MODEL_FILE in response.json()["detail"]


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("CART_RISK_KEYS", "none.json", "no valid key in none.json"),
        ("CART_RISK_WORKERS", "many", "CART_RISK_WORKERS must be a number of at least 1"),
        ("CART_RISK_OIDC_ISSUER", "https://id", "needs CART_RISK_OIDC_AUDIENCE"),
        ("CART_RISK_LOG_URL", "mysql://log", "CART_RISK_LOG_URL begins with mysql"),
        ("CART_RISK_LOG_KEY_FILE", "none.key", "make one with `cart-risk log-key`"),
    ],
)
def test_a_service_that_nobody_could_ask_or_that_is_set_wrongly_does_not_start(
    tmp_path: Path, setting: str, value: str, said: str
) -> None:
    KeyFile(tmp_path / "models" / "keys.json").add("test", [Scope.ASSESS])
    run = subprocess.run(
        [sys.executable, "-m", "bentoml", "serve", "serving.service:RiskService"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "BENTOML_HOME": str(tmp_path), "PATH": "", setting: value},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode != 0
    assert said in run.stdout + run.stderr
    assert "Traceback" not in run.stdout + run.stderr
