"""Notices that the site key which a worker writes with was taken out of the key file.

Whoever changes the site key starts the workers again before the former key may go. A worker that
was forgotten would go on writing rows that nobody can open any more.
"""

import os
from pathlib import Path

from serving.assessment_log.refusals import LogRefused
from serving.assessment_log.site_key import SiteKeys

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
        self.refusal: str | None = None
        """Why nothing may be written now; None if the key is in the file as far as is known."""

    def look(self) -> None:
        """Read the file if it changed; one that cannot be read says nothing of the key."""
        try:
            found = os.stat(self._path)
            state = (found.st_mtime_ns, found.st_size, found.st_ino)
            if state == self._seen:
                return
            held = SiteKeys.read(self._path).all
        except (OSError, LogRefused):
            return
        self._seen = state
        self.refusal = None if self._key_id in held else GONE
