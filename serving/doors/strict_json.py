"""JSON in which nothing can be read in two ways."""

import json
from http import HTTPStatus
from typing import Any

import orjson

from serving.doors.problem import RequestRefused


def read_json(content: bytes) -> Any:
    """Read JSON in UTF-8 in which each name stands once.

    NaN and the infinities are read, so that they can be refused by field.

    Raises
    ------
    RequestRefused
        400, for anything else; the content is not repeated.
    """
    plain = _plain_patient(content)
    if plain is not None:
        return plain
    try:
        return json.loads(content.decode("utf-8"), object_pairs_hook=_each_name_once)
    except (ValueError, RecursionError):
        raise not_json() from None


def not_json() -> RequestRefused:
    """Return the refusal of a body that is no JSON, or could be read in two ways."""
    detail = "the body is not JSON in which each name stands once"
    return RequestRefused(HTTPStatus.BAD_REQUEST, detail)


def _plain_patient(content: bytes) -> dict[str, Any] | None:
    """Read an object of plain values and objects of plain values, three times faster.

    Each name brings one colon. Where there are as many colons as names left, no name stood twice
    and no colon stands in a text; whatever else it may be is read carefully.
    """
    if b"\\" in content:
        return None
    try:
        given = orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
    if type(given) is not dict:
        return None
    names = len(given) + sum([len(value) for value in given.values() if type(value) is dict])
    return given if names == content.count(b":") else None


def _each_name_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build an object, refusing a name that stands twice: nobody could say which value counts."""
    built = dict(pairs)
    if len(built) != len(pairs):
        raise ValueError("a name stands twice")
    return built
