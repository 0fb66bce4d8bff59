"""One dialect for everything that is refused: ``application/problem+json`` (RFC 9457).

A problem names fields, limits and remedies of the contract; it never repeats what was sent.
"""

from http import HTTPStatus

from starlette.responses import JSONResponse

from data_schemas.patient_request import Problem

MEDIA_TYPE = "application/problem+json"


def problem_response(
    status: HTTPStatus, detail: str, problems: tuple[Problem, ...] = (), code: str | None = None
) -> JSONResponse:
    """Return a problem with every single reason listed."""
    body = {
        "type": "about:blank",
        "title": status.phrase,
        "status": int(status),
        "code": code or status.name.lower(),
        "detail": detail,
        "problems": [
            {
                "field": problem.field,
                "code": problem.code,
                "message": problem.message,
                "accepted": list(problem.accepted),
            }
            for problem in problems
        ],
    }
    return JSONResponse(body, status_code=int(status), media_type=MEDIA_TYPE)
