"""What the service says of itself: the data contract, the models, its document, its health."""

import asyncio
from typing import Any

from starlette.responses import Response

from data_schemas.predictors import PREDICTORS, REQUIRED, Category, Declared, Quantity
from data_schemas.products import WORD_LABELS
from serving.assess import model_statement
from serving.assessment_log.log import AssessmentLog
from serving.doors.gate import DEADLINE_SECONDS, busy
from serving.doors.guard import Guard
from serving.doors.json_answer import json_answer
from serving.doors.metrics import MEDIA_TYPE, count_up, exposition
from serving.doors.visit import Visit
from serving.model.artefact import Artefact
from serving.model.inputs import NOTHING
from serving.openapi import openapi_document
from serving.ward import Ward


class Catalogue:
    """Answers that depend on no patient."""

    def __init__(self, ward: Ward, log: AssessmentLog, guard: Guard) -> None:
        """Describe what answers, the log without which nothing does, and who lets callers pass."""
        self._ward = ward
        self._log = log
        self._guard = guard

    async def predictors(self, _visit: Visit) -> Response:
        """Return the data contract."""
        ready = self._ward.assessor
        read = NOTHING if ready is None else ready.inputs
        described = [_describe(name, PREDICTORS[name], name in read) for name in PREDICTORS]
        return json_answer({"predictors": described})

    async def model(self, _visit: Visit) -> Response:
        """Return the models in service with their cards and priors."""
        artefacts = self._ward.artefacts
        if not artefacts:
            raise busy(self._ward.refusal)
        return json_answer({"models": [_describe_model(a) for a in artefacts.values()]})

    async def document(self, _visit: Visit) -> Response:
        """Return the OpenAPI document."""
        return json_answer(openapi_document())

    async def livez(self, _visit: Visit) -> Response:
        """Say that the process answers."""
        return json_answer({"alive": True})

    async def readyz(self, _visit: Visit) -> Response:
        """Say which verified models answer, and whether an update of them or of keys was refused.

        Without its log the service gives no answer, so it is not ready either; nor while what
        waits for the log is refused for being late.
        """
        if not self._ward.ready:
            raise busy(self._ward.refusal)
        if self._log.refusal is not None:
            raise busy(self._log.refusal)
        if self._log.lag > DEADLINE_SECONDS:
            raise busy("the assessment log hangs: its database or disk does not answer")
        return json_answer(
            {
                "ready": True,
                "models": {name: a.sha256 for name, a in self._ward.artefacts.items()},
                "refused_update": self._ward.refused_update,
                "refused_keys": self._guard.refusal,
            }
        )

    async def metrics(self, _visit: Visit) -> Response:
        """Return the metrics of all workers; what others counted within a second may lack.

        A worker that is killed takes up to a second of its counts with it; the log has the rows.
        """
        count_up()
        return Response(await asyncio.to_thread(exposition), media_type=MEDIA_TYPE)


def _describe(name: str, declared: Declared, used: bool) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": name,
        "label": declared.label,
        "group": declared.group,
        "tier": declared.tier,
        "required": name in REQUIRED,
        "used_by_model": used,
        "loinc": declared.loinc,
        "look_back_days": declared.look_back_days,
        "diseases": declared.diseases,
        "direction": {
            "severe_crs": declared.direction.severe_crs,
            "severe_icans": declared.direction.severe_icans,
            "reason": declared.reason,
        },
        "reference": declared.reference,
        "note": declared.note,
    }
    if isinstance(declared, Quantity):
        return described | {
            "kind": "quantity",
            "unit": declared.unit,
            "accepted_units": {
                unit: {"factor": float(c.factor), "offset": float(c.offset)}
                for unit, c in declared.conversions.items()
            },
            "hard_limits": declared.hard,
            "soft_limits": declared.soft,
            "whole_number": declared.whole,
            "columns": declared.columns(name),
        }
    if isinstance(declared, Category):
        labels = WORD_LABELS.get(name, {})
        return described | {"kind": "category", "choices": declared.choices, "labels": labels}
    return described | {"kind": "flag", "choices": ["yes", "no", "unknown"]}


def _describe_model(artefact: Artefact) -> dict[str, Any]:
    return {
        "outcome": artefact.model.outcome,
        "version": artefact.version,
        "sha256": artefact.sha256,
        "statement": model_statement(artefact.manifest),
        "manifest": artefact.manifest.model_dump(mode="json"),
        "verdict": artefact.verdict,
        "prior": artefact.prior,
        "model_card": artefact.card,
    }
