"""The REST door: one dialect for refusals, nothing repeated, nothing undocumented."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from data_schemas.patient_request import read_patient
from data_schemas.predictors import PREDICTORS, REQUIRED, Quantity
from serving.assess import assess
from serving.doors import assessor
from serving.doors.one_patient import MOST_BODY_BYTES
from serving.model.artefact import MODEL_FILE, VERDICT_FILE
from serving.model.store import CURRENT_FILE, load_current, make_current
from serving.model.tumour_burden import SOURCES
from serving.openapi import openapi_document
from serving.ward import Ward
from tests.conftest import Body, Store
from tests.serving.at_the_door import SECURITY, client_of

ROUNDING = 1e-12
BEST_MEASURES = {names[0] for names in SOURCES.values()}
CANARY = "MRN-4711-Kowalski"


@pytest.fixture(scope="module")
def client(ward: Ward) -> Iterator[TestClient]:
    with client_of(ward) as client:
        yield client


@pytest.fixture(scope="module")
def closed() -> Iterator[TestClient]:
    with client_of(Ward(refusal="a model in service was refused: model.json")) as client:
        yield client


def problem(response: httpx.Response, status: int) -> dict[str, Any]:
    """Check the dialect and return the problem."""
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert set(body) == {"type", "title", "status", "code", "detail", "problems"}
    assert body["status"] == status
    assert all(name in response.headers for name in SECURITY)
    assert CANARY not in response.text
    return body


# --- answers ----------------------------------------------------------------------------------


def test_a_patient_is_assessed_as_without_the_door(
    client: TestClient, ward: Ward, patient: Body
) -> None:
    response = client.post("/v1/assess", json=patient)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert all(name in response.headers for name in SECURITY)
    direct = assess(read_patient(patient), ward.artefacts, ward.evidence)
    answer = response.json()
    assert UUID(answer.pop("assessment_id")).version == 7
    assert datetime.fromisoformat(answer.pop("assessed_at")).tzinfo is not None
    assert answer == direct.model_dump(mode="json", exclude_none=True)


def test_simulated_patients_are_answered_over_http(fitted_ward: Ward, bodies: list[Body]) -> None:
    with client_of(fitted_ward) as client:
        for body in bodies[::50]:
            response = client.post("/v1/assess", json=body)
            assert response.status_code == 200
            for outcome in (o for o in response.json()["outcomes"] if "risk" in o):
                explanation = outcome["explanation"]
                added = sum(c["log_odds"] for c in explanation["contributions"])
                assert explanation["base"] + added == pytest.approx(explanation["total"], abs=1e-6)


def amounts(unit: str, low: float, high: float) -> st.SearchStrategy[Body]:
    return st.builds(lambda value: {"value": value, "unit": unit}, st.floats(low, high))


PATIENTS = st.fixed_dictionaries(
    {
        "product": st.sampled_from(["axicabtagene_ciloleucel", "tisagenlecleucel"]),
        "disease": st.just("LBCL"),
        "age": amounts("a", 20, 85),
        "crp": amounts("mg/L", 1, 200),
        "ferritin": amounts("ng/mL", 50, 5000),
        "ldh": amounts("U/L", 120, 1200),
        "platelets": amounts("10*9/L", 20, 300),
        "creatinine": amounts("mg/dL", 0.5, 2),
        "mtv": amounts("mL", 5, 1000),
    }
)


@pytest.mark.parametrize("of", ["ward", "fitted_ward"])
def test_either_and_both_agree_with_each_for_any_patient(
    request: pytest.FixtureRequest, of: str
) -> None:
    answering: Ward = request.getfixturevalue(of)
    joined = []
    with client_of(answering) as client:

        @settings(max_examples=100, deadline=None, derandomize=True)
        @given(PATIENTS)
        def agrees(patient: Body) -> None:
            response = client.post("/v1/assess", json={"infusion_date": "2026-03-10", **patient})
            assert response.status_code == 200
            answer = response.json()
            risks = {one["outcome"]: one["risk"] for one in answer["outcomes"] if "risk" in one}
            assert ("together" in answer) == (len(risks) == 2)
            if "together" not in answer:
                return
            together = answer["together"]
            joined.append(together)
            first, second = (risks[name] for name in together["outcomes"])
            either, both = together["either"]["risk"], together["both"]["risk"]
            assert max(first, second) - ROUNDING <= either <= first + second + ROUNDING
            assert abs(both - (first + second - either)) <= ROUNDING
            # As the odds ratio is above 1, both are commoner than if they were independent.
            assert together["odds_ratio"] > 1
            assert first * second < both <= min(first, second) + ROUNDING

        agrees()
    assert len(joined) >= 90


def test_every_predictor_of_the_contract_is_served(client: TestClient, ward: Ward) -> None:
    served = {one["name"]: one for one in client.get("/v1/predictors").json()["predictors"]}
    assert list(served) == list(PREDICTORS)
    assert {name for name in served if served[name]["required"]} == {*REQUIRED}
    used = {t.predictor for a in ward.artefacts.values() for t in a.model.terms}
    used = {*used, *REQUIRED, "ldh_uln", *(n for names in SOURCES.values() for n in names)}
    for name, declared in PREDICTORS.items():
        one = served[name]
        assert (one["label"], one["group"], one["tier"]) == (
            declared.label,
            declared.group,
            declared.tier,
        )
        assert one["direction"]["severe_crs"] == declared.direction.severe_crs
        assert one["direction"]["reason"] == declared.reason
        assert (one["reference"], one["loinc"]) == (declared.reference, list(declared.loinc))
        assert one["used_by_model"] == (name in used)
        if isinstance(declared, Quantity):
            assert list(one["accepted_units"]) == list(declared.conversions)
            assert one["unit"] == declared.unit
            assert one["hard_limits"] == list(declared.hard)
            assert one["soft_limits"] == list(declared.soft)
            assert one["columns"] == declared.columns(name)
        else:
            assert one["choices"]


def test_the_served_factors_convert_as_the_contract_does(client: TestClient) -> None:
    for one in client.get("/v1/predictors").json()["predictors"]:
        declared = PREDICTORS[one["name"]]
        for unit, rule in one.get("accepted_units", {}).items():
            assert isinstance(declared, Quantity)
            expected = declared.conversions[unit](37.0)
            assert 37.0 * rule["factor"] + rule["offset"] == pytest.approx(expected)


def test_the_models_are_described_with_card_and_prior(client: TestClient, ward: Ward) -> None:
    models = client.get("/v1/model").json()["models"]
    assert [model["outcome"] for model in models] == list(ward.artefacts)
    for model, artefact in zip(models, ward.artefacts.values(), strict=True):
        assert (model["version"], model["sha256"]) == (artefact.version, artefact.sha256)
        assert model["model_card"].startswith("#")
        assert model["manifest"]["cohort"]["real_patients"] == 0
        assert "Not for clinical use." in model["statement"]
        assert '"unread"' in json.dumps(model["prior"])


def test_the_models_say_how_well_they_do_and_whether_they_may_answer(client: TestClient) -> None:
    """All that the card says in words is there as data."""
    for model in client.get("/v1/model").json()["models"]:
        card, manifest, verdict = model["model_card"], model["manifest"], model["verdict"]
        slope = next(m for m in manifest["performance"] if m["name"] == "calibration_slope")
        assert slope["low"] < slope["value"] < slope["high"]
        assert f"| {slope['value']:.3f} | {slope['low']:.3f} to {slope['high']:.3f} |" in card
        assert verdict["in_words"] in card
        assert verdict["accepted"] == all(limit["met"] for limit in verdict["limits"])
        for limit in verdict["limits"]:
            assert limit["in_words"] in card
        assert manifest["limitations"]
        for said in manifest["limitations"]:
            assert f"- {said}" in card
        assert manifest["lineage"] == []


def test_a_model_without_a_verdict_says_so(ward: Ward) -> None:
    older = {
        name: replace(a, files={n: c for n, c in a.files.items() if n != VERDICT_FILE})
        for name, a in ward.artefacts.items()
    }
    with client_of(Ward(artefacts=older)) as client:
        for model in client.get("/v1/model").json()["models"]:
            assert model["verdict"] is None


def test_a_model_is_described_as_it_was_verified_whatever_happens_to_its_folder(
    ward: Ward, client: TestClient, tmp_path: Path
) -> None:
    for artefact in ward.artefacts.values():
        make_current(tmp_path, artefact)
    own = Ward(artefacts=load_current(tmp_path))
    shutil.rmtree(tmp_path)
    with client_of(own) as without_folder:
        assert without_folder.get("/v1/model").json() == client.get("/v1/model").json()


@pytest.mark.parametrize(
    ("path", "media_type"),
    [("/", "text/html"), ("/page.js", "text/javascript"), ("/style.css", "text/css")],
)
def test_the_page_is_served_under_a_strict_policy(
    client: TestClient, path: str, media_type: str
) -> None:
    response = client.get(path)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith(media_type)
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert "unsafe" not in response.headers["content-security-policy"]
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["cache-control"] == "no-store"


def test_the_document_is_served(client: TestClient) -> None:
    assert client.get("/docs.json").json() == json.loads(json.dumps(openapi_document()))


# --- refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        f'{{"crp": {CANARY}}}'.encode(),
        b"\xff\xfe\x00",
        b'{"age": ' + b"9" * 5000 + b"}",
        b"[" * 30_000,
        b'{"a":' * 10_000,
    ],
    ids=["empty", "cut off", "canary", "not utf-8", "a number of 5000 digits", "deep", "deep map"],
)
def test_what_is_not_json_is_a_bad_request(client: TestClient, content: bytes) -> None:
    assert problem(client.post("/v1/assess", content=content), 400)["detail"]


def test_a_body_too_large_is_refused_at_its_limit(client: TestClient, patient: Body) -> None:
    text = json.dumps(patient)
    full = client.post("/v1/assess", content=text.ljust(MOST_BODY_BYTES))
    assert full.status_code == 200
    over = client.post("/v1/assess", content=text.ljust(MOST_BODY_BYTES + 1))
    assert str(MOST_BODY_BYTES) in problem(over, 413)["detail"]


def test_a_body_without_end_is_not_read_to_its_end(client: TestClient) -> None:
    sent = []

    def endless() -> Iterator[bytes]:
        while len(sent) < 1000:
            sent.append(b" " * 8192)
            yield sent[-1]

    problem(client.post("/v1/assess", content=endless()), 413)


@pytest.mark.parametrize("body", ["[]", '"text"', "null", "7", "NaN"])
def test_json_that_is_no_patient_is_refused(client: TestClient, body: str) -> None:
    refused = problem(client.post("/v1/assess", content=body), 422)
    assert [p["code"] for p in refused["problems"]] == ["not_an_object"]


def test_every_problem_is_listed_at_once_and_nothing_is_repeated(
    client: TestClient, patient: Body
) -> None:
    wrong = patient | {
        "product": CANARY,
        "age": None,
        "crp": {"value": CANARY, "unit": CANARY},
        "ferritin": {"value": 10**9, "unit": "ng/mL"},
        "ldh": {"value": 300, "unit": "U/L", CANARY: 1},
        "platelets": 74,
        "sex": {CANARY: CANARY},
        "easix": 3,
        "crp_mg_l": 84,
        CANARY: CANARY,
    }
    refused = problem(client.post("/v1/assess", json=wrong), 422)
    found = {(p["field"], p["code"]) for p in refused["problems"]}
    assert found == {
        ("product", "not_a_choice"),
        ("age", "required"),
        ("crp", "unknown_unit"),
        ("crp", "not_a_number"),
        ("ferritin", "outside_limits"),
        ("ldh", "unknown_key"),
        ("platelets", "not_a_quantity"),
        ("sex", "not_a_choice"),
        ("easix", "derived"),
        ("crp_mg_l", "unknown_field"),
        ("(unknown)", "unknown_field"),
    }
    assert refused["detail"] == f"{len(refused['problems'])} problem(s); nothing was assessed"
    assert all(p["message"] for p in refused["problems"])


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "true", '"5"', "null"])
def test_what_is_not_a_finite_number_is_refused_by_field(client: TestClient, number: str) -> None:
    body = (
        '{"product": "axi-cel", "disease": "LBCL", "age": {"value": 60, "unit": "a"},'
        f' "crp": {{"value": {number}, "unit": "mg/L"}}}}'
    )
    refused = problem(client.post("/v1/assess", content=body), 422)
    assert [(p["field"], p["code"]) for p in refused["problems"]] == [("crp", "not_a_number")]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", "/v1/assess", "POST"), ("POST", "/v1/model", "GET"), ("DELETE", "/", "GET")],
)
def test_another_method_is_not_allowed(
    client: TestClient, method: str, path: str, allowed: str
) -> None:
    response = client.request(method, path)
    problem(response, 405)
    assert allowed in response.headers["allow"]


def test_the_list_of_predictors_says_used_of_what_any_answer_says_used(
    client: TestClient, bodies: list[Body]
) -> None:
    """Of many answers together, for measures of tumour burden are used one at a time."""
    served = client.get("/v1/predictors").json()["predictors"]
    listed = {one["name"] for one in served if one["used_by_model"]}
    found, given = set[str](), set[str]()
    for body in bodies[:250]:
        lesser = {n: v for n, v in body.items() if n not in BEST_MEASURES}
        for sent in (body, lesser):
            shown = client.post("/v1/assess", json=sent).json()["values_used"]
            found |= {one["predictor"] for one in shown if one["used_by_model"]}
            given |= {one["predictor"] for one in shown}
    assert found == listed & given
    assert given >= {"mtv", "spd", "marrow_blast", "marrow_plasma_cell", "ldh_uln", "product"}


@pytest.mark.parametrize("path", ["/nowhere", f"/v1/{CANARY}", "/web/index.html", "/../pyproject"])
def test_an_unknown_path_is_not_found(client: TestClient, path: str) -> None:
    problem(client.get(path), 404)


def test_a_closed_ward_assesses_nobody_and_says_why(closed: TestClient, patient: Body) -> None:
    for response in (closed.post("/v1/assess", json=patient), closed.get("/v1/model")):
        assert "model.json" in problem(response, 503)["detail"]
    for path in ("/", "/docs.json", "/v1/predictors"):
        assert closed.get(path).status_code == 200
    served = closed.get("/v1/predictors").json()["predictors"]
    assert not any(one["used_by_model"] for one in served)


def test_a_failure_of_our_own_says_nothing_of_the_patient(
    client: TestClient, patient: Body, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError(CANARY)

    monkeypatch.setattr(assessor, "read_patient", fail)
    assert problem(client.post("/v1/assess", json=patient), 500)["detail"]


def test_every_status_that_is_produced_is_documented(
    client: TestClient, closed: TestClient, patient: Body, monkeypatch: pytest.MonkeyPatch
) -> None:
    def statuses(of: TestClient) -> Iterator[tuple[str, str, int]]:
        for content in (json.dumps(patient), "{", " " * (MOST_BODY_BYTES + 1), "{}"):
            yield "/v1/assess", "post", of.post("/v1/assess", content=content).status_code
        for path in ("/v1/predictors", "/v1/model", "/docs.json"):
            yield path, "get", of.get(path).status_code

    seen = {*statuses(client), *statuses(closed)}
    monkeypatch.setattr(assessor, "read_patient", lambda *_: 1 / 0)
    seen |= {*statuses(client)}
    assert {status for *_, status in seen} == {200, 400, 413, 422, 500, 503}
    paths = openapi_document()["paths"]
    undocumented = [
        (path, status)
        for path, method, status in seen
        if str(status) not in paths[path][method]["responses"]
    ]
    assert undocumented == []


# --- which ward opens -------------------------------------------------------------------------


def test_a_store_of_verified_models_opens_the_ward(evidence_store: Store) -> None:
    ward = Ward.open(evidence_store.root)
    assert ward.ready
    assert list(ward.artefacts) == list(evidence_store.artefacts)


def test_an_empty_store_leaves_the_ward_closed_with_a_remedy(tmp_path: Path) -> None:
    ward = Ward.open(tmp_path)
    assert not ward.ready
    assert "no model is in service" in ward.refusal


@pytest.mark.parametrize("spoilt", [MODEL_FILE, CURRENT_FILE])
def test_one_spoilt_model_closes_the_whole_ward(
    evidence_store: Store, tmp_path: Path, spoilt: str
) -> None:
    shutil.copytree(evidence_store.root, tmp_path, dirs_exist_ok=True)
    path = next((tmp_path / "severe_icans").rglob(spoilt))
    path.write_bytes(path.read_bytes()[:-3])
    ward = Ward.open(tmp_path)
    assert not ward.ready
    assert "was refused" in ward.refusal
    assert spoilt in ward.refusal
