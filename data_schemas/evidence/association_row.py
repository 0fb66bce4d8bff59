"""What goes with severe toxicity: one published figure a row."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from data_schemas.evidence.row import EvidenceRow, Finding, interval_findings, percent_findings
from data_schemas.evidence.vocabulary import (
    Comparison,
    ContrastKind,
    Direction,
    Disease,
    Events,
    Measure,
    Number,
    Patients,
    Percent,
    Probability,
    Slug,
    Text,
    Timing,
)

RATIO = (0.01, 100.0)
"""Least and largest OR, HR or fold that is believed to be printed; 0.19 to 22.48 in the tables."""

RATIO_ENDS = (0.001, 1_000.0)
"""The same for the ends of its interval, which few events make wide; 0.03 to 314 in the tables."""

LEAST_P = 1e-16
"""Nobody prints a smaller p: R's own bound is "< 2.2e-16"."""

FEWEST_PATIENTS = 10
"""A usable row has so many: in fewer, the share with an outcome is no event at all."""

SLOPE_STEP = (0.001, 10_000.0)
"""Least and largest step of a slope: from a thousandth of a ratio to 10,000 ng/mL of ferritin."""


class Association(EvidenceRow):
    """How a predictor goes with an outcome, as published.

    The contrast is read "first-named group against second-named": ``percent_exposed``, ``effect``
    and ``direction`` speak of the first. OR, HR, fold are ratios; ``percent_*`` are % of patients.
    """

    predictor: Slug
    predictor_as_published: Text
    components: tuple[Slug, ...] = ()
    contrast: Text | None = None
    contrast_kind: ContrastKind
    comparison: Comparison | None = None
    threshold: Number | None = None
    threshold_unit: Text | None = None
    per: Number | None = None
    per_unit: Text | None = None
    outcome: Slug
    outcome_as_published: Text
    measure: Measure
    measure_as_published: Text | None = None
    effect: Number | None = None
    effect_low: Number | None = None
    effect_high: Number | None = None
    ci_low: Number | None = None
    ci_high: Number | None = None
    p: Probability | None = None
    p_below: Probability | None = None
    p_as_published: Text | None = None
    percent_exposed: Percent | None = None
    percent_unexposed: Percent | None = None
    n: Patients | None = None
    n_exposed: Patients | None = None
    n_unexposed: Patients | None = None
    n_as_published: Text | None = None
    events: Events | None = None
    events_as_published: Text | None = None
    adjusted: Annotated[bool, Field(strict=True)] | None = None
    analysis: Text | None = None
    diseases: tuple[Disease, ...]
    direction: Direction
    direction_note: Text | None = None
    timing: Timing
    timing_as_published: Text
    usable: Annotated[bool, Field(strict=True)]
    why_not: Text | None = None
    overlaps_with: tuple[str, ...] = ()

    @property
    def predictors(self) -> tuple[str, ...]:
        """Every predictor that the row speaks of, alone or together with others."""
        return self.components or (self.predictor,)

    def findings(self) -> Iterator[Finding]:
        """Possible ratios, intervals around their estimate, a whole contrast, an earned use."""
        yield from super().findings()
        yield from self._estimate_findings()
        yield from self._contrast_findings()
        yield from self._use_findings()

    def _estimate_findings(self) -> Iterator[Finding]:
        """Plausible OR, HR, fold, AUC within 0 to 1, intervals in order around the estimate."""
        for name in ("effect", "effect_low", "effect_high", "ci_low", "ci_high"):
            value = getattr(self, name)
            if value is None:
                continue
            least, most = RATIO if name == "effect" else RATIO_ENDS
            if self.measure in ("OR", "HR", "fold") and not least <= value <= most:
                yield Finding(
                    name,
                    f"{self.measure} {value:g} must lie within {least:g} to {most:g}",
                    "compare with the source, or leave out what has no such end",
                )
            if self.measure == "AUC" and not 0 <= value <= 1:
                yield Finding(
                    name, f"AUC {value} must lie within 0 to 1", "compare with the source"
                )
        yield from interval_findings("effect", self.effect, "ci", self.ci_low, self.ci_high)
        yield from interval_findings(
            "effect", self.effect, "effect", self.effect_low, self.effect_high
        )
        more = _first_exceeds_second(self)
        told = {"increases": True, "decreases": False}.get(self.direction)
        if more is not None and told is not None and more != told:
            yield Finding(
                "direction", f"{self.direction} contradicts the figures", "turn one round"
            )

    def _contrast_findings(self) -> Iterator[Finding]:
        """A cut-off needs its side, a slope its step, and groups are parts of their cohort."""
        if self.contrast_kind == "threshold" and not self._given("threshold", "comparison"):
            yield Finding("threshold", "a threshold needs value and comparison", "give both")
        if self.contrast_kind == "per_unit" and not self._given("per", "per_unit"):
            yield Finding("per", "per_unit needs per and per_unit", "give step and unit")
        least, most = SLOPE_STEP
        if self.per is not None and not least <= self.per <= most:
            yield Finding(
                "per",
                f"a step of {self.per:g} must lie within {least:g} to {most:g}",
                "give the step and the unit that the ratio was printed for",
            )
        if self.n is not None and (self.n_exposed or 0) + (self.n_unexposed or 0) > self.n:
            yield Finding("n_exposed", f"groups must not exceed n = {self.n}", "compare the counts")
        if self.n is not None and self.events is not None and self.events > self.n:
            yield Finding("events", f"must not exceed n = {self.n}", "compare the counts")
        yield from percent_findings(
            "percent_exposed", self.percent_exposed, self.n_exposed or self.n
        )
        yield from percent_findings(
            "percent_unexposed", self.percent_unexposed, self.n_unexposed or self.n
        )
        yield from self._mixture_findings()

    def _mixture_findings(self) -> Iterator[Finding]:
        """All events are a mixture of two groups, whose sizes follow from it if none is told."""
        first, second = self.percent_exposed, self.percent_unexposed
        if self.n_exposed is not None or self.n is None or self.events is None:
            return
        if first is None or second is None:
            return
        overall = 100 * self.events / self.n
        if not min(first, second) < overall < max(first, second):
            yield Finding(
                "events",
                f"{self.events} of {self.n}, {overall:.3g} %, must lie between the two groups' "
                f"{first:g} and {second:g} %",
                "compare the counts, or give n_exposed and n_unexposed",
            )

    def _use_findings(self) -> Iterator[Finding]:
        """A usable row has estimate and spread, known before infusion; others say why not."""
        if self.usable == bool(self.why_not):
            yield Finding(
                "why_not", "required if, and only if, not usable", "say it in a few words"
            )
        if not self.usable:
            return
        ratio = self.measure in ("OR", "HR") and self._given("effect")
        spread = any(map(self._given, ("ci_low", "p", "p_below")))
        pair = self._given("percent_exposed", "percent_unexposed", "n")
        auc = self.measure == "AUC" and self.effect is not None
        if not (ratio and spread) and not ((pair or auc) and self.n is not None):
            yield Finding(
                "usable",
                "needs a ratio with interval or p, or two % or an AUC with n",
                "set usable = false",
            )
        yield from self._certainty_findings()
        if self.timing == "post_infusion":
            yield Finding("usable", "known only after infusion", "set usable = false")

    def _certainty_findings(self) -> Iterator[Finding]:
        """No error is 0 or without end: rounding printed it so, and a conversion would divide."""
        for name in ("p", "p_below"):
            value = getattr(self, name)
            if value is not None and not LEAST_P <= value < 1:
                yield Finding(
                    name,
                    f"{value} of a usable row must be at least {LEAST_P:g} and below 1",
                    "give what was printed as a bound (p_below), or set usable = false",
                )
        if self.n is not None and self.n < FEWEST_PATIENTS:
            yield Finding(
                "n",
                f"{self.n} patients of a usable row must be at least {FEWEST_PATIENTS}",
                "compare with the source, or set usable = false",
            )
        if self.ci_low is not None and self.ci_low == self.ci_high:
            yield Finding("ci_low", "must be less than ci_high", "compare with the source")
        if self.measure == "AUC" and self.effect in (0, 1):
            yield Finding(
                "effect",
                f"AUC {self.effect} of a usable row must lie between 0 and 1",
                "set usable = false",
            )


def _first_exceeds_second(row: Association) -> bool | None:
    """Whether the figures show more events in the first-named group; None if they do not tell."""
    if row.measure in ("OR", "HR", "fold") and row.effect not in (None, 1):
        return row.effect is not None and row.effect > 1
    if row.measure == "AUC" and row.effect not in (None, 0.5):
        return row.effect is not None and row.effect > 0.5
    if row.percent_exposed is None or row.percent_unexposed is None:
        return None
    if row.percent_exposed == row.percent_unexposed:
        return None
    return row.percent_exposed > row.percent_unexposed
