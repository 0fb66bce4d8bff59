"""How soon a worker that died is replaced.

BentoML's supervisor looks after its workers every 10 seconds and takes no setting for it: with one
worker that is how long nobody answers. In what it takes for a container it replaces none at all. It
makes the supervisor by one function, which takes the delay and the workers; here it gets them as
they shall be. ``tests/serving/test_worker_killed.py`` notices a BentoML that no longer needs this.
"""

from typing import Any

from bentoml._internal.utils import circus

LOOK_EVERY_SECONDS = 0.5
_make = circus.create_standalone_arbiter


def look_after_workers_often() -> None:
    """Let the supervisor that is started from now on look every ``LOOK_EVERY_SECONDS``."""
    circus.create_standalone_arbiter = supervisor


def supervisor(watchers: list[Any], **given: Any) -> Any:
    """Return BentoML's supervisor of these workers, which replaces whoever dies."""
    for watcher in watchers:
        watcher.respawn = True
    return _make(watchers, check_delay=LOOK_EVERY_SECONDS, **given)
