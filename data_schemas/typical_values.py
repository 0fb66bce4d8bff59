"""The typical patient: centres and spreads that the model's terms are measured from.

Published where a distribution was found, and marked ``assumed`` where none was.
"""

import math
import tomllib
from functools import cache
from importlib.resources import files
from statistics import NormalDist

from pydantic import BaseModel, ConfigDict, model_validator

_LEVELS = (0.01, 0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95, 0.99)


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    basis: tuple[str, ...] = ()
    assumed: bool = False
    how: str

    @model_validator(mode="after")
    def _has_a_source(self) -> "_Row":
        if not self.basis and not self.assumed:
            raise ValueError("a typical value needs a basis, or must be marked as assumed")
        return self


class TypicalValue(_Row):
    """Median in the canonical unit and spread on the transformed scale, by disease or ``"*"``.

    ``product`` is ``"*"`` but where its patients in a disease are typically other ones.
    """

    predictor: str
    transform: str
    disease: str
    product: str = "*"
    centre: float
    spread: float

    @model_validator(mode="after")
    def _is_never_missing(self) -> "TypicalValue":
        """Ranges of what a missing predictor leaves open are those of the disease."""
        if self.product != "*" and self.predictor != "age":
            raise ValueError("only age, without which no risk is given, may be a product's own")
        return self


class BurdenMeasure(_Row):
    """Quantiles of one measure of tumour burden: given as knots, or log-normal."""

    measure: str
    levels: tuple[float, ...] = ()
    values: tuple[float, ...] = ()
    median: float | None = None
    spread: float | None = None
    scale: str = "identity"

    def curve(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return increasing values and the percentiles (0 to 1) that they stand at."""
        if self.median is None or self.spread is None:
            return self.values, self.levels
        normal = NormalDist()
        distances = [self.spread * normal.inv_cdf(level) for level in _LEVELS]
        return tuple(self.median * math.exp(distance) for distance in distances), _LEVELS


@cache
def _table() -> dict[str, list[dict[str, object]]]:
    path = files("data_schemas.evidence") / "typical_values.toml"
    return tomllib.loads(path.read_text("utf-8"))


@cache
def typical_values() -> tuple[TypicalValue, ...]:
    """Return the centres and spreads."""
    return tuple(TypicalValue.model_validate(row) for row in _table()["typical"])


@cache
def burden_measures() -> tuple[BurdenMeasure, ...]:
    """Return the quantiles of the measures of tumour burden."""
    return tuple(BurdenMeasure.model_validate(row) for row in _table()["burden"])
