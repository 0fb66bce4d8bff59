"""Parameters and Accept at the FHIR door: one path with a bare Bundle, and nothing repeated."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from data_schemas.predictors import PREDICTORS
from serving.api_keys import KeyFile, Scope
from serving.assessment_log.erasure import erase_reference
from serving.assessment_log.opening import LogHome
from serving.doors.fhir import MOST_PROBLEMS
from serving.doors.guard import Guard
from serving.doors.rate_limit import RateLimit
from serving.fhir.bundle import MOST_ENTRIES
from serving.fhir.closed_world import READ_FROM_CONDITIONS
from serving.fhir.names import FHIR_JSON
from serving.openapi_fhir import EXAMPLE_BUNDLE, EXAMPLE_PARAMETERS, bundle_of
from serving.rest import RestApplication
from serving.settings import LogSettings
from serving.ward import Ward
from tests.serving.at_the_door import Running, client_of, open_log
from tests.serving.doors.test_fhir import (
    ANY_JSON,
    ASSESS,
    CANARY,
    accepted_by_the_library,
    answered,
    refusal,
    risk_of,
)
from tests.serving.fhir.resources import Json, element, every_place, example, replaced
from tests.serving.test_openapi import violations

BUNDLE: Json = {"name": "bundle", "resource": EXAMPLE_BUNDLE}
CLOSED: Json = {"name": "closedWorld", "valueCode": "Condition"}


@pytest.fixture(scope="module")
def client(ward: Ward) -> Iterator[TestClient]:
    with client_of(ward) as client:
        yield client


def parameters(*given_: Any) -> Json:
    return {"resourceType": "Parameters", "parameter": list(given_)}


def reference(word: Any) -> Json:
    return {"name": "reference", "valueString": word}


def without_ids(body: Json) -> Json:
    """An answer without what is another one every time."""
    plain = copy.deepcopy(body)
    plain["timestamp"] = plain["entry"][0]["fullUrl"] = ""
    resource = risk_of(plain)
    resource["id"] = resource["occurrenceDateTime"] = resource["identifier"][0]["value"] = ""
    return plain


# --- one path -----------------------------------------------------------------------------------


@pytest.mark.parametrize("more", [[], [reference("a-1")]])
def test_parameters_with_a_bundle_are_answered_as_the_bare_bundle(
    client: TestClient, more: list[Json]
) -> None:
    bare, within = (answered(client, sent) for sent in (EXAMPLE_BUNDLE, parameters(BUNDLE, *more)))
    assert without_ids(within) == without_ids(bare)
    kept = [
        client.get(f"/v1/assessments/{risk_of(body)['id']}").json()["assessment"]
        for body in (bare, within)
    ]
    assert kept[0]["outcomes"] == kept[1]["outcomes"]
    assert kept[0]["values_used"] == kept[1]["values_used"]


def test_the_examples_are_as_published(client: TestClient) -> None:
    accepted_by_the_library(EXAMPLE_PARAMETERS)
    assert violations("FhirRequest", EXAMPLE_PARAMETERS) == []
    assert violations("FhirRequest", EXAMPLE_BUNDLE) == []
    assert violations("FhirRequest", parameters({"name": "x"}))
    answered(client, EXAMPLE_PARAMETERS)


def test_a_patient_is_erased_by_the_reference(ward: Ward, tmp_path: Path) -> None:
    keys, log = KeyFile(tmp_path / "keys.json"), open_log(tmp_path)
    key = keys.add("test", (Scope.ASSESS,))
    application = RestApplication(
        ward, Guard(keys, RateLimit(1e6)), log, Path("nowhere"), product_what_if=False
    )
    with TestClient(Running(application), headers={"authorization": f"Bearer {key}"}) as client:
        for more in ([], [reference("anna")], [reference("berta")], [reference("anna")]):
            answered(client, parameters(BUNDLE, *more))
    home = LogHome(LogSettings(f"sqlite:///{tmp_path}/log.sqlite", tmp_path / "site.key"))
    assert erase_reference(home, "anna").rows == 2
    assert erase_reference(home, "anna").rows == 0
    assert erase_reference(home, "nobody").rows == 0
    assert erase_reference(home, "berta").rows == 1


# --- no Condition is missing --------------------------------------------------------------------


def values(client: TestClient, body: Json) -> dict[str, Any]:
    assessment_id = risk_of(body)["id"]
    kept = client.get(f"/v1/assessments/{assessment_id}").json()["assessment"]
    return {one["predictor"]: one["value"] for one in kept["values_used"]}


def test_a_no_by_assertion_is_used_and_told(client: TestClient) -> None:
    bare, closed = (answered(client, parameters(BUNDLE, *more)) for more in ([], [CLOSED]))
    before, after = values(client, bare), values(client, closed)
    assert after == before | dict.fromkeys(READ_FROM_CONDITIONS, False)
    assert not before.keys() & set(READ_FROM_CONDITIONS)
    notes = "\n".join(note["text"] for note in risk_of(closed)["note"])
    for name in READ_FROM_CONDITIONS:
        said = f"Warning: {PREDICTORS[name].label}: taken as no, because the caller asserted"
        assert said in notes
    assert "taken as no" not in json.dumps(bare)
    assert risk_of(closed)["basis"] == risk_of(bare)["basis"]


def test_a_no_by_assertion_is_told_where_there_is_no_number(client: TestClient) -> None:
    child = bundle_of(example(p1={"birthDate": "2015-01-01"}))
    body = answered(client, parameters({"name": "bundle", "resource": child}, CLOSED))
    assert body["resourceType"] == "OperationOutcome"
    told = [one["details"]["text"] for one in body["issue"] if one["severity"] == "information"]
    assert sum("taken as no, because" in text for text in told) == len(READ_FROM_CONDITIONS)


# --- refusals -----------------------------------------------------------------------------------


def test_every_problem_is_told_at_once_where_it_is(client: TestClient) -> None:
    resources = example(
        p1={"gender": "x"},
        ferritin={"valueQuantity": {"value": 1e9, "system": "http://unitsofmeasure.org",
                                    "code": "ug/L"}},
    )  # fmt: skip
    sent = parameters(
        reference("a name"),
        {"name": "bundle", "resource": bundle_of(resources, "history")},
        CLOSED | {"valueCode": "Procedure"},
        {"name": "subject", "valueString": "Patient/p1"},
        BUNDLE,
        CLOSED | {"valueString": "x"},
    )
    issues = refusal(client.post(ASSESS, json=sent), 422)
    found = {
        (one["expression"][0], one["code"], one["details"]["coding"][0]["code"]) for one in issues
    }
    within = "Parameters.parameter[1].resource"
    assert found == {
        ("Parameters.parameter[0].value", "value", "not_a_reference"),
        ("Parameters.parameter[2].value", "code-invalid", "not_a_choice"),
        ("Parameters.parameter[3].name", "not-supported", "unknown_parameter"),
        ("Parameters.parameter[4]", "structure", "repeated_parameter"),
        ("Parameters.parameter[5].value", "structure", "wrong_type"),
        (f"{within}.type", "not-supported", "bundle_type"),
        (f"{within}.entry[0].resource.gender", "code-invalid", "not_a_choice"),
        (f"{within}.entry[4].resource.value", "value", "outside_limits"),
    }
    for one in issues:
        if not one["expression"][0].startswith("Parameters.parameter[5]"):
            element(sent, one["expression"][0])
    texts = [one["details"]["text"] for one in issues]
    assert any("(accepted: Condition)" in text for text in texts)
    assert any("(accepted: bundle, reference, closedWorld)" in text for text in texts)


@pytest.mark.parametrize("word", ["", "a name", "x" * 65, "Müller", "a/b", 5, None, ["a"], {}])
def test_a_reference_has_the_rule_of_the_other_door(client: TestClient, word: Any) -> None:
    native = client.post("/v1/assess", json={"reference": word}).json()["problems"][0]
    (issue,) = refusal(client.post(ASSESS, json=parameters(BUNDLE, reference(word))), 422)
    assert native["code"] == issue["details"]["coding"][0]["code"] == "not_a_reference"
    assert native["message"] == issue["details"]["text"]
    assert issue["expression"] == ["Parameters.parameter[1].value"]


def test_a_flood_of_problems_within_is_answered_shortly(client: TestClient) -> None:
    flood = bundle_of([]) | {"entry": [5] * (MOST_ENTRIES - 1)}
    sent = parameters({"name": "bundle", "resource": flood})
    issues = refusal(client.post(ASSESS, json=sent), 422)
    assert len(issues) == MOST_PROBLEMS + 1
    assert issues[-1]["expression"] == ["Parameters.parameter[0].resource"]


SENT = parameters({"name": "bundle", "resource": bundle_of(example()[:4])}, reference("a"), CLOSED)
PLACES = [path for path in every_place(SENT) if path]


@pytest.mark.parametrize("path", PLACES, ids=lambda path: ".".join(map(str, path)))
def test_what_stands_in_any_place_is_never_repeated(
    client: TestClient, path: tuple[Any, ...]
) -> None:
    for planted in (CANARY, {CANARY: CANARY}, [CANARY], f"{CANARY} x"):
        response = client.post(ASSESS, json=replaced(SENT, path, planted))
        # Who is answered hears which resources were read, by their ids.
        assert CANARY not in response.text.replace(f"/{CANARY}", "")
        assert CANARY not in str(response.headers)
        if response.status_code != 200:
            refusal(response, 422)
            assert CANARY not in response.text


def test_an_unknown_name_is_never_repeated(client: TestClient) -> None:
    for planted in ({"name": CANARY, "valueString": CANARY}, {CANARY: CANARY, "name": "bundle"}):
        response = client.post(ASSESS, json=parameters(BUNDLE, planted))
        refusal(response, 422)
        assert CANARY not in response.text


@pytest.mark.parametrize("examples", [200, pytest.param(5_000, marks=pytest.mark.deep)])
def test_anything_in_any_place_is_answered_or_refused(client: TestClient, examples: int) -> None:
    outside = [path for path in PLACES if "resource" not in path]
    names = ANY_JSON | st.sampled_from(["bundle", "reference", "closedWorld", "Condition"])
    seen = set()

    @settings(max_examples=examples, deadline=None, derandomize=True, database=None)
    @given(st.sampled_from(PLACES) | st.sampled_from(outside), names)
    def attack(path: tuple[Any, ...], by: Any) -> None:
        response = client.post(ASSESS, content=json.dumps(replaced(SENT, path, by)))
        seen.add(response.status_code)
        if response.status_code == 200:
            accepted_by_the_library(response.json())
        else:
            root = "Bundle" if path == ("resourceType",) else "Parameters"
            for one in refusal(response, 422):
                assert one["expression"][0].startswith(root)

    attack()
    assert seen == {200, 422}


# --- Accept -------------------------------------------------------------------------------------


@pytest.mark.parametrize("accept", ["application/fhir+xml", "text/html", "*/*;q=0", CANARY])
def test_who_takes_no_json_is_refused_before_anything_is_read(
    client: TestClient, accept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr("serving.doors.assessor.Assessor.answer", fail)
    monkeypatch.setattr("serving.doors.assessor.Assessor.keep", fail)
    asked = (
        client.post(ASSESS, json=EXAMPLE_BUNDLE, headers={"accept": accept}),
        client.post(ASSESS, content=b"{", headers={"accept": accept, "content-type": "text/x"}),
        client.get("/fhir/metadata", headers={"accept": accept}),
    )
    for response in asked:
        (issue,) = refusal(response, 406)
        assert issue["code"] == "not-supported"
        assert FHIR_JSON in issue["details"]["text"]
        assert CANARY not in response.text


@pytest.mark.parametrize("accept", [FHIR_JSON, "application/json", "json", "*/*", "text/x, */*"])
def test_who_takes_json_is_answered(client: TestClient, accept: str) -> None:
    headers = {"accept": accept}
    for response in (
        client.post(ASSESS, json=EXAMPLE_BUNDLE, headers=headers),
        client.get("/fhir/metadata", headers=headers),
    ):
        assert (response.status_code, response.headers["content-type"]) == (200, FHIR_JSON)


def test_without_accept_everybody_is_answered(client: TestClient) -> None:
    request = client.build_request("POST", ASSESS, json=EXAMPLE_BUNDLE)
    del request.headers["accept"]
    assert client.send(request).status_code == 200


def test_elsewhere_accept_is_not_asked(client: TestClient) -> None:
    response = client.get("/v1/predictors", headers={"accept": "text/html"})
    assert response.status_code == 200


# --- what is declared ---------------------------------------------------------------------------


def test_the_capability_statement_names_every_parameter(client: TestClient) -> None:
    statement = client.get("/fhir/metadata").json()
    documentation = statement["rest"][0]["operation"][0]["documentation"]
    for word in ("bundle", "reference", "closedWorld", "Condition", *READ_FROM_CONDITIONS):
        assert word in documentation
