"""How well published models did: one model or score a row."""

from collections.abc import Iterator
from typing import Literal

from data_schemas.evidence.row import EvidenceRow, Finding, interval_findings
from data_schemas.evidence.vocabulary import (
    Disease,
    Events,
    Patients,
    Percent,
    Probability,
    Slug,
    Text,
)


class Performance(EvidenceRow):
    """A published model or score and its AUC (0 to 1) in its own cohort and in others."""

    model: Text
    timing: Literal["pre_infusion", "mixed", "post_infusion"]
    timing_as_published: Text
    outcome: Slug
    outcome_as_published: Text
    disease: Disease
    predictors: Text
    n: Patients | None = None
    n_development: Patients | None = None
    n_validation: Patients | None = None
    n_as_published: Text | None = None
    events: Events | None = None
    events_development: Events | None = None
    events_validation: Events | None = None
    event_pct: Percent | None = None
    events_as_published: Text | None = None
    auc_internal: Probability | None = None
    auc_internal_low: Probability | None = None
    auc_internal_high: Probability | None = None
    auc_internal_ci_low: Probability | None = None
    auc_internal_ci_high: Probability | None = None
    auc_internal_detail: Text | None = None
    auc_external: Probability | None = None
    auc_external_low: Probability | None = None
    auc_external_high: Probability | None = None
    auc_external_ci_low: Probability | None = None
    auc_external_ci_high: Probability | None = None
    auc_external_detail: Text | None = None
    other_metrics: Text | None = None
    calibration_reported: Text
    validation: Text

    def findings(self) -> Iterator[Finding]:
        """Intervals in order and around their AUC, and no more events than patients."""
        yield from super().findings()
        for name in ("auc_internal", "auc_external"):
            value = getattr(self, name)
            for prefix in (name, f"{name}_ci"):
                low, high = getattr(self, f"{prefix}_low"), getattr(self, f"{prefix}_high")
                yield from interval_findings(name, value, prefix, low, high)
        if self.n is not None and self.events is not None and self.events > self.n:
            yield Finding("events", f"must not exceed n = {self.n}", "compare the counts")
