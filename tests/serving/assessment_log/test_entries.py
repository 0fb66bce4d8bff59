"""Ids are UUIDs of version 7: ordered by time, and not to be guessed."""

import time
from datetime import UTC, datetime, timedelta

from serving.assessment_log.entries import first_id_at, moment, new_id


def test_an_id_is_a_uuid_of_version_7() -> None:
    id = new_id()
    assert (id.version, id.variant) == (7, "specified in RFC 4122")


def test_an_id_tells_its_millisecond() -> None:
    before = time.time_ns() // 1_000_000
    id = new_id()
    assert before <= id.int >> 80 <= time.time_ns() // 1_000_000


def test_ids_of_one_millisecond_differ() -> None:
    assert len({new_id() for _ in range(10_000)}) == 10_000


def test_every_free_bit_is_drawn() -> None:
    drawn = [new_id().int & ((1 << 80) - 1) for _ in range(300)]
    always = drawn[0]
    ever = drawn[0]
    for bits in drawn:
        always &= bits
        ever |= bits
    assert f"{always ^ ever:b}".count("1") == 74


def test_the_first_id_of_a_time_parts_earlier_from_later() -> None:
    now = datetime.now(UTC)
    assert (
        first_id_at(now - timedelta(seconds=1))
        < new_id()
        < first_id_at(now + timedelta(seconds=60))
    )


def test_microseconds_are_kept() -> None:
    when = datetime(2026, 3, 1, 12, 30, 1, 234567, tzinfo=UTC)
    assert moment(int(when.timestamp()) * 1_000_000 + 234567) == when
