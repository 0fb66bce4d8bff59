"""What is handed to integrators works as it stands: the conformance pack and the client."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Body
from tests.running_service import ROOT, Running

API = ROOT / "docs" / "api"
CASES = json.loads((API / "conformance" / "cases.json").read_text("utf-8"))["cases"]


def run(script: Path, running: Running, *, key: str, sent: str = "") -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, script, running.url],
        env={**os.environ, "CART_RISK_KEY": key},
        input=sent,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_service_conforms(running: Running) -> None:
    status, said = run(API / "conformance" / "runner.py", running, key=running.key)
    assert "FAILED" not in said
    assert said.count("ok  ") == len(CASES)
    assert status == 0


def test_the_pack_notices_a_service_that_does_not_conform(running: Running) -> None:
    status, said = run(API / "conformance" / "runner.py", running, key="wrong")
    assert status == said.count("FAILED") > 10


def test_every_case_has_a_name_of_its_own_and_every_route_a_case() -> None:
    names = [case["name"] for case in CASES]
    assert len(set(names)) == len(names)
    from serving.openapi import openapi_document

    paths = set(openapi_document()["paths"]) - {"/livez", "/metrics"}
    asked = {case["request"]["path"] for case in CASES}
    assert paths <= asked


def test_the_client_prints_the_status_first_and_hears_every_problem(
    running: Running, patient: Body
) -> None:
    client = API / "client.py"
    status, said = run(client, running, key=running.key, sent=json.dumps(patient))
    answer = running.client.post("/v1/assess", json=patient).json()
    assert status == 0
    assert said.splitlines()[0] == f"status: {answer['status']}"
    for one in answer["outcomes"]:
        assert f"{one['label']}: {one['natural_frequency']}" in said
    unknown = json.dumps(patient | {"age": "unknown"})
    status, said = run(client, running, key=running.key, sent=unknown)
    assert said.splitlines()[0] == "status: insufficient_data"
    assert "no risk is given; age is unknown" in said
    status, said = run(client, running, key=running.key, sent="{}")
    assert status == 1
    assert len(json.loads(said)["problems"]) == 3


@pytest.mark.parametrize(("name", "most"), [("client.py", 20), ("conformance/runner.py", 60)])
def test_what_is_handed_out_stays_short(name: str, most: int) -> None:
    assert len((API / name).read_text("utf-8").splitlines()) <= most


def test_the_fhir_example_is_sent_and_answered_as_it_stands_there(running: Running) -> None:
    """Of another model, the same elements with other digits."""
    bundle, answer = (
        json.loads((API / "conformance" / f"fhir-{name}.json").read_text("utf-8"))
        for name in ("bundle", "answer")
    )
    from serving.openapi_fhir import EXAMPLE_BUNDLE

    assert bundle == EXAMPLE_BUNDLE
    today = running.client.post("/fhir/$assess", json=bundle).json()
    assert elements(today) == elements(answer)


def elements(given: object) -> set[str]:
    """The names of all elements, each by its path."""
    if isinstance(given, dict):
        return {f".{n}{rest}" for n, value in given.items() for rest in {"", *elements(value)}}
    if isinstance(given, list):
        return {f"[]{rest}" for value in given for rest in {"", *elements(value)}}
    return set()
