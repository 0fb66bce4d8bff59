"""Every row has its key, or an erasure that says why not; and every key its row."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID

from serving.assessment_log.chain_check import Finding
from serving.assessment_log.database import Connection
from serving.assessment_log.entries import Kind
from serving.assessment_log.refusals import LogDamaged, LogRefused
from serving.assessment_log.rows import DataKeyRow, EntryRow
from serving.assessment_log.sealing import Sealing

_WITHOUT_KEY = (
    "SELECT id, kind FROM entry LEFT JOIN data_key ON data_key.entry = entry.id "
    "WHERE data_key.entry IS NULL"
)
_WITHOUT_ROW = (
    "SELECT data_key.entry FROM data_key LEFT JOIN entry ON entry.id = data_key.entry "
    "WHERE entry.id IS NULL"
)
_OF_THE_SITE = frozenset(kind for kind in Kind if kind.is_of_the_site)
_KEYS = "SELECT entry, reference, site_key, wrapped FROM data_key"


@dataclass(slots=True)
class KeyCheck:
    """Collects what was erased while the rows go by, then looks at the keys."""

    _erased: set[bytes] = field(default_factory=set)

    def follow(self, row: EntryRow) -> None:
        """Note what a sound row says was erased."""
        if row.kind != Kind.ERASURE:
            return
        # An erasure that cannot be read was forged: it explains nothing, so its rows are found.
        with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError, RecursionError):
            self._erased |= {UUID(id).bytes for id in json.loads(row.answer)["erased"]}

    def end(self, connection: Connection, sealing: Sealing | None) -> Iterator[Finding]:
        """Look at the keys, and open each one if the site's keys are at hand."""
        for id, kind in connection.rows(_WITHOUT_KEY):
            if kind not in _OF_THE_SITE and id not in self._erased:
                message = "the row's key was destroyed, and no erasure says so"
                yield Finding("missing", _named(id), message)
        for (id,) in connection.rows(_WITHOUT_ROW):
            yield Finding("missing", _named(id), "there is a key, and the row it opens is gone")
        if sealing is None:
            return
        for row in connection.rows(_KEYS):
            key = DataKeyRow._make(row)
            try:
                sealing.data_key(key)
            except (LogDamaged, LogRefused):
                message = "the row's key was altered, or wrapped by a site key that is not at hand"
                yield Finding("altered", _named(key.entry), message)


def _named(id: object) -> str:
    return f"entry {id.hex() if isinstance(id, bytes) else 'without an id'}"
