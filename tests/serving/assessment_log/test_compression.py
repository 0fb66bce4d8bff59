"""An answer is stored as its difference from an example, and comes back to the byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.assessment_log.compression import Compression, NotRestored, restored

EXAMPLE = b'{"status": "ok", "risk": 0.1234, "statement": "' + b"words " * 2_000 + b'"}'


@given(st.binary(max_size=500), st.binary(max_size=40_000))
def test_every_content_comes_back(content: bytes, example: bytes) -> None:
    compression = Compression(example)
    for _ in range(2):
        assert restored(compression.compressed(content), compression.dictionary) == content


def test_what_resembles_the_example_takes_little_room() -> None:
    answer = EXAMPLE.replace(b"0.1234", b"0.9876")
    assert len(Compression(EXAMPLE).compressed(answer)) < len(answer) / 100


def test_another_example_restores_nothing() -> None:
    content = Compression(EXAMPLE).compressed(EXAMPLE)
    with pytest.raises(NotRestored):
        restored(content, EXAMPLE[1:])
