"""A whole REST application in this process, with a real log, and clients with and without a key."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from starlette.testclient import TestClient
from starlette.types import Receive, Send
from starlette.types import Scope as AsgiScope

from serving.api_keys import KeyFile, Scope
from serving.assessment_log.log import AssessmentLog
from serving.assessment_log.site_key import write_new_key
from serving.doors.clock import Clock
from serving.doors.guard import Guard
from serving.doors.rate_limit import RateLimit
from serving.rest import RestApplication
from serving.settings import LogSettings
from serving.ward import Ward

ASKED = datetime(2026, 3, 10, 12, tzinfo=UTC)
"""When the doors of tests are asked: no infusion of their examples has passed by then."""
SECURITY = (
    "content-security-policy",
    "x-content-type-options",
    "referrer-policy",
    "cache-control",
    "x-request-id",
)


def open_log(folder: Path) -> AssessmentLog:
    """Make a log with a key of its own."""
    write_new_key(folder / "site.key")
    return AssessmentLog.open(LogSettings(f"sqlite:///{folder}/log.sqlite", folder / "site.key"))


class Running:
    """An application that begins and ends with its server, as by the hooks of BentoML."""

    def __init__(self, application: RestApplication) -> None:
        self._application = application

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self._application(scope, receive, send)
            return
        await receive()
        self._application.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._application.stop()
        await send({"type": "lifespan.shutdown.complete"})


@contextmanager
def client_of(
    ward: Ward,
    *,
    store: Path = Path("nowhere"),
    scopes: tuple[Scope, ...] = tuple(Scope),
    rate: float = 1e6,
    product_what_if: bool = False,
    clock: Clock = lambda: ASKED,
) -> Iterator[TestClient]:
    """Open the doors of a ward to one client with a key."""
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        keys = KeyFile(folder / "keys.json")
        key = keys.add("test", scopes)
        guard = Guard(keys, RateLimit(rate))
        log = open_log(folder)
        application = Running(
            RestApplication(ward, guard, log, store, product_what_if=product_what_if, clock=clock)
        )
        headers = {"authorization": f"Bearer {key}"}
        with TestClient(application, raise_server_exceptions=False, headers=headers) as client:
            yield client
