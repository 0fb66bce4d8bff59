"""A name and a number planted wherever a caller can write: they come to light nowhere.

Not in what the service prints, counts, answers with a refusal or a header, nor in any byte of any
file that it writes, its own temporary ones and the database's included. The encrypted log holds
them, but in no form that one could read.
"""

import json
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from data_schemas.predictors import PREDICTORS, Quantity
from serving.openapi import EXAMPLE_OUTCOME, EXAMPLE_PATIENT, openapi_document
from serving.openapi_fhir import EXAMPLE_BUNDLE, EXAMPLE_PARAMETERS
from tests.conftest import Body, Store
from tests.running_service import Running, served
from tests.serving.fhir.resources import every_place, replaced

NAME = "Mrn4711Kowalski"
NUMBER = 4711.4711  # a ferritin that is accepted; of most others too much
HEADERS = ("accept", "cookie", "origin", "referer", "traceparent", "user-agent", "x-patient")
HEADERS += ("x-forwarded-for", "x-request-id", "if-none-match", "accept-language")
JSON, LINES, FHIR = "application/json", "application/x-ndjson", "/fhir/$assess"


class Sent(NamedTuple):
    """A request, as bytes where it has a body."""

    method: str
    path: str
    body: bytes = b""
    headers: dict[str, str] = {}  # noqa: RUF012  # never changed


def fields() -> Iterator[Body]:
    """What each field of a patient may be given instead of a value."""
    for name, declared in PREDICTORS.items():
        yield {name: NAME}
        yield {name: [NAME]}
        if isinstance(declared, Quantity):
            right = {"value": NUMBER, "unit": declared.unit}
            yield {name: right}
            yield {name: right | {"value": NAME}}
            yield {name: right | {"unit": NAME}}
            yield {name: right | {"measured_at": NAME}}
            yield {name: right | {NAME: NAME}}
    for name in ("infusion_date", "reference", NAME, "mrn"):
        yield {name: NAME}
        yield {name: f"{NAME} {NUMBER}"}
        yield {name: NUMBER}


def with_patients() -> Iterator[Sent]:
    """Every field on every route that takes patients."""
    for given in fields():
        patient = EXAMPLE_PATIENT | given
        yield posted("/v1/assess", patient)
        yield posted("/v1/assess/brief", patient)
        yield posted("/v1/validate", patient)
        yield posted("/v1/assess/batch", {"items": [EXAMPLE_PATIENT, patient]})
        yield posted("/v1/what-if", {"patient": patient, "changes": {}})
        yield posted("/v1/what-if", {"patient": EXAMPLE_PATIENT, "changes": given})
        lines = b"\n".join((as_json(patient), NAME.encode(), b'{"' + NAME.encode()))
        for path in ("/v1/assess/batch", "/v1/assess/batch/brief"):
            yield Sent("POST", path, lines, {"content-type": LINES})


def with_bundles() -> Iterator[Sent]:
    """Every element of a FHIR Bundle and of Parameters, and further ones that nobody reads."""
    for path in every_place(EXAMPLE_BUNDLE):
        for planted in (NAME, NUMBER, [NAME], {NAME: NAME}, {"text": NAME, "reference": NAME}):
            yield posted(FHIR, replaced(EXAMPLE_BUNDLE, path, planted))
    for path in every_place(EXAMPLE_PARAMETERS):
        if "resource" not in path:
            for planted in (NAME, f"{NAME} {NUMBER}", NUMBER, [NAME], {NAME: NAME, "name": NAME}):
                yield posted(FHIR, replaced(EXAMPLE_PARAMETERS, path, planted))
    named = {"identifier": [{"value": NAME}], "name": [{"family": NAME, "text": NAME}]}
    for i, entry in enumerate(EXAMPLE_BUNDLE["entry"]):
        resource = entry["resource"] | named | {"note": [{"text": NAME}], NAME: NUMBER}
        yield posted(FHIR, replaced(EXAMPLE_BUNDLE, ("entry", i, "resource"), resource))


