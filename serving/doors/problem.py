"""One dialect for everything that is refused: ``application/problem+json`` (RFC 9457).

A problem names fields, limits and remedies of the contract; it never repeats what was sent.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from starlette.responses import Response

from data_schemas.patient_request import Problem, RequestProblems

MEDIA_TYPE = "application/problem+json"


class RequestRefused(Exception):
    """A request that gets no answer but a problem."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        problems: tuple[Problem, ...] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status)
        self.status = status
        self.detail = detail
        self.problems = problems
        self.headers = dict(headers or {})


def unreadable(refused: RequestProblems, outcome: str = "nothing was assessed") -> RequestRefused:
    """Return the refusal of a request that breaks the contract, with every problem."""
    detail = f"{len(refused.problems)} problem(s); {outcome}"
    return RequestRefused(HTTPStatus.UNPROCESSABLE_ENTITY, detail, refused.problems)


def problem_document(refusal: RequestRefused) -> dict[str, Any]:
    """Return the problem with every single reason listed."""
    return {
        "type": "about:blank",
        "title": refusal.status.phrase,
        "status": int(refusal.status),
        "code": refusal.status.name.lower(),
        "detail": refusal.detail,
        "problems": [
            {
                "field": problem.field,
                "code": problem.code,
                "message": problem.message,
                "accepted": list(problem.accepted),
            }
            for problem in refusal.problems
        ],
    }


def problem_response(refusal: RequestRefused) -> Response:
    """Return the problem as a response."""
    content = orjson.dumps(problem_document(refusal))
    return Response(content, int(refusal.status), refusal.headers, MEDIA_TYPE)
