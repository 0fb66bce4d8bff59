"""Today's document adds to the released one and takes nothing away."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from data_schemas.risk_assessment import Status
from serving.openapi import API_VERSION, openapi_document
from tests.running_service import ROOT

RELEASED = json.loads((ROOT / "docs/api/openapi-v1.json").read_text("utf-8"))
TODAY = json.loads(json.dumps(openapi_document()))
OPEN = "x-extensible-enum"
"""Words of today of a list in an answer that may grow."""
STATUSES = [status.value for status in Status]
Document = dict[str, Any]


def breaks(old: Document, new: Document) -> list[str]:
    """Return every change that could break a client."""
    return [*_lost_operations(old, new)] or [*_changed_operations(old, new)]


def _lost_operations(old: Document, new: Document) -> Iterator[str]:
    for path, operations in old["paths"].items():
        for method in operations:
            if method not in new["paths"].get(path, {}):
                yield f"{method} {path} is gone"


def _changed_operations(old: Document, new: Document) -> Iterator[str]:
    for path, operations in old["paths"].items():
        for method, was in operations.items():
            now, where = new["paths"][path][method], f"{method} {path}"
            if now.get("security") and not was.get("security"):
                yield f"{where} asks for a key"
            for status, response in was["responses"].items():
                if status not in now["responses"]:
                    yield f"{where} {status} is gone"
                else:
                    yield from _contents(where, response, now["responses"][status], old, new, False)
            if "requestBody" in was:
                yield from _contents(where, was["requestBody"], now["requestBody"], old, new, True)


def _contents(
    where: str, was: Document, now: Document, old: Document, new: Document, sent: bool
) -> Iterator[str]:
    for media_type, content in was.get("content", {}).items():
        if media_type not in now.get("content", {}):
            yield f"{where} {media_type} is gone"
        else:
            is_now = now["content"][media_type]["schema"]
            yield from Comparison(old, new, sent).schemas(where, content["schema"], is_now)


class Comparison:
    """Compares two schemas, through references, once each."""

    def __init__(self, old: Document, new: Document, sent: bool) -> None:
        self.old, self.new, self.sent = old, new, sent
        self.seen: set[str] = set()

    def schemas(self, where: str, was: Document, now: Document) -> Iterator[str]:
        if "$ref" in was:
            if was["$ref"] in self.seen:
                return
            self.seen.add(was["$ref"])
        was, now = self._resolved(was, self.old), self._resolved(now, self.new)
        if self.sent and "anyOf" in now and "anyOf" not in was:
            if "enum" in was and "type" not in was:
                yield from self._any_word(where, was["enum"], now)
            else:
                yield from self._any(where, was, now["anyOf"])
            return
        for kind in ("type", "const", "format"):
            if was.get(kind) != now.get(kind):
                yield f"{where}: {kind} changed"
        yield from self._words(where, was, now)
        is_closed = now.get("additionalProperties") is False
        if is_closed and was.get("additionalProperties") is not False:
            yield f"{where}: further fields are forbidden"
        yield from self._names(where, was, now)
        if "items" in was:
            yield from self.schemas(f"{where}[]", was["items"], now.get("items", {}))
        for i, (one, other) in enumerate(
            zip(was.get("anyOf", []), now.get("anyOf", []), strict=False)
        ):
            yield from self.schemas(f"{where}|{i}", one, other)

    def _words(self, where: str, was: Document, now: Document) -> Iterator[str]:
        """A list in an answer may be opened, for it may grow; that of the statuses may not."""
        listed = set(map(str, was.get("enum", was.get(OPEN, []))))
        known = set(map(str, now.get("enum", [] if self.sent else now.get(OPEN, []))))
        if listed - known and (self.sent or not known):
            yield f"{where}: words are gone"
        if "enum" in was and "enum" not in now and set(STATUSES) == listed:
            yield f"{where}: a closed list was opened"
        if OPEN in was and OPEN not in now:
            yield f"{where}: an open list was closed"

    def _any(self, where: str, was: Document, now: list[Document]) -> Iterator[str]:
        """What was accepted is still accepted if one of the alternatives accepts it."""
        found = [
            list(Comparison(self.old, self.new, self.sent).schemas(where, was, one)) for one in now
        ]
        yield from min(found, key=len)

    def _any_word(self, where: str, words: list[Any], now: Document) -> Iterator[str]:
        """Of words of several types each may be accepted by another alternative."""
        if not all(Draft202012Validator(now).is_valid(word) for word in words):
            yield f"{where}: words are gone"

    def _names(self, where: str, was: Document, now: Document) -> Iterator[str]:
        required_was, required_now = set(was.get("required", [])), set(now.get("required", []))
        if self.sent and required_now - required_was:
            yield f"{where}: {sorted(required_now - required_was)} became required"
        if not self.sent and required_was - required_now:
            yield f"{where}: {sorted(required_was - required_now)} may be missing"
        for name, schema in was.get("properties", {}).items():
            if name not in now.get("properties", {}):
                yield f"{where}.{name} is gone"
            else:
                yield from self.schemas(f"{where}.{name}", schema, now["properties"][name])

    @staticmethod
    def _resolved(schema: Document, document: Document) -> Document:
        if "$ref" not in schema:
            return schema
        return document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]


def test_today_adds_to_the_released_version() -> None:
    assert breaks(RELEASED, TODAY) == []


def test_an_addition_has_a_higher_version() -> None:
    def version(text: str) -> list[int]:
        return [int(part) for part in text.split(".")]

    released = RELEASED["info"]["version"]
    assert version(API_VERSION) >= version(released)
    if RELEASED["paths"].keys() != TODAY["paths"].keys():
        assert version(API_VERSION) > version(released)


def planted(change: str) -> Document:
    document = copy.deepcopy(RELEASED)
    assess = document["paths"]["/v1/assess"]["post"]
    schemas = document["components"]["schemas"]
    if change == "operation":
        del document["paths"]["/v1/validate"]
    elif change == "status":
        del assess["responses"]["422"]
    elif change == "media type":
        batch = document["paths"]["/v1/assess/batch"]["post"]
        del batch["requestBody"]["content"]["application/x-ndjson"]
    elif change == "field":
        del schemas["RiskAssessment"]["properties"]["missing"]
    elif change == "maybe missing":
        schemas["RiskAssessment"]["required"].remove("status")
    elif change == "type":
        schemas["OutcomeRisk"]["properties"]["label"]["type"] = "number"
    elif change == "required":
        schemas["Patient"]["required"].append("crp")
    elif change == "word":
        schemas["Patient"]["properties"]["disease"]["enum"].remove("LBCL")
    elif change == "alternatives":
        body = document["paths"]["/v1/validate"]["post"]["requestBody"]["content"]
        others = [{"$ref": f"#/components/schemas/{name}"} for name in ("Outcome", "Batch")]
        body["application/json"]["schema"] = {"anyOf": others}
    elif change == "word of a flag":
        words = {"type": "string", "enum": ["yes", "no"]}
        schemas["Patient"]["properties"]["diabetes"] = {"anyOf": [{"type": "boolean"}, words]}
    elif change == "closed":
        schemas["Problem"]["additionalProperties"] = False
    elif change == "opened":
        schemas["Status"][OPEN] = schemas["Status"].pop("enum")
    elif change == "not one word left":
        del schemas["CautionCode"]["enum"]
    elif change == "sent list opened":
        disease = schemas["Patient"]["properties"]["disease"]
        disease[OPEN] = disease.pop("enum")
    elif change == "key":
        document["paths"]["/v1/predictors"]["get"]["security"] = [{"key": []}]
    return document


CHANGES = (
    "operation",
    "status",
    "media type",
    "field",
    "maybe missing",
    "type",
    "required",
    "word",
    "word of a flag",
    "closed",
    "opened",
    "not one word left",
    "sent list opened",
)


@pytest.mark.parametrize("change", [*CHANGES, "alternatives", "key"])
def test_a_change_that_would_break_a_client_is_seen(change: str) -> None:
    assert len(breaks(RELEASED, planted(change))) >= 1


def test_additions_break_nobody() -> None:
    more = copy.deepcopy(RELEASED)
    more["paths"]["/v1/more"] = more["paths"]["/v1/assess"]
    schemas = more["components"]["schemas"]
    schemas["Patient"]["properties"]["more"] = {"type": "string"}
    schemas["RiskAssessment"]["properties"]["more"] = {"type": "string"}
    schemas["RiskAssessment"]["required"].append("more")
    schemas["CautionCode"]["enum"].append("more")
    for schema in (schemas["RiskAssessment"], schemas["Caution"]):
        del schema["additionalProperties"]
    direction = schemas["Reason"]["properties"]["direction"]
    direction[OPEN] = direction.pop("enum")
    body = more["paths"]["/v1/validate"]["post"]["requestBody"]["content"]["application/json"]
    body["schema"] = {"anyOf": [{"$ref": "#/components/schemas/Batch"}, body["schema"]]}
    assert breaks(RELEASED, more) == []