def with_outcomes() -> Iterator[Sent]:
    for name in (*EXAMPLE_OUTCOME, NAME):
        for value in (NAME, NUMBER, [NAME], {NAME: NAME}):
            yield posted("/v1/outcomes", EXAMPLE_OUTCOME | {name: value})


def anywhere() -> Iterator[Sent]:
    """Paths, queries, headers, keys, types and bodies that are none, on every operation."""
    malformed = (NAME, f'{{"{NAME}":', f'["{NAME}"]', f'"{NAME}"', f'{{"{NAME}":1,"{NAME}":2}}')
    paths = [path.replace("{id}", NAME) for path in openapi_document()["paths"]]
    for path in (*paths, f"/{NAME}", f"/v1/{NAME}/{NUMBER}", f"/%2e%2e/{NAME}"):
        for method in ("GET", "POST", "PUT", "HEAD"):
            yield Sent(method, f"{path}?{NAME}={NUMBER}")
            yield Sent(method, path, headers=dict.fromkeys(HEADERS, NAME))
            yield Sent(method, path, headers={"authorization": f"Bearer {NAME}"})
        for body in (*malformed, NAME * 5_000, "[" * 20_000 + NAME):
            yield Sent("POST", path, body.encode(), {"content-type": JSON})
        yield Sent("POST", path, as_json({}), {"content-type": f"text/{NAME}; charset={NAME}"})


def as_json(data: Any) -> bytes:
    return json.dumps(data).encode()


def posted(path: str, data: Any) -> Sent:
    return Sent("POST", path, as_json(data), {"content-type": JSON})


def ask(running: Running, sent: Sent) -> int:
    """Send it; nothing planted stands in the headers, nor in a body that refuses."""
    answer = running.client.request(
        sent.method, sent.path, content=sent.body or None, headers=sent.headers
    )
    assert answer.status_code < 500
    # Whoever is answered hears the numbers that were used, and which resources they stand in.
    told = str(answer.headers) + (answer.text if answer.status_code >= 400 else "")
    text = answer.text.replace(f"/{NAME}", "") if sent.path == FHIR else answer.text
    assert NAME.lower() not in (told + text).lower()
    assert str(NUMBER) not in told
    return answer.status_code


def holding(folder: Path, *words: str) -> list[Path]:
    """Return the files in which any of the words stands."""
    wanted = [word.lower().encode() for word in words]
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if any(word in path.read_bytes().lower() for word in wanted)]


REFUSED = {400, 401, 404, 405, 413, 415, 422}


@pytest.mark.parametrize(
    ("requests", "expected"),
    [(250, {200, 400, 422}), pytest.param(2_500, {200} | REFUSED, marks=pytest.mark.deep)],
)
def test_what_is_planted_comes_to_light_nowhere(
    evidence_store: Store, tmp_path: Path, requests: int, expected: set[int]
) -> None:
    workplace = tmp_path / "service"
    temporary = workplace / "temporary"
    temporary.mkdir(parents=True)
    settings = {"TMPDIR": str(temporary), "PROMETHEUS_MULTIPROC_DIR": str(temporary)}
    everything = [*with_patients(), *with_bundles(), *with_outcomes(), *anywhere()]
    sent = random.Random(4711).sample(everything, requests)
    sent += random.Random(4711).sample(list(with_bundles()), requests // 3)
    with served(evidence_store.root, workplace, settings) as running:
        statuses = {ask(running, one) for one in sent}
        assert statuses >= expected
        assert_nothing_planted(running.client.get("/metrics").text)
        assert (workplace / "assessments.sqlite-wal").stat().st_size > 0
        assert holding(workplace, NAME, str(NUMBER)) == []
    with closing(sqlite3.connect(workplace / "assessments.sqlite")) as database:
        ((kept,),) = database.execute("SELECT count(*) FROM entry")
    assert kept > requests // 10
    assert holding(workplace, NAME, str(NUMBER)) == []
    printed = running.output.read_text("utf-8")
    assert printed.count('"answered"') >= len(sent)
    assert "Traceback" not in printed
    assert holding(workplace, "Service cart-risk initialized") == [running.output]


def assert_nothing_planted(text: str) -> None:
    assert NAME.lower() not in text.lower()
    assert str(NUMBER) not in text
