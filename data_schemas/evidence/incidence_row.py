"""How often severe toxicity happened: one cohort a row."""

from collections.abc import Iterator, Mapping
from typing import ClassVar

from data_schemas.evidence.row import EvidenceRow, Finding, percent_findings
from data_schemas.evidence.vocabulary import (
    Disease,
    Patients,
    Percent,
    Role,
    Scale,
    Setting,
    Text,
    Year,
)


class Incidence(EvidenceRow):
    """How often CRS and ICANS happened in one cohort; ``*_pct`` are % of ``n_treated`` patients."""

    COMPUTED_FROM: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "events_crs_severe": ("n_treated", "crs_severe_pct"),
        "events_icans_severe": ("n_treated", "icans_severe_pct"),
    }

    study: Text
    disease: Disease
    setting: Setting
    role: Role
    overlaps_with: tuple[str, ...] = ()
    n_treated: Patients | None = None
    crs_any_pct: Percent | None = None
    crs_severe_pct: Percent | None = None
    icans_any_pct: Percent | None = None
    icans_severe_pct: Percent | None = None
    crs_scale: Scale | None = None
    neurotoxicity_scale: Scale | None = None
    grading_as_published: Text
    year: Year

    @property
    def events_crs_severe(self) -> int | None:
        """Patients with severe CRS, from n and %; None if not known."""
        return _events(self.n_treated, self.crs_severe_pct)

    @property
    def events_icans_severe(self) -> int | None:
        """Patients with severe ICANS or neurotoxicity, from n and %; None if not known."""
        return _events(self.n_treated, self.icans_severe_pct)

    def findings(self) -> Iterator[Finding]:
        """Severe within any grade, a scale beside every percentage, and the role earned."""
        yield from super().findings()
        for toxicity, scale in (("crs", "crs_scale"), ("icans", "neurotoxicity_scale")):
            any_name, severe_name = f"{toxicity}_any_pct", f"{toxicity}_severe_pct"
            any_pct, severe = getattr(self, any_name), getattr(self, severe_name)
            if any_pct is not None and severe is not None and severe > any_pct:
                yield Finding(
                    severe_name,
                    f"severe {severe} % must not exceed any grade {any_pct} %",
                    "compare both figures with the source",
                )
            for name in (any_name, severe_name):
                yield from percent_findings(name, getattr(self, name), self.n_treated)
            graded = self._given(any_name) or self._given(severe_name)
            if graded and not self._given(scale):
                yield Finding(scale, "required beside a percentage", "name the grading scale")
        yield from self._role_findings()

    def _role_findings(self) -> Iterator[Finding]:
        """A rate has what it is made of, an incomplete row lacks it, an overlap has a twin."""
        poolable = self._given("n_treated", "crs_severe_pct") or self._given(
            "n_treated", "icans_severe_pct"
        )
        if self.role in ("base_rate", "prophylaxis") and not poolable:
            yield Finding("role", f"a {self.role} has n and a severe %", 'use role = "incomplete"')
        if self.role == "base_rate" and self.product in ("mixed", "investigational", "all"):
            yield Finding("role", "a base_rate is of one licensed product", "choose another role")
        if self.role == "incomplete" and poolable:
            yield Finding("role", "an incomplete row lacks n or a severe %", "choose another role")
        if self.role == "overlapping" and not self._given("overlaps_with"):
            yield Finding("overlaps_with", "required if overlapping", "name the row that is pooled")


def _events(n: int | None, percent: float | None) -> int | None:
    """Whole patients behind a published percentage."""
    return None if n is None or percent is None else round(n * percent / 100)
