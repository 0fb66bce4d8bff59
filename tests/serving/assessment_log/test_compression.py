"""An answer is stored as its difference from an example, and comes back to the byte."""

from concurrent.futures import ThreadPoolExecutor

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


def test_several_threads_may_shorten_at_a_time() -> None:
    compression = Compression(EXAMPLE)

    def work(number: int) -> bool:
        content = EXAMPLE.replace(b"0.1234", b"%06d" % number)
        shorter = [compression.compressed(content) for _ in range(300)]
        return all(restored(one, EXAMPLE) == content for one in shorter)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(4)))
