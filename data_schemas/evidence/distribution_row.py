"""How predictors are distributed: one figure of a cohort a row."""

from collections.abc import Iterator

from data_schemas.evidence.row import EvidenceRow, Finding, interval_findings
from data_schemas.evidence.vocabulary import (
    Comparison,
    Disease,
    Number,
    Patients,
    RangeType,
    Slug,
    Statistic,
    Text,
    Timing,
)


class Distribution(EvidenceRow):
    """One figure of a predictor in a cohort; ``value``, ``low`` and ``high`` are in ``unit``."""

    study: Text
    disease: Disease
    predictor: Slug
    variable: Text
    comparison: Comparison | None = None
    threshold: Number | None = None
    threshold_unit: Text | None = None
    statistic: Statistic
    unit: Text
    value: Number | None = None
    low: Number | None = None
    high: Number | None = None
    range_type: RangeType
    n: Patients | None = None
    timing: Timing | None = None
    timing_as_published: Text | None = None

    def findings(self) -> Iterator[Finding]:
        """A range with both ends around its value, and percentages of patients within 0 to 100."""
        yield from super().findings()
        ends = self._given("low") + self._given("high")
        if ends != (0 if self.range_type == "none" else 2):
            yield Finding("range_type", "none has no low and high, others both", "compare the keys")
        yield from interval_findings("value", self.value, "", self.low, self.high)
        if not self._given("value") and self.statistic != "percentiles":
            yield Finding("value", "required unless percentiles", "give the figure")
        if self.statistic == "percent":
            if self.unit != "%":
                yield Finding("unit", "a percent is in %", 'set unit = "%"')
            if self.value is not None and not 0 <= self.value <= 100:
                yield Finding(
                    "value", f"{self.value} % must lie within 0 to 100", "compare with the source"
                )
