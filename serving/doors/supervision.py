"""How soon a worker that died is replaced.

BentoML's supervisor looks after its workers every 10 seconds and takes no setting for it: with one
worker that is how long nobody answers. It makes the supervisor by one function, which takes the
delay; here it gets one. ``tests/serving/test_worker_killed.py`` notices a BentoML that no longer
needs this.
"""

from functools import partial
from typing import Any

from bentoml._internal.utils import circus

LOOK_EVERY_SECONDS = 0.5


def look_after_workers_often(module: Any = circus) -> None:
    """Let the supervisor that is started from now on look every ``LOOK_EVERY_SECONDS``."""
    module.create_standalone_arbiter = partial(
        module.create_standalone_arbiter, check_delay=LOOK_EVERY_SECONDS
    )
