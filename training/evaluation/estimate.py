"""A number with its interval, or the reason why there is none: nothing is ever NaN."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator

Method = Literal[
    "delong", "wald", "exact", "wilson", "normal", "bootstrap", "hartung_knapp", "shifted_apparent"
]
"""How an interval was found.

``delong``: variance of DeLong, on the logit scale. ``wald``: from the Fisher information, for an
O/E on the log scale. ``exact``: from the binomial distribution itself, of no event at all.
``wilson``: score interval of a share. ``normal``: mean of patients plus and
minus 1.96 standard errors. ``bootstrap``: centiles over patients drawn with replacement.
``hartung_knapp``: of a random-effects mean. ``shifted_apparent``: the apparent interval moved by
the optimism.
"""


class Record(BaseModel):
    """What may be written to a report: frozen, closed, and without NaN or infinity."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Estimate(Record):
    """A measure with its 95 % interval; ``reason`` says why value or interval is missing."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    method: Method | None = None
    """How the interval was found; None if and only if there is none."""
    reason: str | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        bounds = (self.low, self.high, self.method)
        if any(b is None for b in bounds) and any(b is not None for b in bounds):
            raise ValueError("an interval has two ends and a method, or none of them")
        if (self.value is None or self.low is None) and not self.reason:
            raise ValueError("what is missing needs a reason")
        if self.value is None and self.low is not None:
            raise ValueError("an interval needs a value")
        return self


class Curve(Record):
    """Values on the grid of the record that holds the curve, with a pointwise 95 % band.

    ``low`` and ``high`` are both None, and ``reason`` says why, where there is no band.
    """

    value: tuple[float, ...]
    low: tuple[float, ...] | None = None
    high: tuple[float, ...] | None = None
    reason: str | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.low is None) is not (self.high is None):
            raise ValueError("a band has two edges or none")
        if self.low is None and not self.reason:
            raise ValueError("what is missing needs a reason")
        lengths = {len(part) for part in (self.value, self.low, self.high) if part is not None}
        if len(lengths) != 1:
            raise ValueError("value and band stand on the same grid")
        return self
