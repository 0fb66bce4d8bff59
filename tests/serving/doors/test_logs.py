"""The line of a request: written after its turn, together with others, and never kept."""

import asyncio
import io
import json
import sys

import pytest

from serving.doors.logs import RequestLines


class BrokenPipe(io.StringIO):
    def write(self, _: str) -> int:
        raise BrokenPipeError


async def turns(number: int) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


def test_lines_of_one_turn_are_written_together_after_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def use() -> None:
        lines = RequestLines()
        for status in (200, 422):
            lines.add({"route": "/v1/assess", "status": status})
        assert capsys.readouterr().out == ""
        await turns(2)

    asyncio.run(use())
    written = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["status"] for line in written] == [200, 422]
    assert {line["logger"] for line in written} == {"cart_risk.requests"}


def test_when_nobody_reads_lines_are_lost_and_do_not_pile_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def use() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        lines = RequestLines()
        with monkeypatch.context() as broken:
            broken.setattr(sys, "stdout", BrokenPipe())
            for _ in range(3):
                lines.add({"status": 200})
                await turns(2)
        lines.add({"status": 503})
        await turns(2)

    asyncio.run(use())
    written = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["status"] for line in written] == [503]
