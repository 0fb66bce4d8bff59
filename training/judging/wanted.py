"""One limit held against one number, and said in a sentence."""

from dataclasses import dataclass
from typing import Literal

from training.evaluation.estimate import Estimate
from training.judging.verdict import Limit

_MOST_DIGITS = 12


@dataclass(frozen=True)
class Wanted:
    """What is wanted of one measure.

    Either bound may be None. ``too_low`` and ``too_high`` say what it means to lie beyond one.
    """

    name: str
    what: str
    """The measure in words that begin a sentence."""
    at_least: float | None = None
    at_most: float | None = None
    too_low: str = ""
    too_high: str = ""
    measure: str | None = None
    """Where the number stands in the evaluation."""
    end: Literal["value", "low", "high"] = "value"
    """Which number of the estimate is held against the bounds."""
    digits: int = 2

    def of(self, estimate: Estimate) -> Limit:
        """Hold an estimate against the bounds."""
        reached = getattr(estimate, self.end)
        reason = None if reached is not None else estimate.reason
        return Limit(
            name=self.name,
            measure=self.measure,
            at_least=self.at_least,
            at_most=self.at_most,
            reached=reached,
            reason=reason,
            met=reached is not None and self._beyond(reached) is None,
            in_words=self._said(estimate, reached, reason),
        )

    def _beyond(self, reached: float) -> tuple[str, float, str] | None:
        """Return on which side of which bound a number lies, and what that means."""
        if self.at_least is not None and reached < self.at_least:
            return "below", self.at_least, self.too_low
        if self.at_most is not None and reached > self.at_most:
            return "above", self.at_most, self.too_high
        return None

    def _said(self, estimate: Estimate, reached: float | None, reason: str | None) -> str:
        if reached is None:
            return f"{self.what} could not be measured: {reason}; wanted is {self._range()}."
        beyond = self._beyond(reached)
        if beyond is None:
            return f"{self.what} {self._number(estimate)} keeps to {self._range()}."
        side, bound, meaning = beyond
        by = told_apart(abs(reached - bound), 0.0, self.digits)
        number = self._number(estimate, bound)
        said = f"{self.what} {number} lies {by} {side} {_declared(bound, self.digits)}: {meaning}"
        return f"{said}{self._or_by_chance(estimate)}."

    def _or_by_chance(self, estimate: Estimate) -> str:
        """Say where the interval reaches what is wanted: the limit may be broken by chance."""
        if self.end != "value" or estimate.low is None or estimate.high is None:
            return ""
        keeps_below = self.at_most is None or estimate.low <= self.at_most
        keeps_above = self.at_least is None or estimate.high >= self.at_least
        if keeps_below and keeps_above:
            return ", or these patients are too few to tell it from a model that keeps to the limit"
        return ""

    def _number(self, estimate: Estimate, bound: float | None = None) -> str:
        reached = getattr(estimate, self.end)
        said = told_apart(reached, bound, self.digits)
        if self.end != "value" or estimate.low is None or estimate.high is None:
            return said
        low, high = (f"{end:.{self.digits}f}" for end in (estimate.low, estimate.high))
        return f"{said} ({low} to {high})"

    def _range(self) -> str:
        low, high = (
            None if bound is None else _declared(bound, self.digits)
            for bound in (self.at_least, self.at_most)
        )
        if low is None:
            return f"at most {high}"
        return f"at least {low}" if high is None else f"{low} to {high}"


def _declared(bound: float, digits: int) -> str:
    """Write a bound with all the digits that it has."""
    while float(f"{bound:.{digits}f}") != bound and digits < _MOST_DIGITS:
        digits += 1
    return f"{bound:z.{digits}f}"


def told_apart(number: float, bound: float | None, digits: int) -> str:
    """Write a number with as many digits as tell it from a bound that it is not equal to."""
    if bound is not None and number != bound:
        while float(f"{number:.{digits}f}") == bound and digits < _MOST_DIGITS:
            digits += 1
    return f"{number:z.{digits}f}"
