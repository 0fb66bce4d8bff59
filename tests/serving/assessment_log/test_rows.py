"""A row's hash is over every column, and no two rows share their bytes."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from serving.assessment_log.rows import EntryRow, digest

VALUES = st.none() | st.integers() | st.text() | st.binary() | st.floats()
ROW = EntryRow(
    id=b"i",
    writer=b"w",
    sequence=1,
    previous=b"p",
    written_at=2,
    kind="assessment",
    request_id="r",
    api_key_id="k",
    model_hashes="{}",
    status="ok",
    about=None,
    inputs="encrypted",
    answer=b"a",
    input=b"n",
)


@given(st.lists(VALUES), st.lists(VALUES))
def test_different_values_give_different_digests(one: list[object], other: list[object]) -> None:
    same = [(type(v), repr(v)) for v in one] == [(type(v), repr(v)) for v in other]
    assert (digest(tuple(one)) == digest(tuple(other))) == same


def test_the_bytes_are_those_that_an_auditor_would_compute() -> None:
    written = b"b2:abs2:\xc3\xbcv1:7v4:None"
    assert digest((b"ab", "ü", 7, None)) == hashlib.sha256(written).digest()


def test_every_column_but_the_hash_counts() -> None:
    for column in EntryRow._fields[:-1]:
        assert ROW._replace(**{column: "changed"}).digest() != ROW.digest()
    assert ROW._replace(hash=b"changed").digest() == ROW.digest()
