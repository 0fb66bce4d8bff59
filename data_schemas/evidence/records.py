"""What one row of evidence may say, table by table, and the rules between its fields.

A key left out of a row is not known; it is None here and is never filled with a guess.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Literal, NamedTuple, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

Verified: TypeAlias = Literal["read", "partly_read", "unread"]
Mark: TypeAlias = Literal["read", "unread"]
Product: TypeAlias = Literal[
    "tisagenlecleucel",
    "axicabtagene_ciloleucel",
    "brexucabtagene_autoleucel",
    "lisocabtagene_maraleucel",
    "idecabtagene_vicleucel",
    "ciltacabtagene_autoleucel",
    "obecabtagene_autoleucel",
    "relmacabtagene_autoleucel",
    "equecabtagene_autoleucel",
    "zevorcabtagene_autoleucel",
    "inaticabtagene_autoleucel",
    "anitocabtagene_autoleucel",
    "mixed",
    "investigational",
    "all",
]
Disease: TypeAlias = Literal[
    "LBCL", "PMBCL", "FL", "MCL", "MZL", "CLL_SLL", "B_ALL", "MM", "mixed", "other"
]
# CTCAE_all_events: every neurologic event counts, also headache and tremor, as in the US labels.
Scale: TypeAlias = Literal[
    "ASTCT2019", "Lee2014", "Penn2014", "MSKCC", "CARTOX", "CTCAE", "CTCAE_all_events", "mixed"
]
Setting: TypeAlias = Literal["trial", "label", "real_world", "meta_analysis"]
Role: TypeAlias = Literal[
    "base_rate",
    "prophylaxis",
    "subgroup",
    "mixed_products",
    "investigational",
    "meta_analysis",
    "overlapping",
    "incomplete",
]
Timing: TypeAlias = Literal[
    "baseline",
    "leukapheresis",
    "pre_lymphodepletion",
    "pre_infusion",
    "infusion_day",
    "peri_infusion",
    "post_infusion",
    "mixed",
]
ContrastKind: TypeAlias = Literal[
    "per_unit", "per_doubling", "threshold", "groups", "continuous_unspecified", "none"
]
Comparison: TypeAlias = Literal[">", ">=", "<", "<="]
Measure: TypeAlias = Literal[
    "OR", "HR", "AUC", "fold", "percent_pair", "percent_single_arm", "none"
]
Direction: TypeAlias = Literal["increases", "decreases", "none", "not_stated"]
RangeType: TypeAlias = Literal["range", "iqr", "p5_p95", "ci95_of_median", "none"]
Statistic: TypeAlias = Literal["median", "percent", "percentiles", "roc_cut_off"]

Slug: TypeAlias = Annotated[str, Field(pattern=r"^[a-z0-9]+([-_][a-z0-9]+)*$")]
Text: TypeAlias = Annotated[str, Field(min_length=1)]
Number: TypeAlias = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Percent: TypeAlias = Annotated[float, Field(strict=True, ge=0, le=100, allow_inf_nan=False)]
Probability: TypeAlias = Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]
Patients: TypeAlias = Annotated[int, Field(strict=True, gt=0)]
Events: TypeAlias = Annotated[int, Field(strict=True, ge=0)]
Year: TypeAlias = Annotated[int, Field(strict=True, ge=1990, le=2100)]


class Finding(NamedTuple):
    """One rule that a row breaks: the field, the limit that holds, and what to do."""

    field: str
    limit: str
    remedy: str


class Reference(BaseModel):
    """A paper, label, abstract or record; its key in references.toml is what rows cite."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["paper", "label", "abstract", "record"]
    where: Text
    authors: Text | None = None
    title: Text | None = None
    journal: Text | None = None
    year: Year | None = None
    doi: Annotated[str, Field(pattern=r"^10\.\d{4,9}/\S+$")] | None = None
    pmid: Annotated[str, Field(pattern=r"^\d{1,8}$")] | None = None
    note: Text | None = None

    @property
    def citation(self) -> str:
        """The reference in one line: who, where, and the DOI if there is one."""
        where = f"{self.journal} {self.where}" if self.journal else self.where
        doi = f"doi:{self.doi}" if self.doi else None
        return ", ".join(part for part in (self.authors, where, doi) if part)


