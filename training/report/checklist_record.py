"""What reporting and appraisal guidance asks for, and what this run says to it."""

from typing import Literal

from training.evaluation.estimate import Record

Status = Literal["auto", "filled", "todo"]
"""``auto``: a number or table of this run. ``filled``: words that the product supplies for every
run. ``todo``: only the author can say it."""


class TripodItem(Record):
    """One item of TRIPOD+AI (Collins GS, BMJ 2024;385:e078378)."""

    topic: str
    status: Status
    section: str | None
    """Where in the report it is answered."""
    note: str


class Fact(Record):
    """A fact of the run that bears on quality of development or on risk of bias of evaluation."""

    of: Literal["development", "evaluation"]
    text: str


class ProbastDomain(Record):
    """One domain of PROBAST+AI (Moons KGM, BMJ 2025;388:e082505): facts, and a judgement left open.

    The judgement is a person's: nothing here fills it.
    """

    domain: str
    facts: tuple[Fact, ...]
    judgement: str | None = None
