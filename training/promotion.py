"""Which model answers: moved by name, recorded for ever, and moved back as easily."""

import getpass
import hashlib
import json
import os
import tempfile
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from data_schemas.refusal import Refused
from serving.artefact import load_artefact, make_current
from training.tracking import CHALLENGER, CHAMPION, NotRegistered, Registered, Registry

LEDGER_FILE = "promotions.jsonl"
_BEGINNING = "0" * 64


class LedgerBroken(Refused):
    """The ledger of promotions was altered: a line is missing, changed or out of order."""


@dataclass(frozen=True, slots=True)
class Promotion:
    """One line of the ledger; ``previous`` is the sha256 of the line before."""

    when: str
    who: str
    act: str
    outcome: str
    version_before: str | None
    version: str
    sha256: str
    reason: str
    previous: str


class Ledger:
    """An append-only file, each line chained to the one before."""

    def __init__(self, store: Path) -> None:
        """Open the ledger of a store; it need not exist yet."""
        self.path = store / LEDGER_FILE

    def lines(self) -> list[Promotion]:
        """Return every promotion, oldest first.

        Raises
        ------
        LedgerBroken
            Naming the first line that does not follow from the one before.
        """
        if not self.path.exists():
            return []
        promotions, previous = [], _BEGINNING
        for number, line in enumerate(self.path.read_bytes().splitlines(), start=1):
            try:
                promotion = Promotion(**json.loads(line))
            except (ValueError, TypeError):
                raise LedgerBroken(f"line {number} of {self.path.name} is no promotion") from None
            if promotion.previous != previous:
                raise LedgerBroken(f"line {number} of {self.path.name} does not follow line before")
            promotions.append(promotion)
            previous = hashlib.sha256(line).hexdigest()
        return promotions

    def current(self, outcome: str) -> str | None:
        """Return the version that answers for an outcome, if any."""
        versions = [p.version for p in self.lines() if p.outcome == outcome]
        return versions[-1] if versions else None

    def answered(self, outcome: str) -> list[str]:
        """Return the versions that led to the present one, oldest first; a rollback drops one."""
        stack: list[str] = []
        for promotion in self.lines():
            if promotion.outcome != outcome:
                continue
            if promotion.act == "rollback":
                del stack[-1:]
            elif [promotion.version] != stack[-1:]:
                stack.append(promotion.version)
        return stack

    def append(self, act: str, registered: Registered, reason: str) -> Promotion:
        """Write one line and have it on disk before returning."""
        lines = self.path.read_bytes().splitlines() if self.path.exists() else []
        promotion = Promotion(
            when=datetime.now(UTC).isoformat(timespec="seconds"),
            who=getpass.getuser(),
            act=act,
            outcome=registered.outcome,
            version_before=self.current(registered.outcome),
            version=registered.version,
            sha256=registered.sha256,
            reason=reason,
            previous=hashlib.sha256(lines[-1]).hexdigest() if lines else _BEGINNING,
        )
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        with os.fdopen(descriptor, "ab") as ledger:
            ledger.write(json.dumps(asdict(promotion), sort_keys=True).encode() + b"\n")
            ledger.flush()
            os.fsync(ledger.fileno())
        return promotion


def promote(
    registry: Registry, store: Path, outcome: str, *, version: str = CHALLENGER, reason: str
) -> Promotion:
    """Let a registered version answer: verify it, install it, record it, move the alias.

    Raises
    ------
    NotRegistered
        If there is no such version.
    ArtefactRefused
        If its bytes are not those that were trained; nothing has changed then.
    """
    return _install(registry, store, registry.find(outcome, version), "promote", reason)


def rollback(registry: Registry, store: Path, outcome: str, *, reason: str) -> Promotion:
    """Let the version before the present one answer again.

    Raises
    ------
    NotRegistered
        If no version answered before the present one.
    """
    answered = Ledger(store).answered(outcome)
    if len(answered) < 2:
        raise NotRegistered(f"no version of {outcome} answered before the present one")
    registered = registry.find(outcome, answered[-2])
    return _install(registry, store, registered, "rollback", reason)


def _install(
    registry: Registry, store: Path, registered: Registered, act: str, reason: str
) -> Promotion:
    ledger = Ledger(store)
    ledger.lines()  # a broken ledger stops here, before anything changes
    with tempfile.TemporaryDirectory() as fetched:
        folder = registry.fetch(registered, Path(fetched))
        make_current(store, load_artefact(folder, registered.sha256))
    promotion = ledger.append(act, registered, reason)
    registry.set_alias(registered, CHAMPION)
    return promotion
