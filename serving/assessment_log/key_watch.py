"""Notices that the site key which a worker writes with was taken out of the key file.

Whoever changes the site key starts the workers again before the former key may go. A worker that
was forgotten would go on writing rows that nobody can open any more.
"""

import contextlib
import logging
import os
from pathlib import Path

from serving.assessment_log.refusals import LogRefused
from serving.assessment_log.site_key import SiteKeys

_journal = logging.getLogger(__name__)

GONE = (
    "the site key that this worker writes with is no longer in the log's key file: put it back as "
    "a second line, start the workers again, and run `cart-risk log-rewrap` before it goes"
)


class KeyWatch:
    """Looks whether a key file still holds the key that is written with."""

    def __init__(self, path: Path, keys: SiteKeys) -> None:
        """Take the file for what it was when the keys were read from it."""
        self._path = path
        self._key_id = keys.current.id
        self._seen: tuple[int, ...] | None = None
        self.known: str | None = None
        """Why nothing might be written at the last look."""

    def look(self) -> str | None:
        """Return why nothing may be written; None if the key is in the file as far as is known.

        Costs some microseconds: the file is read only once it changed. One that cannot be read says
        nothing of the key.
        """
        with contextlib.suppress(OSError, LogRefused):
            found = os.stat(self._path)
            state = (found.st_ctime_ns, found.st_size, found.st_ino)
            if state != self._seen:
                self._seen = state
                self._take(SiteKeys.read(self._path))
        return self.known

    def _take(self, keys: SiteKeys) -> None:
        before, self.known = self.known, None if self._key_id in keys.all else GONE
        if self.known and not before:
            _journal.error("%s", self.known)
