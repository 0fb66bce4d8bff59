"""The key that the site holds, and what it opens.

A site key wraps the data key of every row. It lies in a file of its own, one key of 32 bytes in
hexadecimal a line. The first line wraps what is written from now on; the others only open what was
wrapped before, until ``cart-risk log-rewrap`` has moved everything to the first.

Data keys are wrapped with AES-256-SIV (RFC 5297), which was made for this: it needs no nonce, so
there is none that two workers could use twice, and no number of rows after which it grows weak.
"""

import hashlib
import re
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from serving.assessment_log.refusals import LogDamaged, LogRefused, kind_of
from serving.whole_file import replace_content

KEY_BYTES = 32
_KEY = re.compile(rb"[0-9a-fA-F]{64}")
_SIV_KEY_BYTES = 64
_ID_BYTES = 8
_OTHERS_MAY = 0o007
_HOW_TO_MAKE_ONE = "make one with `cart-risk log-key` and name it in CART_RISK_LOG_KEY_FILE"


class SiteKey:
    """One site key, known by the start of a hash."""

    def __init__(self, key: bytes) -> None:
        """Derive what wraps from the 32 bytes."""
        self.id = hashlib.sha256(b"cart-risk site key" + key).digest()[:_ID_BYTES]
        self._siv = AESSIV(derived(key, b"wrapping", _SIV_KEY_BYTES))

    def wrap(self, data_key: bytes, bound_to: bytes) -> bytes:
        """Return a data key that only this site key opens, and only for what it is bound to."""
        return self._siv.encrypt(data_key, [bound_to])

    def unwrap(self, wrapped: bytes, bound_to: bytes) -> bytes:
        """Return the data key.

        Raises
        ------
        LogDamaged
            If the wrapped key, or what it is bound to, is not what was written.
        """
        try:
            return self._siv.decrypt(wrapped, [bound_to])
        except (InvalidTag, ValueError, TypeError):
            raise LogDamaged from None


class SiteKeys:
    """The keys of one file: the first wraps, all of them open."""

    def __init__(self, keys: list[bytes]) -> None:
        """Take the keys, the current one first."""
        self.all = {key.id: key for key in map(SiteKey, keys)}
        self.current = next(iter(self.all.values()))

    @classmethod
    def read(cls, path: Path) -> "SiteKeys":
        """Read a key file.

        Raises
        ------
        LogRefused
            If it is missing, open to everybody or no key file; nothing of it is repeated.
        """
        try:
            is_open = path.stat().st_mode & _OTHERS_MAY
            lines = path.read_bytes().split()
        except OSError as error:
            reason = type(error).__name__
            message = f"the log's key file cannot be read ({reason}): {_HOW_TO_MAKE_ONE}"
            raise LogRefused(message) from None
        if is_open:
            raise LogRefused("the log's key file is open to everybody: chmod 600")
        if not lines or not all(map(_KEY.fullmatch, lines)):
            message = "the log's key file does not hold 64 hexadecimal digits a line"
            raise LogRefused(f"{message}: {_HOW_TO_MAKE_ONE}")
        return cls([bytes.fromhex(line.decode()) for line in lines])

    def opening(self, key_id: bytes) -> SiteKey:
        """Return the key that wrapped something.

        Raises
        ------
        LogRefused
            If the file does not hold it.
        """
        key = self.all.get(key_id)
        if key is None:
            message = "the log was written with another site key than the key file holds"
            raise LogRefused(f"{message}: add the former key as a line below the current one")
        return key


def derived(key: bytes, purpose: bytes, length: int = KEY_BYTES) -> bytes:
    """Return a key for one purpose (HKDF with SHA-256, RFC 5869)."""
    info = b"cart-risk assessment log: " + purpose
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=info).derive(key)


def write_new_key(path: Path) -> None:
    """Make a site key in a file that only its owner may read.

    In a file that exists, the new key becomes the first line: it wraps from the next start on.

    Raises
    ------
    LogRefused
        If the file is there and no key file, cannot be written, or not be left to its owner.
        Nothing has changed then.
    """
    if path.exists():
        SiteKeys.read(path)  # what is no key file must not be written into
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        former = path.read_bytes() if path.exists() else b""
        replace_content(path, f"{secrets.token_hex(KEY_BYTES)}\n".encode() + former)
    except OSError as error:
        raise LogRefused(
            f"the log's key file cannot be written ({kind_of(error)}), and nothing has changed: do "
            "it as the user whose file it is, or as root"
        ) from None
