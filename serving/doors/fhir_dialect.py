"""The dialect of refusals at ``/fhir`` and under it: an OperationOutcome with every problem.

As in :mod:`serving.doors.problem`, nothing that was sent is repeated.
"""

from http import HTTPStatus
from typing import Any

import orjson
from starlette.responses import Response

from serving.doors.problem import RequestRefused, problem_response
from serving.fhir.names import FHIR_JSON
from serving.fhir.operation_outcome import issue, operation_outcome

PATH = "/fhir/"
BY_STATUS = {
    HTTPStatus.BAD_REQUEST: "structure",
    HTTPStatus.UNAUTHORIZED: "login",
    HTTPStatus.FORBIDDEN: "forbidden",
    HTTPStatus.NOT_FOUND: "not-found",
    HTTPStatus.METHOD_NOT_ALLOWED: "not-supported",
    HTTPStatus.NOT_ACCEPTABLE: "not-supported",
    HTTPStatus.REQUEST_TIMEOUT: "timeout",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "too-long",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "not-supported",
    HTTPStatus.TOO_MANY_REQUESTS: "throttled",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: "too-long",
    HTTPStatus.INTERNAL_SERVER_ERROR: "exception",
    HTTPStatus.SERVICE_UNAVAILABLE: "transient",
    HTTPStatus.GATEWAY_TIMEOUT: "timeout",
}
BY_PROBLEM = {
    "another_subject": "business-rule",
    "before_first_infusions": "value",
    "bundle_type": "not-supported",
    "duplicate": "duplicate",
    "measured_after_infusion": "business-rule",
    "measured_in_the_future": "value",
    "modifier_extension": "not-supported",
    "no_reference": "required",
    "not_a_bundle": "structure",
    "not_a_choice": "code-invalid",
    "not_a_date": "value",
    "not_a_list": "structure",
    "not_a_number": "value",
    "not_a_quantity": "structure",
    "not_a_reference": "value",
    "not_a_resource": "structure",
    "not_an_object": "structure",
    "not_whole": "value",
    "outside_limits": "value",
    "repeated_parameter": "structure",
    "required": "required",
    "several_dates": "multiple-matches",
    "several_diseases": "multiple-matches",
    "several_patients": "multiple-matches",
    "several_products": "multiple-matches",
    "too_far_ahead": "value",
    "too_many_entries": "too-long",
    "too_many_parameters": "too-long",
    "unknown_parameter": "not-supported",
    "unknown_unit": "code-invalid",
    "wrong_type": "structure",
}


def refused(refusal: RequestRefused, path: str) -> Response:
    """Return a refusal in the dialect of the address that was asked."""
    # With or without the slash at its end it is the same address to whoever asks there.
    if not f"{path}/".startswith(PATH):
        return problem_response(refusal)
    content = orjson.dumps(outcome_of(refusal))
    return Response(content, int(refusal.status), refusal.headers, FHIR_JSON)


def outcome_of(refusal: RequestRefused) -> dict[str, Any]:
    """Return a refusal as an OperationOutcome."""
    if not refusal.problems:
        kind = BY_STATUS.get(refusal.status, "processing")
        return operation_outcome([issue("error", kind, refusal.detail)])
    return operation_outcome(
        issue(
            "error",
            BY_PROBLEM.get(problem.code, "invalid"),
            _words(problem.message, problem.accepted),
            ("problem", problem.code),
            problem.field,
        )
        for problem in refusal.problems
    )


def _words(message: str, accepted: tuple[str, ...]) -> str:
    return f"{message} (accepted: {', '.join(accepted)})" if accepted else message
