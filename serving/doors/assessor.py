"""From what a caller sent to an answer that is on disk."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from time import perf_counter
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from data_schemas.patient_request import Problem, RequestProblems, read_patient
from serving.assess import Answered, Detail
from serving.assess import Assessor as Ready
from serving.assessment_log.entries import LogEntry, new_id
from serving.assessment_log.log import AssessmentLog
from serving.assessment_log.refusals import LogUnavailable
from serving.doors.clock import Clock, now
from serving.doors.gate import busy
from serving.doors.metrics import LOG_SECONDS, LOG_UNAVAILABLE, count_assessment
from serving.doors.problem import RequestRefused, unreadable
from serving.doors.visit import Visit
from serving.model.inputs import Inputs
from serving.ward import Ward

REFERENCE = "reference"
_REFERENCE = re.compile(r"[0-9A-Za-z._:-]{1,64}")


@dataclass(frozen=True, slots=True)
class Sent:
    """One patient as sent: the body as it is logged, and what was read from it."""

    content: bytes
    given: Any


class Made(NamedTuple):
    """An answer before it is kept: its row, and what is counted once that is on disk."""

    entry: LogEntry
    cautions: tuple[str, ...]
    missing: tuple[str, ...]


Beside = Callable[[Answered, Inputs], dict[str, Any]]
"""Further fields, from an answer and from what the models read."""


class Assessor:
    """Assesses with the models in service and keeps every answer."""

    def __init__(self, ward: Ward, log: AssessmentLog, clock: Clock = now) -> None:
        """Answer from a ward into a log; dates are judged by the clock."""
        self._ward = ward
        self._log = log
        self._clock = clock

    def today(self) -> date:
        """Return the day by which dates are judged."""
        return self._clock().date()

    def answer(
        self, sent: Sent, visit: Visit, detail: Detail = Detail.FULL, beside: Beside | None = None
    ) -> Made:
        """Return the answer as it will be logged and sent.

        Parameters
        ----------
        beside
            Gives fields that stand before those of the assessment.

        Raises
        ------
        RequestRefused
            422 with every problem; 503 while no model is in service.
        """
        ready = self.ready()
        # The day by which dates are judged is the one that the answer names, also at midnight.
        moment = self._clock()
        today = moment.date()
        given, reference = without_reference(sent.given, today)
        try:
            made = ready.assess(read_patient(given, today), detail, today)
        except RequestProblems as refused:
            raise unreadable(refused) from None
        assessment_id = new_id()
        more = beside(made, ready.inputs) if beside is not None else {}
        entry = LogEntry(
            id=assessment_id,
            input=sent.content,
            answer=_with_head(made, {**_head(assessment_id, moment), **more}),
            status=made.status,
            model_hashes=ready.model_hashes,
            request_id=visit.request_id,
            api_key_id=visit.caller,
            reference=reference,
        )
        return Made(entry, made.cautions, made.missing)

    def ready(self) -> Ready:
        """Return what computes an answer.

        Raises
        ------
        RequestRefused
            503, while no model is in service.
        """
        ready = self._ward.assessor
        if ready is None:
            raise busy(self._ward.refusal)
        return ready

    async def keep(self, made: Made) -> bytes:
        """Return the answer once it is on disk.

        Raises
        ------
        RequestRefused
            503, if it cannot be kept: then it is not sent either.
        """
        await self.keep_all([made])
        return made.entry.answer

    async def keep_all(self, made: Sequence[Made]) -> None:
        """Return once all of them are on disk; they are kept together or not at all.

        Raises
        ------
        RequestRefused
            503, if they cannot be kept: then none is sent either.
        """
        if not made:
            return
        started = perf_counter()
        try:
            await self._log.append_all([one.entry for one in made])
        except LogUnavailable as unavailable:
            LOG_UNAVAILABLE.inc(len(made))
            detail = "the answer could not be kept, so it is not given"
            raise busy(detail, unavailable.retry_after) from None
        LOG_SECONDS.observe(perf_counter() - started)
        for entry, cautions, missing in made:
            count_assessment(entry.status, cautions, missing)


def without_reference(given: Any, today: date) -> tuple[Any, str | None]:
    """Part the caller's own word for the patient from the patient.

    Raises
    ------
    RequestRefused
        422, if it is not up to 64 letters, digits and ``._:-``.
    """
    if not isinstance(given, dict) or REFERENCE not in given:
        return given, None
    rest = {name: value for name, value in given.items() if name != REFERENCE}
    reference = given[REFERENCE]
    if isinstance(reference, str) and _REFERENCE.fullmatch(reference):
        return rest, reference
    message = "must be up to 64 letters, digits and . _ : -"
    problem = Problem(REFERENCE, "not_a_reference", message)
    raise unreadable(RequestProblems((problem, *problems_of(rest, today))))


def problems_of(given: Any, today: date) -> Iterable[Problem]:
    """Return everything that is wrong with a patient and the caller's word for the patient."""
    try:
        read_patient(without_reference(given, today)[0], today)
    except (RequestProblems, RequestRefused) as refused:
        return refused.problems
    return ()


def _head(assessment_id: UUID, moment: datetime) -> dict[str, str]:
    assessed_at = moment.isoformat(timespec="milliseconds")
    return {"assessment_id": str(assessment_id), "assessed_at": assessed_at}


def _with_head(made: Answered, head: dict[str, Any]) -> bytes:
    return orjson.dumps({**head, **made.fields})
