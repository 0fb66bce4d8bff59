"""Looks once a second whether the store or the key file changed, and takes over what is right.

Reading and verifying happens off the event loop; the swap itself is one assignment.
"""

import asyncio
import gc
import logging
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from time import monotonic

from data_schemas.refusal import Refused
from serving.assessment_log.counters import Counters
from serving.assessment_log.log import AssessmentLog
from serving.doors.guard import Guard
from serving.doors.metrics import KEYS_REFUSED, LOG_LAG, count_log, count_up, show_models
from serving.model.store_state import State, pointed_at, pointers
from serving.ward import Ward

EVERY_SECONDS = 1.0
ISSUER_EVERY_SECONDS = 3600.0
ISSUER_AT_MOST_EVERY_SECONDS = 60.0
"""Who sends tokens with made-up keys shall not make us hammer the issuer."""
_log = logging.getLogger("cart_risk.watch")


class Watch:
    """Keeps ward and guard as their files say."""

    def __init__(self, ward: Ward, store: Path, guard: Guard, log: AssessmentLog) -> None:
        """Remember what the store says now."""
        self._ward = ward
        self._log = log
        self._store = store
        self._counted = Counters()
        self._guard = guard
        self._seen = pointers(store)
        self._refused: State | None = None
        """What the pointers led to when that was last tried, and maybe refused."""
        self._refused_keys: str | None = None
        self._issuer_asked = monotonic()
        self._asking: asyncio.Task[None] | None = None
        show_models({}, ward.artefacts, ward.refused_update)

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            await self.look()

    async def look_at_counts(self) -> None:
        """Tell what was counted, and what the log did, since the last look."""
        count_up()
        LOG_LAG.set(self._log.lag)
        before, self._counted = self._counted, replace(self._log.counters)
        count_log(before, self._counted)

    async def look(self) -> None:
        """Take over what changed; whatever one look comes upon, keys must go on being revoked."""
        looks = (self.look_at_keys, self.look_at_issuer, self.look_at_store, self.look_at_counts)
        for look in looks:
            try:
                await look()
            except Exception as error:
                _log.error("a look failed", extra={"error": type(error).__name__})

    async def look_at_keys(self) -> None:
        """Take over keys that were added or revoked; why nobody may pass, or not by them, is told.

        Keys expire although their file does not change.
        """
        with suppress(Refused):  # which the guard remembers
            self._guard.refresh()
        before, self._refused_keys = self._refused_keys, self._guard.refusal
        if self._refused_keys not in (before, None):
            _log.error("access not renewed", extra={"reason": self._refused_keys})
        KEYS_REFUSED.set(self._refused_keys is not None)

    async def look_at_issuer(self) -> None:
        """Ask the issuer of tokens for its keys: once an hour, and at a key that is not known.

        Nobody waits for the answer: keys are revoked meanwhile.
        """
        wait = ISSUER_EVERY_SECONDS
        if self._guard.met_unknown_key:
            wait = ISSUER_AT_MOST_EVERY_SECONDS
        if self._asking is not None and self._asking.done():
            asked, self._asking = self._asking, None
            asked.result()
        if self._asking is None and monotonic() - self._issuer_asked >= wait:
            self._issuer_asked = monotonic()
            self._asking = asyncio.create_task(self._ask_issuer())

    async def _ask_issuer(self) -> None:
        try:
            await asyncio.to_thread(self._guard.refresh_issuer)
        except Refused as refusal:
            _log.error("access not renewed", extra={"reason": str(refusal)})

    async def look_at_store(self) -> None:
        """Take over models that were promoted.

        After a refusal the files count, too: they may have arrived after their pointer.
        """
        named = pointers(self._store)
        refused = self._ward.refused_update is not None
        if named == self._seen and not (refused and pointed_at(self._store) != self._refused):
            return
        self._seen, self._refused = named, pointed_at(self._store)
        await self._take_over()

    async def _take_over(self) -> None:
        before = self._ward.artefacts
        try:
            await asyncio.to_thread(self._ward.reload, self._store)
        except Exception as error:
            # Nobody foresaw it; what answers goes on answering, and /readyz tells it as a refusal.
            self._ward.refused_update = (
                f"what the store names could not be loaded ({type(error).__name__})"
            )
        # What was just loaded stays for long: the collector need not look at it again.
        gc.freeze()
        show_models(before, self._ward.artefacts, self._ward.refused_update)
        if self._ward.refused_update:
            _log.error("update refused", extra={"reason": self._ward.refused_update})
        else:
            _log.info("models replaced")
