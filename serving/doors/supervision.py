"""How soon a worker that died is replaced, and that no worker outlives its supervisor.

BentoML's supervisor looks after its workers every 10 seconds and takes no setting for it: with one
worker that is how long nobody answers. In what it takes for a container it replaces none at all.
And it waits by the clock of the day: once that was set back by an hour, nobody would be replaced
for an hour. It makes the supervisor by one function, which takes the delay and the workers; here it
gets them, and a clock, as they shall be. ``tests/serving/test_worker_killed.py`` notices a BentoML
that no longer needs this.
"""

import asyncio
import logging
import os
import signal
import time
from typing import Any

from bentoml._internal.utils import circus

LOOK_EVERY_SECONDS = 0.5
_SUPERVISOR = "_CART_RISK_SUPERVISOR"
"""The variable by which a worker knows its supervisor's process, whenever it begins to look."""
_make = circus.create_standalone_arbiter
_log = logging.getLogger("cart_risk.supervision")


def look_after_workers_often() -> None:
    """Let the supervisor that is started from now on look every ``LOOK_EVERY_SECONDS``."""
    circus.create_standalone_arbiter = supervisor


def supervisor(watchers: list[Any], **given: Any) -> Any:
    """Return BentoML's supervisor of these workers, which replaces whoever dies.

    Each is told whose it is: a worker that asked only after its supervisor was killed would take
    whoever adopts it for its supervisor.
    """
    for watcher in watchers:
        watcher.respawn = True
        watcher.env = {**(watcher.env or os.environ), _SUPERVISOR: str(os.getpid())}
    made = _make(watchers, check_delay=LOOK_EVERY_SECONDS, **given)
    made.loop.time = time.monotonic
    return made


async def end_with_supervisor() -> None:
    """Wait until the supervisor of this worker is gone, and end the worker as it would have done.

    A supervisor that is killed takes nobody with it: its workers would go on answering unseen, and
    hold the port against the service that is started in its place.
    """
    while os.getppid() == int(os.environ[_SUPERVISOR]):
        await asyncio.sleep(LOOK_EVERY_SECONDS)
    _log.error("not supervised any more: ending")
    signal.raise_signal(signal.SIGTERM)
