"""Is the log what was written? Every row, every chain, every key.

What is found: a row that was altered, deleted, inserted, duplicated or moved; a tail that was cut
off; a chain that was removed whole, once a later one names it or if its example or the log's
secret was left behind; a head that was set back by somebody who does not hold the site key; a key
that was altered, or destroyed without an erasure.

What an attacker can still do who may write to everything: with the site key, forge a log from
some point on. Without it, put an older copy of the whole database in place of the present one, or
remove the newest chains, of which no later chain knows, with whatever they left behind; emptied
of all, it is a log that nobody wrote to. These are found by heads that were exported before
(``cart-risk log-heads``) to a place that the attacker cannot write to, and only by these.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from serving.assessment_log.chain_check import ChainCheck, Finding, gone
from serving.assessment_log.database import Connection, Database, connected
from serving.assessment_log.heads import Mark, is_sound, marks, writers
from serving.assessment_log.key_check import KeyCheck
from serving.assessment_log.log_secret import stored_secret
from serving.assessment_log.refusals import LogRefused
from serving.assessment_log.rows import EntryRow, WriterRow, digest
from serving.assessment_log.schema import SCHEMA, version
from serving.assessment_log.sealing import Inputs, Sealing
from serving.assessment_log.site_key import SiteKeys

_ROWS = f"SELECT {', '.join(EntryRow._fields)} FROM entry ORDER BY position"  # noqa: S608  # names of this package


UNREADABLE = "unreadable"
"""The kind of a finding that says nothing of rows: the database went away, or its file is spoilt.
"""


@dataclass(frozen=True, slots=True)
class Verification:
    """What was read, and everything that is not as it was written."""

    rows: int
    writers: int
    with_site_key: bool
    """Without it, seals of heads and wrapped keys were not looked at."""
    findings: tuple[Finding, ...]


def verify(
    database: Database, keys: SiteKeys | None = None, exported: Sequence[Mark] = ()
) -> Verification:
    """Read the whole log as it is at one moment; workers may go on writing.

    Parameters
    ----------
    keys
        The site's keys; without them everything but seals and wrapped keys is verified.
    exported
        Heads that were exported before, from :func:`serving.assessment_log.heads.read_heads`.

    Raises
    ------
    LogRefused
        If there is no log of this release.
    """
    if version(database) != SCHEMA:
        raise LogRefused("there is no assessment log of this release")
    with connected(database) as connection:
        connection.begin_reading()
        return _Verifier(connection, exported).verified(keys, database.errors)


class _Verifier:
    """One pass over the log."""

    def __init__(self, connection: Connection, exported: Sequence[Mark]) -> None:
        self._connection = connection
        self._findings: list[Finding] = []
        self._rows = 0
        self._writers = self._sound_writers()
        self._marks = self._all_marks(exported)
        self._checks = {id: self._check(id) for id in self._writers}
        self._key_check = KeyCheck()

    def verified(self, keys: SiteKeys | None, errors: tuple[type[Exception], ...]) -> Verification:
        try:
            sealing = None if keys is None else self._sealing(keys)
            self._follow_rows()
            self._look_at_writers(sealing)
            self._findings += self._key_check.end(self._connection, sealing)
        except errors as error:
            message = f"the database could not be read to its end ({type(error).__name__})"
            self._findings.append(Finding(UNREADABLE, "database", message))
        return Verification(self._rows, len(self._writers), keys is not None, tuple(self._findings))

    def _sound_writers(self) -> dict[bytes, WriterRow]:
        found = {}
        for writer in writers(self._connection):
            if is_sound(writer):
                found[writer.id] = writer
            else:
                message = "the record of a writer does not hold what such a record holds"
                self._findings.append(Finding("altered", "writer", message))
        return found

    def _all_marks(self, exported: Sequence[Mark]) -> dict[bytes, dict[int, list[Mark]]]:
        listed = list(exported)
        for id, writer in self._writers.items():
            listed += marks(f"writer {id.hex()}", json.loads(writer.follows))
        found: dict[bytes, dict[int, list[Mark]]] = {}
        for mark in listed:
            found.setdefault(mark.writer, {}).setdefault(mark.sequence, []).append(mark)
        return found

    def _check(self, id: Any) -> ChainCheck:
        name = id.hex() if isinstance(id, bytes) else "without an id"
        return ChainCheck(name, self._writers.get(id), self._marks.pop(id, {}))

    def _sealing(self, keys: SiteKeys) -> Sealing | None:
        try:
            secret = stored_secret(self._connection, keys)
        except LogRefused as refused:
            self._findings.append(Finding("altered", "log secret", str(refused)))
            return None
        if secret is None:
            if self._writers:
                self._findings.append(Finding("missing", "log secret", "it was deleted"))
            return None
        return Sealing(keys, secret, Inputs.ENCRYPTED)

    def _follow_rows(self) -> None:
        for values in self._connection.rows(_ROWS):
            row = EntryRow._make(values)
            self._rows += 1
            if row.writer not in self._checks:
                self._checks[row.writer] = self._check(row.writer)
            if self._checks[row.writer].follow(row):
                self._key_check.follow(row)

    def _look_at_writers(self, sealing: Sealing | None) -> None:
        for check in self._checks.values():
            self._findings += check.end()
        self._findings += gone(m for ms in self._marks.values() for [m, *_] in ms.values())
        contents: dict[object, Any] = dict(
            self._connection.rows("SELECT id, content FROM dictionary")
        )
        self._look_for_writers_left_out(contents)
        for id, writer in self._writers.items():
            where = f"writer {id.hex()}"
            if digest((contents.get(writer.dictionary),)) != writer.dictionary:
                message = "the example by which its answers were shortened is not what it was"
                self._findings.append(Finding("altered", where, message))
            if sealing and sealing.head_seal(id, writer.sequence, writer.head) != writer.seal:
                message = "the writer's head was not set by a holder of the site key"
                self._findings.append(Finding("forged", where, message))

    def _look_for_writers_left_out(self, examples: Mapping[object, object]) -> None:
        """Find what only a writer leaves behind, where no record of such a writer is left.

        A log that was made and not written to yet holds neither.
        """
        for id in examples.keys() - {writer.dictionary for writer in self._writers.values()}:
            name = id.hex() if isinstance(id, bytes) else "without an id"
            message = "there is an example, and no record of who shortened answers by it is left"
            self._findings.append(Finding("missing", f"example {name}", message))
        has_secret = next(self._connection.rows("SELECT 1 FROM log_secret"), None) is not None
        if has_secret and not self._writers:
            message = "there is a secret of the log, and no record of anybody who wrote is left"
            self._findings.append(Finding("missing", "writer", message))
