"""Every promotion, rollback and withdrawal, for ever: an append-only file, its lines chained.

The hash of the last line lies in a file of its own, so that the last line, too, cannot be changed
or taken away unseen.
Whoever may write both files can still forge both: the ledger shows mistakes and quiet edits, it
does not replace access rights.
Whoever reads the ledger to act on it holds a lock until the act stands in it.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from data_schemas.refusal import Refused
from serving.promotion_files import BEGINNING, HEAD_FILE, LEDGER_FILE
from serving.whole_file import whole_file
from training.account import account
from training.tracking import Registered

LOCK_FILE = "promotions.lock"
WITHDRAW = "withdraw"
"""The act after which no version answers; its line names the one that did."""


class LedgerBroken(Refused):
    """The ledger of promotions was altered: a line is missing, changed or out of order."""


@dataclass(frozen=True, slots=True)
class Promotion:
    """One line of the ledger; ``previous`` is the sha256 of the line before."""

    when: str
    who: str
    """The account that ran the command."""
    act: str
    outcome: str
    version_before: str | None
    version: str
    sha256: str
    reason: str
    previous: str
    signed_by: str | None = None
    """The name that somebody gave who answers for it."""
    overridden: tuple[str, ...] = ()
    """What spoke against it, sentence by sentence, and was overridden."""
    compared: str = ""
    """How it did beside the version before, on the same patients."""


class Ledger:
    """The ledger of one store."""

    def __init__(self, store: Path) -> None:
        """Open the ledger of a store; it need not exist yet."""
        self.path = store / LEDGER_FILE
        self.head = store / HEAD_FILE
        self._lock = store / LOCK_FILE
        self._holds_lock = False

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep every other process from promoting meanwhile; wait for one that already does.

        The system lets go of the lock of a process that dies.
        """
        if self._holds_lock:
            yield
            return
        self._lock.parent.mkdir(parents=True, exist_ok=True)
        with self._lock.open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._holds_lock = True
            try:
                yield
            finally:
                self._holds_lock = False

    def lines(self) -> list[Promotion]:
        """Return every promotion, oldest first.

        Raises
        ------
        LedgerBroken
            Naming the first line that does not follow from the one before, or the last one where it
            is not the line that was written last.
        """
        promotions, previous = [], BEGINNING
        written = self._written()
        for number, line in enumerate(written, start=1):
            promotion = self._read(line, number)
            if promotion.previous != previous:
                raise LedgerBroken(f"line {number} of {self.path.name} does not follow line before")
            promotions.append(promotion)
            previous = hashlib.sha256(line).hexdigest()
        if previous not in self._heads(written):
            raise LedgerBroken(
                f"line {len(written)} of {self.path.name} is not the last that was written, "
                f"by {self.head.name}"
            )
        return promotions

    def current(self, outcome: str) -> str | None:
        """Return the version that answers for an outcome, if any."""
        last = self.last(outcome)
        return last.version if last and last.act != WITHDRAW else None

    def last(self, outcome: str) -> Promotion | None:
        """Return the last line of an outcome, if any."""
        lines = [p for p in self.lines() if p.outcome == outcome]
        return lines[-1] if lines else None

    def answered(self, outcome: str) -> list[str | None]:
        """Return the versions that led to the present one, oldest first; a rollback drops one.

        None stands where an outcome was withdrawn.
        """
        stack: list[str | None] = []
        for promotion in self.lines():
            if promotion.outcome != outcome:
                continue
            if promotion.act == "rollback":
                del stack[-1:]
            elif promotion.act == WITHDRAW:
                stack.append(None)
            elif [promotion.version] != stack[-1:]:
                stack.append(promotion.version)
        return stack

    def was_overridden(self, outcome: str, version: str) -> bool:
        """Tell whether something spoke against a version when it was last promoted."""
        promoted = [
            p.overridden
            for p in self.lines()
            if (p.outcome, p.version, p.act) == (outcome, version, "promote")
        ]
        return bool(promoted and promoted[-1])

    def append(
        self,
        act: str,
        meant: "Registered | Promotion",
        reason: str,
        *,
        signed_by: str | None = None,
        overridden: tuple[str, ...] = (),
        compared: str = "",
    ) -> Promotion:
        """Write one line, of a version or of that of another line, and have it on disk."""
        with self.alone():
            written = self._written()
            promotion = Promotion(
                when=datetime.now(UTC).isoformat(timespec="seconds"),
                who=account(),
                act=act,
                outcome=meant.outcome,
                version_before=self.current(meant.outcome),
                version=meant.version,
                sha256=meant.sha256,
                reason=reason,
                previous=_last_hash(written),
                signed_by=signed_by,
                overridden=overridden,
                compared=compared,
            )
            self._write(promotion)
        return promotion

    def _write(self, promotion: Promotion) -> None:
        line = json.dumps(asdict(promotion), sort_keys=True).encode()
        # A run that is killed in between leaves a head that knows both the old and the new end.
        self._write_heads(promotion.previous, _last_hash([line]))
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        with os.fdopen(descriptor, "ab") as ledger:
            ledger.write(line + b"\n")
            ledger.flush()
            os.fsync(ledger.fileno())
        self._write_heads(_last_hash([line]))

    def _written(self) -> list[bytes]:
        return self.path.read_bytes().splitlines() if self.path.exists() else []

    def _read(self, line: bytes, number: int) -> Promotion:
        try:
            said = json.loads(line)
            return Promotion(**{**said, "overridden": tuple(said.get("overridden", ()))})
        except (ValueError, TypeError, AttributeError):
            raise LedgerBroken(f"line {number} of {self.path.name} is no promotion") from None

    def _heads(self, written: list[bytes]) -> list[str]:
        """Return what the last line's hash may be."""
        if self.head.exists():
            return self.head.read_text("utf-8").split()
        # Ledgers of the first release had no head, and their lines nothing of an override.
        headless = not any(b'"overridden"' in line for line in written)
        return [_last_hash(written)] if headless else []

    def _write_heads(self, *hashes: str) -> None:
        with whole_file(self.head) as head:
            head.write("".join(f"{one}\n" for one in hashes).encode())


def _last_hash(written: list[bytes]) -> str:
    return hashlib.sha256(written[-1]).hexdigest() if written else BEGINNING
