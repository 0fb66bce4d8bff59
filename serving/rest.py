"""The REST application: every door of the service, behind the gate."""

import asyncio
from contextlib import suppress
from functools import partial
from pathlib import Path

from starlette.types import Receive, Send
from starlette.types import Scope as AsgiScope

from serving.api_keys import Scope
from serving.assess import Detail
from serving.assessment_log.log import AssessmentLog
from serving.doors.assessor import Assessor
from serving.doors.batch import Batches
from serving.doors.catalogue import Catalogue
from serving.doors.clock import Clock, now
from serving.doors.door import Door, Doors
from serving.doors.fhir import Fhir
from serving.doors.gate import Gate
from serving.doors.guard import Guard
from serving.doors.history import History
from serving.doors.metrics import forget_dead_workers
from serving.doors.one_patient import Patients
from serving.doors.watch import Watch
from serving.doors.web_page import page_doors
from serving.ward import Ward


class RestApplication:
    """The ASGI application of every route, also of health and metrics."""

    def __init__(
        self,
        ward: Ward,
        guard: Guard,
        log: AssessmentLog,
        store: Path,
        *,
        product_what_if: bool,
        clock: Clock = now,
    ) -> None:
        """Hang the doors."""
        self._log = log
        self._watch = Watch(ward, store, guard, log)
        assessor = Assessor(ward, log, clock)
        patients = Patients(assessor, log, product_what_if=product_what_if)
        self._gate = Gate(
            Doors(
                [
                    *_doors(
                        patients, Batches(assessor), Catalogue(ward, log, guard), History(store)
                    ),
                    *_fhir_doors(Fhir(assessor)),
                ]
            ),
            guard,
        )
        self._watching: asyncio.Task[None] | None = None

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        await self._gate(scope, receive, send)

    def start(self) -> None:
        """Begin to watch store and keys."""
        forget_dead_workers()
        self._watching = asyncio.create_task(self._watch.run())

    async def stop(self) -> None:
        """End watching, and end the log with everything written."""
        if self._watching is not None:
            self._watching.cancel()
            with suppress(asyncio.CancelledError):
                await self._watching
        await asyncio.to_thread(self._log.close)
        await self._watch.look_at_counts()


def _doors(
    patients: Patients, batches: Batches, catalogue: Catalogue, history: History
) -> list[Door]:
    return [
        Door("POST", "/v1/assess", patients.assess, Scope.ASSESS),
        Door("POST", "/v1/assess/batch", batches.assess, Scope.ASSESS),
        Door(
            "POST", "/v1/assess/brief", partial(patients.assess, detail=Detail.BRIEF), Scope.ASSESS
        ),
        Door(
            "POST",
            "/v1/assess/batch/brief",
            partial(batches.assess, detail=Detail.BRIEF),
            Scope.ASSESS,
        ),
        Door("POST", "/v1/validate", patients.validate, Scope.ASSESS),
        Door("POST", "/v1/what-if", patients.what_if, Scope.ASSESS),
        Door("POST", "/v1/outcomes", patients.report_outcome, Scope.OUTCOMES),
        Door("GET", "/v1/assessments/{id}", patients.look_up, Scope.ASSESS),
        Door("GET", "/v1/predictors", catalogue.predictors),
        Door("GET", "/v1/model", catalogue.model),
        Door("GET", "/v1/model/history", history.history, Scope.ADMIN),
        Door("GET", "/docs.json", catalogue.document),
        Door("GET", "/livez", catalogue.livez),
        Door("GET", "/readyz", catalogue.readyz),
        Door("GET", "/metrics", catalogue.metrics),
        *page_doors(),
    ]


def _fhir_doors(fhir: Fhir) -> list[Door]:
    return [
        Door("POST", "/fhir/$assess", fhir.assess, Scope.ASSESS),
        Door("GET", "/fhir/metadata", fhir.metadata),
    ]
