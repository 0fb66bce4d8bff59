"""The FHIR door: a Bundle or Parameters in, a RiskAssessment out; between them the one Assessor."""

from dataclasses import replace
from http import HTTPStatus
from itertools import islice

import orjson
from starlette.responses import Response

from data_schemas.patient_request import Problem, RequestProblems
from serving.doors.accept import takes_fhir_json
from serving.doors.assessor import Assessor, Made, Sent, problems_of
from serving.doors.problem import RequestRefused, unreadable
from serving.doors.strict_json import read_json
from serving.doors.visit import JSON, Visit
from serving.fhir.answer_bundle import fhir_answer
from serving.fhir.capability import capability_statement
from serving.fhir.names import FHIR_JSON
from serving.fhir.patient_record import located, read_sent
from serving.fhir.reading import Reading

MOST_BUNDLE_BYTES = 1024 * 1024
"""A year of results of one patient; most of it is not read."""
MOST_OBJECTS = 25_000
"""More than a real body of that size holds; the time to read goes with their number."""
MOST_PROBLEMS = 500
"""More are told once the first are mended: a refusal is no longer than what it refuses."""
KEPT = "fhir"
"""The field of a kept assessment that holds what a FHIR client was sent."""


class Fhir:
    """Answers in FHIR R4."""

    def __init__(self, assessor: Assessor) -> None:
        """Assess through the assessor."""
        self._assessor = assessor

    async def assess(self, visit: Visit) -> Response:
        """Assess the patient of a Bundle, sent bare or within Parameters."""
        _check_accept(visit)
        visit.media_type((FHIR_JSON, JSON))
        content = await visit.body(MOST_BUNDLE_BYTES)
        if content.count(b"{") > MOST_OBJECTS:
            raise too_complex()
        reading = read_sent(read_json(content))
        made = self._answered(Sent(content, reading.record), reading, visit)
        answer = orjson.loads(made.entry.answer)
        told = fhir_answer(answer, reading)
        kept = replace(made.entry, answer=orjson.dumps({**answer, KEPT: told}))
        await self._assessor.keep(made._replace(entry=kept))
        return Response(orjson.dumps(told), media_type=FHIR_JSON)

    async def metadata(self, visit: Visit) -> Response:
        """Return the CapabilityStatement."""
        _check_accept(visit)
        return Response(orjson.dumps(capability_statement()), media_type=FHIR_JSON)

    def _answered(self, sent: Sent, reading: Reading, visit: Visit) -> Made:
        self._assessor.ready()
        if reading.problems:
            raise unreadable(RequestProblems(tuple(self._all_problems(reading))))
        try:
            return self._assessor.answer(sent, visit)
        except RequestRefused as refusal:
            refusal.problems = tuple(located(reading, one) for one in refusal.problems)
            raise

    def _all_problems(self, reading: Reading) -> list[Problem]:
        """Return the problems of what was sent, then those of the values that could be read."""
        # What the record lacks, the reading has said already, and where it should stand.
        all_found = problems_of(reading.record, self._assessor.today())
        found = [p for p in all_found if p.code != "required"]
        problems = dict.fromkeys([*reading.problems, *(located(reading, one) for one in found)])
        if len(problems) <= MOST_PROBLEMS:
            return list(problems)
        message = f"there are more problems than these {MOST_PROBLEMS}"
        return [*islice(problems, MOST_PROBLEMS), Problem(reading.root, "more_problems", message)]


def _check_accept(visit: Visit) -> None:
    if not takes_fhir_json(visit.scope["headers"]):
        raise not_acceptable()


def not_acceptable() -> RequestRefused:
    """Return the refusal of a caller who takes no answer of ours."""
    detail = f"answers are {FHIR_JSON}: let Accept name it, or leave Accept out"
    return RequestRefused(HTTPStatus.NOT_ACCEPTABLE, detail)


def too_complex() -> RequestRefused:
    """Return the refusal of a body that would hold up everybody else."""
    detail = f"the body may hold at most {MOST_OBJECTS} JSON objects"
    return RequestRefused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)
