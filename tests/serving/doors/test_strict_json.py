"""What is read quickly is read as the careful reader reads it; no name ever stands twice."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.doors.problem import RequestRefused
from serving.doors.strict_json import read_json
from tests.conftest import Body

NAMES = st.sampled_from(["a", "b", "crp", "a:b", "é", "\\u0061", '\\"'])
PLAIN = st.sampled_from(
    ["1", "-0.0", "1e5", "true", "null", '"x"', '"10:30"', '"\\u003a"', "[]", "{}", "[1,2]",
     "[[[1]]]", '[{"a":1,"a":2}]', "NaN", "1e400"]
)  # fmt: skip


def objects(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Text of objects in which names may stand twice."""
    pairs = st.lists(st.tuples(NAMES, values), max_size=4)
    return pairs.map(lambda found: "{" + ",".join(f'"{n}": {v}' for n, v in found) + "}")


def carefully(text: str) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) != len(pairs):
            raise ValueError
        return dict(pairs)

    return json.loads(text, object_pairs_hook=once)


@given(objects(PLAIN | objects(PLAIN | objects(PLAIN))))
def test_any_object_is_read_as_by_the_careful_reader(text: str) -> None:
    try:
        expected = carefully(text)
    except ValueError:
        with pytest.raises(RequestRefused):
            read_json(text.encode())
        return
    assert repr(read_json(text.encode())) == repr(expected)  # repr tells -0.0 and NaN as well


def test_patients_are_read_as_they_were_sent(bodies: list[Body]) -> None:
    for body in bodies[::20]:
        assert read_json(json.dumps(body).encode()) == body


@pytest.mark.parametrize(
    "content",
    [
        b'{"crp": {"value": 1, "unit": "mg/L", "value": 2}}',
        b'{"age": "unknown", "age": {"value": 3, "unit": "a"}}',
        b'{"a": 1, "a": "x\\u003ay"}',
        b'{"a": {"b": {"c": 1, "c": 2}}}',
    ],
)
def test_a_name_that_stands_twice_is_refused_wherever_it_hides(content: bytes) -> None:
    with pytest.raises(RequestRefused):
        read_json(content)
