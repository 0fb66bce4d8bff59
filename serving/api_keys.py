"""API keys: random, shown once, kept as SHA-256 only, each with its scopes and an id to revoke.

The key file is plain JSON. It holds nothing from which a key could be derived: a key has 256 random
bits, so its plain SHA-256 cannot be searched.
"""

import fcntl
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from data_schemas.refusal import Refused
from serving.whole_file import replace_content

PREFIX = "cr"
KEYS_FILE = "keys.json"
_ID_BYTES = 4
_SECRET_BYTES = 32
_NOBODY = hashlib.sha256(b"nobody").hexdigest()


class Scope(StrEnum):
    """What a caller may do."""

    ASSESS = "assess"
    OUTCOMES = "outcomes"
    ADMIN = "admin"


class KeyRefused(Refused):
    """A key file that cannot be read, or a key that is not in it."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key as it is kept: who has it, what it opens, until when, and its hash."""

    id: str
    label: str
    scopes: tuple[Scope, ...]
    sha256: str
    created: datetime
    expires: datetime | None

    def is_valid(self, now: datetime) -> bool:
        """Tell whether the key has not expired."""
        return self.expires is None or now < self.expires


class KeyFile:
    """The keys of one service; several are valid at a time, so that they can be rotated."""

    def __init__(self, path: Path) -> None:
        """Name the file; it need not exist yet."""
        self.path = path

    @classmethod
    def beside(cls, store: Path) -> "KeyFile":
        """Return the file that ``CART_RISK_KEYS`` names, by default one beside the store."""
        return cls(Path(os.environ.get("CART_RISK_KEYS") or store.parent / KEYS_FILE))

    def listed(self) -> list[ApiKey]:
        """Return every key that was not revoked, expired ones included.

        Raises
        ------
        KeyRefused
            If the file is not a key file.
        """
        try:
            listed = json.loads(self.path.read_bytes())["keys"]
            return [_from_json(**one) for one in listed]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError) as error:
            reason = type(error).__name__
            raise KeyRefused(f"{self.path.name} is no key file ({reason})") from None

    def add(self, label: str, scopes: Iterable[Scope], days: float | None = None) -> str:
        """Make a key and return it; nobody can show it a second time.

        Parameters
        ----------
        days
            After so many days the key opens nothing; without, it never expires.

        Raises
        ------
        KeyRefused
            If ``days`` is no time to come, or the file is no key file.
        """
        now = datetime.now(UTC)
        expires = None if days is None else _expiry(now, days)
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        with self._alone():
            listed = self.listed()
            taken = {key.id for key in listed}
            ids = iter(lambda: secrets.token_hex(_ID_BYTES), "")
            key = ApiKey(
                id=next(id for id in ids if id not in taken),
                label=label,
                scopes=tuple(dict.fromkeys(scopes)),
                sha256=_sha256(secret),
                created=now,
                expires=expires,
            )
            self._write([*listed, key])
        return f"{PREFIX}_{key.id}_{secret}"

    def revoke(self, key_id: str) -> ApiKey:
        """Forget a key; a running service refuses it within seconds.

        Raises
        ------
        KeyRefused
            If no key has this id.
        """
        with self._alone():
            keys = {key.id: key for key in self.listed()}
            revoked = keys.pop(key_id, None)
            if revoked is None:
                raise KeyRefused(f"no key has this id; known are: {', '.join(keys) or 'none'}")
            self._write(list(keys.values()))
        return revoked

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep every other process from changing keys: it would bring back what is revoked here.

        The folder is locked, since the file is replaced at each change.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _write(self, keys: list[ApiKey]) -> None:
        content = json.dumps({"keys": [_to_json(key) for key in keys]}, indent=1)
        try:
            replace_content(self.path, f"{content}\n".encode())
        except PermissionError:
            raise KeyRefused(
                f"{self.path.name} cannot be written or left to its owner, and nothing has "
                "changed: do it as the user whose file it is, or as root"
            ) from None


class KeyRing:
    """The keys of a file in memory, asked at every request."""

    def __init__(self, keys: Iterable[ApiKey]) -> None:
        """Take the keys by id."""
        self._keys = {key.id: key for key in keys}

    def owner(self, presented: str, now: datetime) -> ApiKey | None:
        """Return the valid key that was presented, if it is one of ours.

        Hashes are compared in constant time; an unknown id costs as much as a wrong secret.
        """
        _, _, rest = presented.partition("_")
        key_id, _, secret = rest.partition("_")
        key = self._keys.get(key_id)
        is_same = hmac.compare_digest(_sha256(secret), key.sha256 if key else _NOBODY)
        return key if key is not None and is_same and key.is_valid(now) else None

    def opens_anything(self, now: datetime) -> bool:
        """Tell whether any key is valid."""
        return any(key.is_valid(now) for key in self._keys.values())


def _expiry(now: datetime, days: float) -> datetime:
    try:
        expires = now + timedelta(days=days)
    except (ValueError, OverflowError):
        expires = now
    if expires <= now:
        raise KeyRefused("a key is valid for more than 0 days and not beyond the year 9999")
    return expires


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _to_json(key: ApiKey) -> dict[str, object]:
    expires = key.expires.isoformat() if key.expires else None
    return asdict(key) | {"created": key.created.isoformat(), "expires": expires}


def _from_json(
    *, id: str, label: str, scopes: list[str], sha256: str, created: str, expires: str | None
) -> ApiKey:
    return ApiKey(
        id=id,
        label=label,
        scopes=tuple(Scope(scope) for scope in scopes),
        sha256=sha256,
        created=datetime.fromisoformat(created),
        expires=datetime.fromisoformat(expires) if expires else None,
    )
