"""Many patients in one request: each has a status of its own, and none spoils another.

A batch is one JSON object with up to 10,000 items, or lines of JSON without end. Answers are sent
while they are made, so that memory does not grow with the batch.

A caller who sends or takes slowly holds up nobody else: answers to lines take a place only while
they are made, and whole batches, which lie in memory until they are answered, have more places than
one caller may take.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from functools import partial
from http import HTTPStatus
from time import perf_counter
from typing import Any, TypeVar

import orjson
from starlette.responses import Response

from data_schemas.patient_request import Problem, RequestProblems
from serving.assess import Detail
from serving.doors.assessor import Assessor, Made, Sent
from serving.doors.gate import busy
from serving.doors.json_answer import StreamedAnswer
from serving.doors.problem import RequestRefused, problem_document, unreadable
from serving.doors.strict_json import read_batch, read_json
from serving.doors.visit import JSON, NDJSON, Visit, too_large

MOST_ITEMS = 10_000
MOST_BATCH_BYTES = 32 * 1024 * 1024
MOST_LINE_BYTES = 64 * 1024
MOST_OF_A_CALLER = 2
MOST_IN_MEMORY = 3
"""Batches that came as one object, of all callers."""
MOST_MADE_AT_A_TIME = 2
IDLE_SECONDS = 15.0
_TOGETHER = 64
"""So many answers share one commit."""
_TURN_SECONDS = 0.005
T = TypeVar("T")
_RETRY_AFTER_SECONDS = 5

Make = Callable[[Sent], Made]
"""What answers one patient of a batch."""


class Batches:
    """Assesses many patients in their order."""

    def __init__(self, assessor: Assessor) -> None:
        """Answer through the assessor."""
        self._assessor = assessor
        self._open: Counter[str] = Counter()
        self._in_memory = 0
        self._making = asyncio.Semaphore(MOST_MADE_AT_A_TIME)

    async def assess(self, visit: Visit, detail: Detail = Detail.FULL) -> Response:
        """Assess a batch, or a stream of lines."""
        make = partial(self._assessor.answer, visit=visit, detail=detail)
        media_type = visit.media_type((JSON, NDJSON))
        end = self._begun(visit.caller, in_memory=media_type == JSON)
        try:
            if media_type == NDJSON:
                chunks = self._lines(visit, make)
            else:
                body = await visit.body(MOST_BATCH_BYTES)
                items = _items(await asyncio.to_thread(read_batch, body))
                chunks = self._array(visit, items, make)
        except BaseException:
            end()
            raise
        return StreamedAnswer(chunks, media_type, end)

    def _begun(self, caller: str, *, in_memory: bool) -> Callable[[], None]:
        """Count a batch; return what counts it out again."""
        retry = {"retry-after": str(_RETRY_AFTER_SECONDS)}
        if self._open[caller] >= MOST_OF_A_CALLER:
            detail = f"{MOST_OF_A_CALLER} batches of this key or token are being assessed"
            raise RequestRefused(HTTPStatus.TOO_MANY_REQUESTS, detail, headers=retry)
        if in_memory and self._in_memory >= MOST_IN_MEMORY:
            raise busy("other batches are being assessed", _RETRY_AFTER_SECONDS)
        self._open[caller] += 1
        self._in_memory += in_memory

        def end() -> None:
            self._open -= Counter({caller: 1})
            self._in_memory -= in_memory

        return end

    async def _array(
        self, visit: Visit, items: list[Any], make: Make
    ) -> AsyncGenerator[bytes, None]:
        yield b'{"items":['
        async with visit.heard_of() as expect_caller:
            for first in range(0, len(items), _TOGETHER):
                expect_caller()
                group = items[first : first + _TOGETHER]
                async with self._making:
                    made = await _by_turns(partial(_made_of_item, make=make), group)
                    results = await self._kept(first, made)
                yield (b"," if first else b"") + b",".join(results)
        yield b"]}"

    async def _lines(self, visit: Visit, make: Make) -> AsyncGenerator[bytes, None]:
        item = 0
        async for lines in _grouped_lines(visit):
            async with self._making:
                made = await _by_turns(partial(_made_of_line, make=make), lines)
                results = await self._kept(item, made)
            item += len(results)
            yield b"\n".join(results) + b"\n"

    async def _kept(self, first: int, made: list[Made | RequestRefused]) -> list[bytes]:
        """Return the result of each item, in order, once every answer is on disk."""
        entries = [one for one in made if isinstance(one, Made)]
        try:
            await self._assessor.keep_all(entries)
        except RequestRefused as refusal:
            made = [refusal if isinstance(one, Made) else one for one in made]
        # Others get their turn also where nothing had to be kept.
        await asyncio.sleep(0)
        return [_result(item, one) for item, one in enumerate(made, start=first)]


async def _by_turns(
    make: Callable[[T], Made | RequestRefused], items: Iterable[T]
) -> list[Made | RequestRefused]:
    """Make an answer to each; whoever is answered alone gets a turn after some milliseconds.

    An item that is wrong in every field costs as much as many answers.
    """
    made, begun = [], perf_counter()
    for item in items:
        made.append(make(item))
        if perf_counter() - begun > _TURN_SECONDS:
            await asyncio.sleep(0)
            begun = perf_counter()
    return made


def _made_of_item(item: Any, make: Make) -> Made | RequestRefused:
    if isinstance(item, RequestRefused):
        return item
    return _made(Sent(_content(item), item), make)


def _made_of_line(line: bytes | RequestRefused, make: Make) -> Made | RequestRefused:
    if isinstance(line, RequestRefused):
        return line
    try:
        return _made(Sent(line, read_json(line)), make)
    except RequestRefused as refusal:
        return _unraised(refusal)


def _made(sent: Sent, make: Make) -> Made | RequestRefused:
    try:
        return make(sent)
    except RequestRefused as refusal:
        return _unraised(refusal)


def _unraised(refusal: RequestRefused) -> RequestRefused:
    """Return the same refusal without the frames that it was raised in.

    They hold the patient, and the list that the refusal is put into: together they would stay in
    memory until the garbage collector comes by, which it seldom does.
    """
    return RequestRefused(refusal.status, refusal.detail, refusal.problems, refusal.headers)


def _result(item: int, made: Made | RequestRefused) -> bytes:
    if isinstance(made, RequestRefused):
        problem = problem_document(made)
        return orjson.dumps({"item": item, "status": int(made.status), "problem": problem})
    return b'{"item":%d,"status":200,"assessment":%b}' % (item, made.entry.answer)


def _items(given: Any) -> list[Any]:
    items = given.get("items") if isinstance(given, dict) and len(given) == 1 else None
    if isinstance(items, list) and 0 < len(items) <= MOST_ITEMS:
        return items
    raise not_a_batch()


def not_a_batch() -> RequestRefused:
    """Return the refusal of an object that holds no list of patients, or too many."""
    message = f"send an object whose items are 1 to {MOST_ITEMS} patients; send more as {NDJSON}"
    return unreadable(RequestProblems((Problem("items", "not_a_batch", message),)))


def _content(item: Any) -> bytes:
    try:
        return orjson.dumps(item)
    except TypeError:  # what orjson cannot write, such as half a character, is no patient either
        return b""


async def _grouped_lines(visit: Visit) -> AsyncIterator[list[bytes | RequestRefused]]:
    """Yield what has arrived in whole lines, at most so many at a time."""
    rest = bytearray()
    overlong = False
    async for chunk in visit.chunks(IDLE_SECONDS):
        *ended, tail = chunk.split(b"\n")
        whole: list[bytes | RequestRefused] = []
        for part in ended:
            line = bytes(rest) + part
            rest.clear()
            if overlong or len(line) > MOST_LINE_BYTES:
                whole.append(too_large("line", MOST_LINE_BYTES))
            elif line.strip():
                whole.append(line)
            overlong = False
        rest += tail
        if len(rest) > MOST_LINE_BYTES:
            overlong = True
            rest.clear()
        for group in _groups(whole):
            yield group
    if overlong:
        yield [too_large("line", MOST_LINE_BYTES)]
    elif rest.strip():
        yield [bytes(rest)]


def _groups(lines: list[bytes | RequestRefused]) -> Iterable[list[bytes | RequestRefused]]:
    for first in range(0, len(lines), _TOGETHER):
        yield lines[first : first + _TOGETHER]
