"""One patient at a time: assess, validate, ask what if, look an assessment up, report outcomes."""

from http import HTTPStatus
from typing import Any
from uuid import UUID

import orjson
from starlette.responses import Response

from data_schemas.patient_request import PatientRequest, RequestProblems, read_patient
from data_schemas.predictors import PREDICTORS, Quantity
from data_schemas.reported_outcome import read_reported_outcome
from serving.assess import Answered, Detail
from serving.assessment_log.log import AssessmentLog
from serving.assessment_log.refusals import (
    ErasedAssessment,
    LogRefused,
    LogUnavailable,
    UnknownAssessment,
)
from serving.doors.assessor import Assessor, Sent, without_reference
from serving.doors.gate import busy
from serving.doors.json_answer import json_answer
from serving.doors.metrics import LOG_UNAVAILABLE
from serving.doors.problem import RequestRefused, unreadable
from serving.doors.strict_json import read_json
from serving.doors.visit import BRIEF_JSON, JSON, Visit
from serving.doors.what_if import read_what_if, without_effect
from serving.model.inputs import Inputs

MOST_BODY_BYTES = 64 * 1024
_KEY_SECONDS = 60
"""Until then an operator may have put a former site key back."""


class Patients:
    """Answers about one patient."""

    def __init__(self, assessor: Assessor, log: AssessmentLog, *, product_what_if: bool) -> None:
        """Assess through the assessor; look up and report in the log."""
        self._assessor = assessor
        self._log = log
        self._product_what_if = product_what_if

    async def assess(self, visit: Visit, detail: Detail = Detail.FULL) -> Response:
        """Assess one patient."""
        made = self._assessor.answer(await _sent(visit), visit, detail)
        return Response(await self._assessor.keep(made), media_type=JSON)

    async def validate(self, visit: Visit) -> Response:
        """Check one patient as :meth:`assess` does; nothing is computed or kept."""
        sent = await _sent(visit)
        today = self._assessor.today()
        given, _ = without_reference(sent.given, today)
        try:
            patient = read_patient(given, today)
        except RequestProblems as refused:
            raise unreadable(refused, "nothing would be assessed") from None
        return json_answer({"valid": True, "values": _values(patient)})

    async def what_if(self, visit: Visit) -> Response:
        """Assess a patient as if some inputs were measured again or planned differently."""
        sent = await _sent(visit)
        today = self._assessor.today()
        edited, said = read_what_if(sent.given, today, with_product=self._product_what_if)

        def told(answered: Answered, inputs: Inputs) -> dict[str, Any]:
            burden = answered.fields.get("tumour_burden_source")
            used = burden if isinstance(burden, str) else None
            idle = without_effect(sent.given["changes"], inputs, edited["disease"], used)
            return {"what_if": {**said, "notes": [*said["notes"], *idle]}}

        made = self._assessor.answer(Sent(sent.content, edited), visit, beside=told)
        return Response(await self._assessor.keep(made), media_type=JSON)

    async def report_outcome(self, visit: Visit) -> Response:
        """Keep what happened to an assessed patient."""
        sent = await _sent(visit)
        try:
            assessment_id = read_reported_outcome(sent.given).assessment_id
        except RequestProblems as refused:
            raise unreadable(refused, "nothing was kept") from None
        try:
            receipt = await self._log.record_outcome(
                assessment_id, sent.content, request_id=visit.request_id, api_key_id=visit.caller
            )
        except UnknownAssessment:
            raise not_found() from None
        except ErasedAssessment:
            raise erased() from None
        except LogUnavailable as unavailable:
            LOG_UNAVAILABLE.inc()
            raise busy("the outcome could not be kept", unavailable.retry_after) from None
        kept = {"outcome_id": str(receipt.id), "recorded_at": receipt.when.isoformat()}
        content = orjson.dumps({"assessment_id": str(assessment_id), **kept})
        return Response(content, HTTPStatus.CREATED, media_type=JSON)

    async def look_up(self, visit: Visit) -> Response:
        """Return an assessment as it was sent, with the outcomes reported since.

        A brief one has a media type of its own: whoever expects a whole one is not surprised.
        """
        try:
            assessment_id = UUID(visit.parameter)
        except ValueError:
            raise not_found() from None
        try:
            stored = await self._log.read(assessment_id)
        except UnknownAssessment:
            raise not_found() from None
        except ErasedAssessment:
            raise erased() from None
        except LogUnavailable as unavailable:
            raise busy("the log cannot be read", unavailable.retry_after) from None
        except LogRefused:
            raise busy("the site key of this assessment is not at hand", _KEY_SECONDS) from None
        outcomes = [
            {"outcome_id": str(o.id), "recorded_at": o.when.isoformat(), **orjson.loads(o.report)}
            for o in stored.outcomes
        ]
        assessment = orjson.loads(stored.answer)
        media_type = BRIEF_JSON if assessment.get("detail") == Detail.BRIEF else JSON
        return json_answer({"assessment": assessment, "outcomes": outcomes}, media_type)


async def _sent(visit: Visit) -> Sent:
    visit.media_type((JSON,))
    content = await visit.body(MOST_BODY_BYTES)
    return Sent(content, read_json(content))


def _values(patient: PatientRequest) -> list[dict[str, Any]]:
    return [
        {"predictor": name, "value": value, "unit": getattr(PREDICTORS[name], "unit", None)}
        if isinstance(PREDICTORS[name], Quantity)
        else {"predictor": name, "value": value}
        for name, value in patient.values.items()
    ]


def not_found() -> RequestRefused:
    """Return the refusal of an id that no assessment has."""
    return RequestRefused(HTTPStatus.NOT_FOUND, "no assessment has this id")


def erased() -> RequestRefused:
    """Return the refusal of an assessment that was erased."""
    return RequestRefused(HTTPStatus.GONE, "what this assessment said was erased")
