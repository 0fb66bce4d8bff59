"""Who was judged: counts, characteristics and what was not measured.

A count or quartile of fewer patients than the smallest cell is None, and ``suppressed`` says so; so
is every one among fewer patients than that. It keeps noise from being read as a finding; it does
not keep a secret, for what is hidden in one column may follow from the others.
"""

from typing import Self

from pydantic import Field, model_validator

from training.evaluation.estimate import Record


class Excluded(Record):
    """Patients left out, and why."""

    reason: str
    patients: int = Field(ge=0)


class GroupCount(Record):
    """The analysed patients of one group; ``events`` is None where suppressed."""

    group: str
    patients: int = Field(ge=0)
    events: int | None
    suppressed: bool


class GroupCounts(Record):
    """The analysed patients by one characteristic: "site", "product", "disease" or "year"."""

    by: str
    groups: tuple[GroupCount, ...]


class Flow(Record):
    """From the rows of the table to those that count."""

    screened: int = Field(ge=0)
    excluded: tuple[Excluded, ...]
    analysed: int = Field(ge=0)
    events: int = Field(ge=0)
    without_event: int = Field(ge=0)
    by: tuple[GroupCounts, ...]

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if self.screened != self.analysed + sum(e.patients for e in self.excluded):
            raise ValueError("screened patients are those excluded and those analysed")
        if self.analysed != self.events + self.without_event:
            raise ValueError("analysed patients are those with and those without the outcome")
        for kind in self.by:
            if sum(g.patients for g in kind.groups) != self.analysed:
                raise ValueError(f"the groups by {kind.by} are not all the analysed patients")
        return self


class Count(Record):
    """How many patients, and their share of those who were measured; both None if suppressed."""

    patients: int | None
    share: float | None
    suppressed: bool = False


class Missing(Record):
    """How many patients lack a value, and their share; both None if suppressed."""

    patients: int | None
    share: float | None
    suppressed: bool = False


class Quartiles(Record):
    """Median and quartiles of those who were measured; None if suppressed."""

    measured: int
    median: float | None
    low: float | None
    high: float | None
    suppressed: bool = False


class MissingByOutcome(Record):
    """Missing values of all patients, of those with and of those without the outcome."""

    everyone: Missing
    with_outcome: Missing
    without_outcome: Missing


class QuartilesByOutcome(Record):
    """A quantity in all patients, in those with and in those without the outcome."""

    everyone: Quartiles
    with_outcome: Quartiles
    without_outcome: Quartiles


class WordByOutcome(Record):
    """Patients who carry one word, by outcome."""

    word: str
    everyone: Count
    with_outcome: Count
    without_outcome: Count


class Characteristic(Record):
    """One row of table 1, or several where the characteristic is a word."""

    predictor: str
    label: str
    unit: str
    applicable: int
    """Patients in whose disease it has a meaning."""
    missing: MissingByOutcome
    quartiles: QuartilesByOutcome | None
    words: tuple[WordByOutcome, ...]


class TableOne(Record):
    """Characteristics by outcome."""

    smallest_cell: int
    patients: int
    with_outcome: int
    without_outcome: int
    characteristics: tuple[Characteristic, ...]


class MissingRow(Record):
    """The share of each group's patients who lack a predictor; None if suppressed."""

    predictor: str
    label: str
    share: tuple[float | None, ...]


class Missingness(Record):
    """What was not measured, by "site" or "year"."""

    by: str
    groups: tuple[str, ...]
    patients: tuple[int, ...]
    rows: tuple[MissingRow, ...]