class EvidenceRow(BaseModel):
    """What every row says: whom it is about, where it was read, how far it was checked."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    # A computed figure is as well read as the least read figure it is computed from.
    COMPUTED_FROM: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    id: Slug
    product: Product
    shares: dict[Product, Probability] | None = None
    population: Text | None = None
    reference: Text
    also: tuple[Text, ...] = ()
    verified: Verified
    not_reread: Text | None = None
    unread_fields: tuple[str, ...] = ()
    source: Text | None = None
    note: Text | None = None

    def __hash__(self) -> int:
        """Rows are told apart by their id, which is unique over all tables."""
        return hash(self.id)

    def mark(self, field: str) -> Mark:
        """Say whether one figure of this row was read in its source.

        Parameters
        ----------
        field
            A field of the record, or a figure computed from fields, such as ``events_crs_severe``.

        Returns
        -------
        "read" or "unread"
            A figure that is left out is "unread": nobody has read what is not there.

        Raises
        ------
        KeyError
            If the record has no such field.
        """
        if field in self.COMPUTED_FROM:
            marks = {self.mark(part) for part in self.COMPUTED_FROM[field]}
            return "read" if marks == {"read"} else "unread"
        if field not in type(self).model_fields:
            raise KeyError(f"{type(self).__name__} has no field {field!r}")
        if self.verified == "unread" or field in self.unread_fields:
            return "unread"
        return "unread" if getattr(self, field) is None else "read"

    def _given(self, *names: str) -> bool:
        """Whether the row states all these keys, be their values sound or not."""
        return self.model_fields_set.issuperset(names)

    def findings(self) -> Iterator[Finding]:
        """Rules between the fields of this row that the row breaks."""
        yield from self._mark_findings()
        if self.shares is not None:
            if self.product != "mixed":
                yield Finding("shares", "only a mix has shares", 'set product = "mixed"')
            # Published shares are whole percentages, so their sum may miss one by a little.
            if not 0.97 <= sum(self.shares.values()) <= 1.03:
                yield Finding("shares", "shares must sum to 1", "give every product of the mix")

    def _mark_findings(self) -> Iterator[Finding]:
        """A partly read row names what was not read; the other rows have nothing to name."""
        if self.verified == "partly_read":
            if not self._given("not_reread"):
                yield Finding("not_reread", "required if partly_read", "name the figures in words")
            if not self._given("unread_fields"):
                yield Finding("unread_fields", "required if partly_read", "name the fields")
        elif self._given("not_reread") or self._given("unread_fields"):
            yield Finding(
                "unread_fields", f"not allowed if {self.verified}", 'use verified = "partly_read"'
            )
        if self.verified in ("read", "partly_read") and not self._given("source"):
            yield Finding("source", f"required if {self.verified}", "say where it was read")
        for name in self.unread_fields:
            if name not in type(self).model_fields:
                yield Finding("unread_fields", f"{name!r} is not a field", "correct the spelling")
            elif not self._given(name):
                yield Finding("unread_fields", f"{name!r} has no value", "remove it from the list")


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
            graded = self._given(any_name) or self._given(severe_name)
            if graded and not self._given(scale):
                yield Finding(scale, "required beside a percentage", "name the grading scale")
        yield from self._role_findings()

    def _role_findings(self) -> Iterator[Finding]:
        """A base rate has what pooling needs, an incomplete row lacks it, an overlap has a twin."""
        poolable = self._given("n_treated", "crs_severe_pct") or self._given(
            "n_treated", "icans_severe_pct"
        )
        if self.role == "base_rate" and not poolable:
            yield Finding("role", "a base_rate has n and a severe %", 'use role = "incomplete"')
        if self.role == "base_rate" and self.product in ("mixed", "investigational", "all"):
            yield Finding("role", "a base_rate is of one licensed product", "choose another role")
        if self.role == "incomplete" and poolable:
            yield Finding("role", "an incomplete row lacks n or a severe %", "choose another role")
        if self.role == "overlapping" and not self._given("overlaps_with"):
            yield Finding("overlaps_with", "required if overlapping", "name the row that is pooled")


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

    @property
    def direction_as_predictor_rises(self) -> Direction:
        """The direction, turned round where the first-named group is the lower one."""
        if self.comparison not in ("<", "<="):
            return self.direction
        turned: dict[Direction, Direction] = {"increases": "decreases", "decreases": "increases"}
        return turned.get(self.direction, self.direction)

    def findings(self) -> Iterator[Finding]:
        """Possible ratios, intervals around their estimate, a whole contrast, an earned use."""
        yield from super().findings()
        yield from self._estimate_findings()
        yield from self._contrast_findings()
        yield from self._use_findings()

    def _estimate_findings(self) -> Iterator[Finding]:
        """OR, HR, fold above 0, AUC within 0 to 1, intervals in order and around the estimate."""
        for name in ("effect", "effect_low", "effect_high", "ci_low", "ci_high"):
            value = getattr(self, name)
            if value is None:
                continue
            if self.measure in ("OR", "HR", "fold") and value <= 0:
                yield Finding(
                    name, f"{self.measure} {value} must be above 0", "compare with the source"
                )
            if self.measure == "AUC" and not 0 <= value <= 1:
                yield Finding(
                    name, f"AUC {value} must lie within 0 to 1", "compare with the source"
                )
        yield from _interval_findings("effect", self.effect, "ci", self.ci_low, self.ci_high)
        yield from _interval_findings(
            "effect", self.effect, "effect", self.effect_low, self.effect_high
        )
        more = _first_exceeds_second(self)
        told = {"increases": True, "decreases": False}.get(self.direction)
        if more is not None and told is not None and more != told:
            yield Finding(
                "direction", f"{self.direction} contradicts the figures", "turn one round"
            )

    def _contrast_findings(self) -> Iterator[Finding]:
        """A cut-off needs its side, a slope its step, and groups cannot exceed the cohort."""
        if self.contrast_kind == "threshold" and not self._given("threshold", "comparison"):
            yield Finding("threshold", "a threshold needs value and comparison", "give both")
        if self.contrast_kind == "per_unit" and not self._given("per", "per_unit"):
            yield Finding("per", "per_unit needs per and per_unit", "give step and unit")
        if self.n is not None and (self.n_exposed or 0) + (self.n_unexposed or 0) > self.n:
            yield Finding("n_exposed", f"groups must not exceed n = {self.n}", "compare the counts")
        if self.n is not None and self.events is not None and self.events > self.n:
            yield Finding("events", f"must not exceed n = {self.n}", "compare the counts")

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
        if self.timing == "post_infusion":
            yield Finding("usable", "known only after infusion", "set usable = false")


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
        yield from _interval_findings("value", self.value, "", self.low, self.high)
        if not self._given("value") and self.statistic != "percentiles":
            yield Finding("value", "required unless percentiles", "give the figure")
        if self.statistic == "percent":
            if self.unit != "%":
                yield Finding("unit", "a percent is in %", 'set unit = "%"')
            if self.value is not None and not 0 <= self.value <= 100:
                yield Finding(
                    "value", f"{self.value} % must lie within 0 to 100", "compare with the source"
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
                yield from _interval_findings(name, value, prefix, low, high)
        if self.n is not None and self.events is not None and self.events > self.n:
            yield Finding("events", f"must not exceed n = {self.n}", "compare the counts")


def _events(n: int | None, percent: float | None) -> int | None:
    """Whole patients behind a published percentage."""
    return None if n is None or percent is None else round(n * percent / 100)


def _interval_findings(
    field: str, value: float | None, prefix: str, low: float | None, high: float | None
) -> Iterator[Finding]:
    """Ends in order, and the estimate between them."""
    low_name, high_name = f"{prefix}_low".lstrip("_"), f"{prefix}_high".lstrip("_")
    if low is not None and high is not None and low > high:
        yield Finding(low_name, f"{low} must not exceed {high_name} {high}", "exchange the ends")
    elif value is not None and (
        (low is not None and value < low) or (high is not None and value > high)
    ):
        yield Finding(
            field,
            f"{value} must lie within {low_name} {low} to {high_name} {high}",
            "compare with the source",
        )


def _first_exceeds_second(row: Association) -> bool | None:
    """Whether the figures show more events in the first-named group; None if they do not tell."""
    if row.measure in ("OR", "HR", "fold") and row.effect not in (None, 1):
        return row.effect is not None and row.effect > 1
    if row.percent_exposed is None or row.percent_unexposed is None:
        return None
    if row.percent_exposed == row.percent_unexposed:
        return None
    return row.percent_exposed > row.percent_unexposed
