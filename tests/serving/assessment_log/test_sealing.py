"""What is stored opens by the plain primitives: a log of years outlives the code that wrote it."""

import hmac
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from serving.assessment_log.rows import digest
from serving.assessment_log.sealing import Inputs, Sealing
from serving.assessment_log.site_key import SiteKeys

SITE_KEY, SECRET, ROW = b"k" * 32, b"s" * 32, b"r" * 16


def derived(key: bytes, purpose: bytes, length: int = 32) -> bytes:
    info = b"cart-risk assessment log: " + purpose
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=info).derive(key)


def test_a_row_opens_by_hand() -> None:
    sealing = Sealing(SiteKeys([SITE_KEY]), SECRET, Inputs.ENCRYPTED)
    sealed = sealing.seal(ROW, b"answer", b"input", "anna")
    reference = hmac.digest(derived(SECRET, b"references"), b"anna", "sha256")
    assert sealed.key.reference == reference
    wrapping = AESSIV(derived(SITE_KEY, b"wrapping", 64))
    data_key = wrapping.decrypt(sealed.key.wrapped, [digest((ROW, reference))])
    opened = AESGCM(data_key)
    assert opened.decrypt(bytes(12), sealed.answer, ROW + b"answer") == b"answer"
    assert opened.decrypt(bytes(11) + b"\1", sealed.input, ROW + b"input") == b"input"


def test_a_hash_of_an_input_is_made_by_its_data_key() -> None:
    sealing = Sealing(SiteKeys([SITE_KEY]), SECRET, Inputs.HASH)
    sealed = sealing.seal(ROW, b"answer", b"sent", None)
    data_key = sealing.data_key(sealed.key)
    assert sealed.input == hmac.digest(data_key, b"inputsent", "sha256")


@pytest.mark.parametrize("sequence", [0, 1, 2**40])
def test_a_head_is_sealed_with_its_place_in_eight_bytes(sequence: int) -> None:
    sealing = Sealing(SiteKeys([SITE_KEY]), SECRET, Inputs.ENCRYPTED)
    said = b"w" * 16 + sequence.to_bytes(8, "big") + b"h" * 32
    expected = hmac.new(derived(SECRET, b"heads"), said, sha256).digest()
    assert sealing.head_seal(b"w" * 16, sequence, b"h" * 32) == expected
