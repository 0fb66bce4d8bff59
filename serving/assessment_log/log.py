"""The assessment log, as the doors see it: every answer is on disk before it is sent."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar
from uuid import UUID

from serving.assessment_log.counters import Counters
from serving.assessment_log.database import Connection, connected
from serving.assessment_log.entries import Kind, LogEntry, Receipt, StoredAssessment
from serving.assessment_log.group_commit import GroupCommit
from serving.assessment_log.key_watch import KeyWatch
from serving.assessment_log.log_writer import LogWriter
from serving.assessment_log.opening import LogHome
from serving.assessment_log.reading import expect_assessment, read_assessment
from serving.assessment_log.refusals import LogUnavailable, kind_of
from serving.assessment_log.sealing import Sealing
from serving.settings import LogSettings

T = TypeVar("T")


class AssessmentLog:
    """One worker's log. Open it in the process that answers, not in one that forks it."""

    def __init__(self, home: LogHome, example: bytes = b"") -> None:
        """Open a log; see :meth:`open`."""
        self._home = home
        self._example = example
        self._sealing: Sealing | None = None
        self._key_watch = KeyWatch(home.key_file, home.keys)
        self._readers = ThreadPoolExecutor(1, thread_name_prefix="assessment-log-reader")
        self._commits = GroupCommit(self._writer, home.database.errors)

    @classmethod
    def open(cls, settings: LogSettings, example: bytes = b"") -> "AssessmentLog":
        """Open the log, making it where there is none.

        A database that is away does not hinder the start: the log is not ``ready`` until it is
        back.

        Parameters
        ----------
        example
            The answer to an invented patient: real answers are stored as differences from it.

        Raises
        ------
        LogRefused
            If a setting, the key or the tables are not as they must be; it names the remedy.
        """
        return cls(LogHome(settings), example)

    def _writer(self) -> LogWriter:
        writer = self._home.writer(self._example)
        self._sealing = writer.preparation.sealing
        return writer

    async def append(self, entry: LogEntry) -> Receipt:
        """Write a row; on return it is on disk.

        Raises
        ------
        LogUnavailable
            If it is not; the answer must not be sent.
        """
        (receipt,) = await self.append_all([entry])
        return receipt

    async def append_all(self, entries: Sequence[LogEntry]) -> list[Receipt]:
        """Write several rows in one transaction: all of them or none; see :meth:`append`."""
        if not entries:
            return []
        if self._key_watch.known is not None:
            self._expect_key()
        receipts = await self._commits.submit(entries)
        self._expect_key()
        return receipts

    def _expect_key(self) -> None:
        if (gone := self._key_watch.look()) is not None:
            raise LogUnavailable(gone)

    async def record_outcome(
        self, assessment: UUID, report: bytes, *, request_id: str, api_key_id: str
    ) -> Receipt:
        """Keep what happened to an assessed patient, as a row of its own.

        Outcomes may be reported again; the last report counts.

        Parameters
        ----------
        report
            A body that :func:`data_schemas.reported_outcome.read_reported_outcome` accepted.

        Raises
        ------
        UnknownAssessment, ErasedAssessment
            If there is nothing that the outcome could belong to.
        LogUnavailable
            If the row is not on disk.
        """
        await self._reading(lambda connection, _: expect_assessment(connection, assessment))
        return await self.append(
            LogEntry(
                kind=Kind.OUTCOME,
                answer=report,
                about=assessment,
                request_id=request_id,
                api_key_id=api_key_id,
            )
        )

    async def read(self, id: UUID) -> StoredAssessment:
        """Return an assessment as it was sent, with the outcomes reported since.

        Raises
        ------
        UnknownAssessment, ErasedAssessment
            If there is none, or its content was erased.
        LogUnavailable
            If the log cannot be read now.
        LogDamaged
            If what is stored is not what was written.
        """
        return await self._reading(lambda c, sealing: read_assessment(c, sealing, id))

    async def _reading(self, read: Callable[[Connection, Sealing], T]) -> T:
        sealing = self._sealing
        if sealing is None:
            raise LogUnavailable(self.refusal)

        def answer() -> T:
            with connected(self._home.database) as connection:
                return read(connection, sealing)

        try:
            return await asyncio.get_running_loop().run_in_executor(self._readers, answer)
        except self._home.database.errors as error:
            raise LogUnavailable(f"the assessment log cannot be read ({kind_of(error)})") from None

    @property
    def refusal(self) -> str | None:
        """Why the log is not ready, in words for an operator; None if it is."""
        return self._key_watch.look() or self._commits.refusal

    @property
    def lag(self) -> float:
        """Seconds for which the oldest row has been waiting to be on disk; 0 if none waits."""
        return self._commits.lag

    @property
    def counters(self) -> Counters:
        """How much was written, in how many transactions, how often a chain was begun."""
        return self._commits.counters

    def close(self) -> None:
        """Write what waits and end; rows that come later are refused."""
        self._commits.close()
        self._readers.shutdown()
