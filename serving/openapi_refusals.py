"""The refusals of each operation in the OpenAPI document, each with an example of its own.

The examples are made where the service makes its refusals, so that they say what it says.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from data_schemas.patient_request import RequestProblems, read_patient
from data_schemas.reported_outcome import read_reported_outcome
from serving.api_keys import Scope
from serving.doors.batch import MOST_BATCH_BYTES, MOST_ITEMS, MOST_LINE_BYTES, not_a_batch
from serving.doors.connection import MOST_HEAD_BYTES
from serving.doors.door import not_allowed
from serving.doors.fhir import MOST_BUNDLE_BYTES, MOST_OBJECTS, not_acceptable
from serving.doors.fhir_dialect import outcome_of
from serving.doors.gate import DEADLINE_SECONDS, busy, failed, too_late
from serving.doors.guard import lacks_scope, not_recognised
from serving.doors.one_patient import MOST_BODY_BYTES, erased, not_found
from serving.doors.problem import MEDIA_TYPE, RequestRefused, problem_document, unreadable
from serving.doors.rate_limit import asked_too_often
from serving.doors.strict_json import not_json
from serving.doors.unread_body import not_read
from serving.doors.visit import JSON, NDJSON, too_large, too_slow, unsupported
from serving.fhir.bundle import MOST_ENTRIES
from serving.fhir.names import FHIR_JSON
from serving.fhir.patient_record import read_sent
from serving.openapi_schemas import reference
from serving.ward import NONE_IN_SERVICE

GUARDED = (401, 403, 429, 503)
WITH_BODY = (408, 413, 415, 422)
ALWAYS = (400, 405, 500, 504)

ONE_PATIENT = f"At most {MOST_BODY_BYTES:,} bytes, in UTF-8 and not compressed."
MANY_PATIENTS = (
    f"As {JSON} at most {MOST_BATCH_BYTES:,} bytes and {MOST_ITEMS:,} patients. As {NDJSON} any "
    f"number of lines, each of at most {MOST_LINE_BYTES:,} bytes. In UTF-8 and not compressed."
)
ONE_BUNDLE = (
    f"At most {MOST_BUNDLE_BYTES:,} bytes, {MOST_OBJECTS:,} JSON objects and {MOST_ENTRIES:,} "
    "entries, in UTF-8 and not compressed."
)
HEADS = (
    f"A head of more than {MOST_HEAD_BYTES:,} bytes is answered with 431, and what is no request "
    "of HTTP/1.1 with 400, as every refusal is; the connection then ends."
)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the refusals of an operation depend on."""

    method: str
    scope: Scope = Scope.ASSESS
    media_types: tuple[str, ...] = ()
    """Of the body; empty where none is sent."""
    most_bytes: int = MOST_BODY_BYTES
    unread: RequestRefused | None = None
    """The refusal of a body that breaks the contract."""
    in_fhir: bool = False
    needs_model: bool = False
    """Whether only the lack of a model makes it unavailable."""

    def refusals(self, *statuses: int) -> dict[str, Any]:
        """Return the responses of these statuses."""
        return {str(status): self._response(HTTPStatus(status)) for status in sorted(statuses)}

    def _response(self, status: HTTPStatus) -> dict[str, Any]:
        refusal = self._refusal(status)
        headers = {
            name: {"schema": {"type": "string"}, "example": value}
            for name, value in refusal.headers.items()
            if name != "connection"
        }
        if self.in_fhir:
            media_type, schema, example = FHIR_JSON, "OperationOutcome", outcome_of(refusal)
        else:
            media_type, schema, example = MEDIA_TYPE, "Problem", problem_document(refusal)
        content = {media_type: {"schema": reference(schema), "example": example}}
        return {"description": status.phrase, "headers": headers, "content": content}

    def _refusal(self, status: HTTPStatus) -> RequestRefused:
        by_status: Mapping[int, RequestRefused | None] = {
            400: not_json() if self.media_types else not_read(),
            401: not_recognised(),
            403: lacks_scope(self.scope),
            404: not_found(),
            405: not_allowed([self.method]),
            406: not_acceptable(),
            408: too_slow(),
            410: erased(),
            413: too_large("body", self.most_bytes),
            415: unsupported(self.media_types),
            422: self.unread,
            429: asked_too_often(10_000, 1),
            500: failed(),
            503: busy(NONE_IN_SERVICE if self.needs_model else "too many requests at a time"),
            504: too_late(DEADLINE_SECONDS),
        }
        refusal = by_status[status]
        assert refusal is not None, f"no example of {status}"
        return refusal


def unread_patient(patient: Mapping[str, Any], outcome: str) -> RequestRefused:
    """Return the refusal of a patient whose CRP stands in a unit that is not accepted."""
    try:
        read_patient({**patient, "crp": {"value": 8.4, "unit": "mmol/L"}})
    except RequestProblems as refused:
        return unreadable(refused, outcome)
    raise AssertionError("CRP is not measured in mmol/L")


def unread_outcome(report: Mapping[str, Any]) -> RequestRefused:
    """Return the refusal of a report that does not say how long the patient was observed."""
    try:
        read_reported_outcome({n: v for n, v in report.items() if n != "follow_up_days"})
    except RequestProblems as refused:
        return unreadable(refused, "nothing was kept")
    raise AssertionError("a report says how long the patient was observed")


def unread_batch() -> RequestRefused:
    """Return the refusal of a batch as a whole."""
    return not_a_batch()


def unread_bundle(bundle: Mapping[str, Any]) -> RequestRefused:
    """Return the refusal of a Bundle that lacks its Patient."""
    others = [e for e in bundle["entry"] if e["resource"]["resourceType"] != "Patient"]
    return unreadable(RequestProblems(tuple(read_sent({**bundle, "entry": others}).problems)))
