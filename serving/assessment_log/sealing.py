"""Each row under a key of its own, so that a row is erased by destroying its key.

A row's data key is drawn for it, encrypts its answer and its input (AES-256-GCM), and is stored
beside the log, wrapped by the site key. What is destroyed is the wrapped key: the row with its
ciphertext and its hash stays, and with it the chain.

A data key encrypts at most two contents, each with a nonce of its own, so nonces are constants.
Ciphertext is bound to its row's id and column, the wrapped key to the row's id and reference:
nothing of a row opens in the place of another.
"""

import hmac
import os
from enum import StrEnum
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from serving.assessment_log.refusals import LogDamaged
from serving.assessment_log.rows import DataKeyRow, digest
from serving.assessment_log.site_key import KEY_BYTES, SiteKeys, derived

_ANSWER = b"answer"
_INPUT = b"input"
_NONCES = {_ANSWER: bytes(12), _INPUT: bytes(11) + b"\1"}


class Inputs(StrEnum):
    """How what was sent is kept."""

    ENCRYPTED = "encrypted"
    HASH = "hash"
    """As a keyed hash: it can be shown that a certain input was sent, not which one was."""


class Sealed(NamedTuple):
    """The confidential part of a row, as it is stored."""

    answer: bytes
    input: bytes
    key: DataKeyRow


class Sealing:
    """Seals rows for one log, and opens them again."""

    def __init__(self, keys: SiteKeys, log_secret: bytes, inputs: Inputs) -> None:
        """Take the site's keys and the secret of this log."""
        self._keys = keys
        self._reference_key = derived(log_secret, b"references")
        self._head_key = derived(log_secret, b"heads")
        self.inputs = inputs

    def seal(self, row: bytes, answer: bytes, input: bytes, reference: str | None) -> Sealed:
        """Encrypt what is confidential in a row under a new data key."""
        data_key = os.urandom(KEY_BYTES)
        cipher = AESGCM(data_key)
        if self.inputs is Inputs.HASH:
            kept = hmac.digest(data_key, _INPUT + input, "sha256")
        else:
            kept = cipher.encrypt(_NONCES[_INPUT], input, row + _INPUT)
        hashed = None if reference is None else self.reference_hash(reference)
        return Sealed(
            answer=cipher.encrypt(_NONCES[_ANSWER], answer, row + _ANSWER),
            input=kept,
            key=self.wrapped(row, hashed, data_key),
        )

    def wrapped(self, row: bytes, reference: bytes | None, data_key: bytes) -> DataKeyRow:
        """Return a data key wrapped by the current site key."""
        site_key = self._keys.current
        wrapped = site_key.wrap(data_key, _bound_to(row, reference))
        return DataKeyRow(row, reference, site_key.id, wrapped)

    def data_key(self, key: DataKeyRow) -> bytes:
        """Return the data key of a row.

        Raises
        ------
        LogDamaged
            If the wrapped key or its reference was altered.
        LogRefused
            If the site key that wrapped it is not at hand.
        """
        site_key = self._keys.opening(key.site_key)
        return site_key.unwrap(key.wrapped, _bound_to(key.entry, key.reference))

    def answer(self, key: DataKeyRow, answer: bytes) -> bytes:
        """Decrypt an answer; for errors see :meth:`data_key`."""
        return _decrypt(self.data_key(key), _ANSWER, key.entry, answer)

    def input(self, key: DataKeyRow, input: bytes) -> bytes:
        """Decrypt an input that was stored encrypted; for errors see :meth:`data_key`."""
        return _decrypt(self.data_key(key), _INPUT, key.entry, input)

    def is_input(self, key: DataKeyRow, hashed: bytes, input: bytes) -> bool:
        """Tell whether this is the input of which only a hash was stored."""
        expected = hmac.digest(self.data_key(key), _INPUT + input, "sha256")
        return hmac.compare_digest(expected, hashed)

    def reference_hash(self, reference: str) -> bytes:
        """Return the keyed hash by which a patient's rows are found."""
        # A lone surrogate is a legal JSON string; it must not make an answer fail.
        return hmac.digest(
            self._reference_key, reference.encode("utf-8", "surrogatepass"), "sha256"
        )

    def head_seal(self, writer: bytes, sequence: int, head: bytes) -> bytes:
        """Return what only a holder of the site key can say of how far a writer came."""
        return hmac.digest(self._head_key, writer + sequence.to_bytes(8) + head, "sha256")


def _bound_to(row: bytes, reference: bytes | None) -> bytes:
    return digest((row, reference))


def _decrypt(data_key: bytes, column: bytes, row: bytes, content: bytes) -> bytes:
    try:
        return AESGCM(data_key).decrypt(_NONCES[column], content, row + column)
    except InvalidTag:
        raise LogDamaged from None
