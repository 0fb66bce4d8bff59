"""Whoever looks for tampering is told which row, and how many."""

import pytest

from serving.assessment_log.chain_check import ChainCheck, Finding
from serving.assessment_log.heads import Mark
from serving.assessment_log.rows import EntryRow, WriterRow

WRITER = b"w" * 16
BEGINNING = WriterRow(WRITER, 1, b"d", "[]", b"", 0, b"", b"")
BEFORE_END = "row(s) from here to the writer's head were cut off"


def chain(rows: int) -> list[EntryRow]:
    """Return rows as one writer chains them."""
    chained: list[EntryRow] = []
    previous = BEGINNING.beginning()
    for sequence in range(1, rows + 1):
        content = EntryRow(
            b"%d" % sequence, b"", 0, b"", 0, "assessment", "", "", "{}", "", None, "", b"", None
        )
        chained.append(content.chained(WRITER, sequence, previous, 7))
        previous = chained[-1].hash
    return chained


def found(
    kept: list[int], written: int, marks: dict[int, list[Mark]] | None = None
) -> list[Finding]:
    """Return what is found where these rows of so many lie in the log, in this order."""
    rows = chain(written)
    head = BEGINNING._replace(
        genesis=BEGINNING.beginning(), sequence=written, head=rows[-1].hash if rows else b""
    )
    check = ChainCheck("w", head, marks or {})
    for sequence in kept:
        assert check.follow(rows[sequence - 1])
    return check.end()


def test_a_whole_chain_is_as_it_was_written() -> None:
    last = chain(4)[-1].hash
    assert found([1, 2, 3, 4], 4, {4: [Mark("an export", WRITER, 4, last)]}) == []


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        ([1, 2, 5, 6], [("missing", 3, "2 row(s) from here to 4 are not there")]),
        ([2, 3, 4, 5, 6], [("missing", 1, "1 row(s) from here to 1 are not there")]),
        ([1, 2, 3, 4], [("truncated", 5, f"2 {BEFORE_END}")]),
        ([1, 4, 5], [
            ("missing", 2, "2 row(s) from here to 3 are not there"),
            ("truncated", 6, f"1 {BEFORE_END}"),
        ]),
    ],
)  # fmt: skip
def test_rows_that_are_gone_are_counted_and_named(
    kept: list[int], expected: list[tuple[str, int, str]]
) -> None:
    assert found(kept, 6) == [Finding(k, f"writer w, row {n}", said) for k, n, said in expected]


@pytest.mark.parametrize("late", [[3], [4], [3, 4], [4, 3]])
def test_rows_that_lie_later_are_not_missing(late: list[int]) -> None:
    said = "the row lies behind rows that were written later"
    reordered = [Finding("reordered", f"writer w, row {row}", said) for row in late]
    missing = Finding("missing", "writer w, row 3", "1 row(s) from here to 4 are not there")
    expected = reordered if len(late) == 2 else [*reordered, missing]
    assert found([1, 2, 5, *late, 6], 6) == expected


def test_a_row_that_others_knew_of_is_cut_off_even_where_the_head_was_set_back() -> None:
    marks = {row: [Mark("an export", WRITER, row, chain(5)[row - 1].hash)] for row in (1, 3, 5)}
    said = "an export says that there was such a row"
    assert found([1, 2, 3], 3, marks) == [Finding("truncated", "writer w, row 5", said)]


def test_findings_of_the_writer_itself_name_no_row() -> None:
    said = "there is no sound record of this writer"
    assert ChainCheck("w", None, {}).end() == [Finding("unknown_writer", "writer w", said)]
