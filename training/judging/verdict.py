"""The verdict of a judgement: which limits were set, what was reached, and so whether to accept.

Gates fill it, the report prints it first, a promotion obeys it.
"""

from typing import Self

from pydantic import model_validator

from training.evaluation.estimate import Record


class Limit(Record):
    """One limit that was declared before the judgement, and whether it was kept.

    Of a limit that is no number (patients must be real, say) both bounds are None.
    """

    name: str
    """The key under ``[acceptance]``, or the name of a gate that always holds."""
    measure: str | None = None
    """Where the number stands in the evaluation, such as
    "cross_validated.measures.calibration_slope.value"; None where it stands nowhere in it."""
    at_least: float | None = None
    at_most: float | None = None
    reached: float | None = None
    """None with a reason where it could not be measured."""
    reason: str | None = None
    met: bool
    """False where what was wanted could not be measured."""
    in_words: str
    """A whole sentence: what was wanted, what was reached, and by how much it falls short."""

    @model_validator(mode="after")
    def _kept_is_kept(self) -> Self:
        bounded = self.at_least is not None or self.at_most is not None
        if bounded and self.reached is None and not self.reason:
            raise ValueError("what is missing needs a reason")
        if bounded and self.met is not self._within():
            raise ValueError(f"{self.name}: met does not follow from what was reached")
        return self

    def _within(self) -> bool:
        if self.reached is None:
            return False
        above = self.at_least is None or self.reached >= self.at_least
        below = self.at_most is None or self.reached <= self.at_most
        return above and below


class Verdict(Record):
    """Whether a model may be accepted, limit by limit."""

    accepted: bool | None
    """None where no limit was declared: then nothing speaks for the model, or against it."""
    in_words: str
    """One sentence for a person who decides."""
    limits: tuple[Limit, ...] = ()

    @model_validator(mode="after")
    def _follows(self) -> Self:
        if self.accepted is not (all(x.met for x in self.limits) if self.limits else None):
            raise ValueError("accepted is whether all limits are met; None if and only if none is")
        return self


NO_LIMITS = Verdict(
    accepted=None, in_words="No limit was declared, so that nothing was accepted or refused."
)
