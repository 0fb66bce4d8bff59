"""What an answer holds, in the order in which the page shows it."""

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Status(StrEnum):
    """Whether an answer may be used, from best to worst."""

    OK = "ok"
    CAUTION = "caution"
    INSUFFICIENT_DATA = "insufficient_data"
    OUT_OF_SCOPE = "out_of_scope"

    @property
    def has_risk(self) -> bool:
        """Tell whether a number is given at all."""
        return self in (Status.OK, Status.CAUTION)


class CautionCode(StrEnum):
    """Why an answer needs care.

    The list may grow: a code that a caller does not know is a caution like any other, and its text
    says why.
    """

    SOFT_LIMIT = "soft_limit"
    OLD_VALUE = "old_value"
    INFUSION_HAS_PASSED = "infusion_has_passed"
    LDH_LIMIT_ASSUMED = "ldh_limit_assumed"
    BURDEN_NOT_MEASURED = "burden_not_measured"
    BURDEN_MEASURES_DISAGREE = "burden_measures_disagree"
    ACTIVE_CNS_DISEASE = "active_cns_disease"
    UNCONTROLLED_INFECTION = "uncontrolled_infection"
    FEW_DATA_FOR_PRODUCT = "few_data_for_product"
    EFFECTS_BORROWED = "effects_borrowed"
    DELAYED_NEUROTOXICITY = "delayed_neurotoxicity"
    DOSE_SPLIT_BY_BURDEN = "dose_split_by_burden"
    PREDICTOR_NOT_MEASURED = "predictor_not_measured"
    WIDE_INTERVAL = "wide_interval"
    FITTED_ON_SIMULATED_PATIENTS = "fitted_on_simulated_patients"
    LIMITS_NOT_KEPT = "limits_not_kept"


CAUTION_TEXTS: dict[CautionCode, str] = {
    CautionCode.SOFT_LIMIT: "outside its usual range: check value and unit",
    CautionCode.OLD_VALUE: "measured longer before infusion than its look-back window allows",
    CautionCode.INFUSION_HAS_PASSED: (
        "the infusion date has passed, and the estimate is for use before infusion only: correct "
        "the date if the infusion is still to come; if it is over, do not use the answer for the "
        "care of this patient"
    ),
    CautionCode.LDH_LIMIT_ASSUMED: "not given; 250 U/L was assumed",
    CautionCode.BURDEN_NOT_MEASURED: (
        "no measure of tumour burden was given: a risk that is shown assumes a typical one"
    ),
    CautionCode.BURDEN_MEASURES_DISAGREE: (
        "another measure of tumour burden stands much higher than the one that was used: check both"
    ),
    CautionCode.ACTIVE_CNS_DISEASE: "active; most published cohorts excluded it",
    CautionCode.UNCONTROLLED_INFECTION: "uncontrolled; published cohorts excluded it",
    CautionCode.FEW_DATA_FOR_PRODUCT: (
        "our tables of published cohorts hold none of this product in this disease: its base rate "
        "is borrowed from others"
    ),
    CautionCode.EFFECTS_BORROWED: (
        "our tables hold no usable figure on how predictors go with severe toxicity in this "
        "disease: their effects are those published in others"
    ),
    CautionCode.DELAYED_NEUROTOXICITY: (
        "movement and neurocognitive disorders that begin weeks after infusion of this product "
        "(Cohen AD, Blood Cancer J 2022;12:32; unread) are not ICANS, and no part of this answer"
    ),
    CautionCode.DOSE_SPLIT_BY_BURDEN: (
        "the dose of this product is split by marrow blasts, which takes part of their effect: in "
        "its trial 2 % had severe CRS with up to 20 % blasts and 3 % with more (Haematologica "
        "2025, article 13081). The effect of blasts that is counted here is that of other products"
    ),
    CautionCode.PREDICTOR_NOT_MEASURED: (
        "a main predictor is missing: an interval that is shown is wider for it"
    ),
    CautionCode.WIDE_INTERVAL: (
        "the interval spans more than 75 percentage points: the model can hardly tell"
    ),
    CautionCode.FITTED_ON_SIMULATED_PATIENTS: (
        "the model was fitted on simulated patients: a rehearsal, not a clinical estimate"
    ),
    CautionCode.LIMITS_NOT_KEPT: (
        "the model did not pass what is asked of one before it may answer, and answers because "
        "somebody decided so: its risks may be wrong"
    ),
}


class Record(BaseModel):
    """A part of an answer: unchangeable, and without a field that was not declared."""

    # Should an answer ever break its own rules, the log names the field and not the value.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Caution(Record):
    """One reason for care, about one predictor or about the whole answer."""

    code: CautionCode
    predictor: str | None = None
    text: str


class Interval(Record):
    """A 90 % interval for this patient's own risk, each end a probability."""

    low: float
    high: float
    level: float = 0.90


class PublishedCohort(Record):
    """A published cohort behind a base rate, and whether its figures were read in the source."""

    id: str
    study: str
    patients: int | None = None
    percent: float | None = None
    grading_scale: str | None = None
    citation: str
    verified: Literal["read", "partly_read", "unread"]


class BaseRate(Record):
    """How often the outcome happens to patients of this product in this disease."""

    product: str
    disease: str
    risk: float
    interval: Interval
    patients: int = Field(description="patients in the published cohorts of this very cell")
    sources: tuple[PublishedCohort, ...]
    note: str


class Contribution(Record):
    """What one predictor adds to the log-odds, against the typical patient of this product."""

    predictor: str
    label: str
    group: str
    log_odds: float
    measured: bool
    unread: bool | None = Field(
        None,
        description="a published figure that this effect rests on was not read in its source: "
        "which one it is stands in `/v1/model`; absent where all were read",
    )
    text: str


class GroupContribution(Record):
    """What the predictors of one group add together: the sum of their contributions.

    ``points`` are whole percentage points; those of all groups add up to
    ``percent - percent_at_base``.
    """

    group: str
    log_odds: float
    points: int
    predictors: tuple[str, ...]


class Reason(Record):
    """One of the few predictors that say most, in words.

    ``centile`` tells how many of 100 typical patients have a lower value, where that is known.
    ``points`` are whole percentage points; those of all reasons and of ``other`` add up to
    ``percent - percent_at_base``.
    """

    predictor: str
    direction: Literal["higher", "lower"]
    log_odds: float
    points: int
    centile: int | None = None
    text: str


class OtherReasons(Record):
    """What all predictors without a reason of their own add together, and what is not counted."""

    log_odds: float
    points: int
    text: str


class RangeIfMeasured(Record):
    """The risk that one missing predictor leaves open, all else as it was given.

    From a low to a high value of it: its 5th and 95th centile among typical patients, or any of its
    words.
    """

    predictor: str
    label: str
    low: float
    high: float
    text: str


class Explanation(Record):
    """An exact account of the risk: ``base`` plus all contributions is ``total``."""

    scale: Literal["log_odds"] = "log_odds"
    reference: str
    base: float
    contributions: tuple[Contribution, ...]
    total: float
    starting_point: str = "The starting point of the calculation, not an average risk."
    percent_at_base: int = Field(
        description="the risk at ``base`` in whole percent, for the points alone: 0 and 100 are "
        "rounded, and no risk is that certain"
    )
    percent: int = Field(description="the risk at ``total``, likewise")
    groups: tuple[GroupContribution, ...] = Field(description="largest first")
    reasons: tuple[Reason, ...] = Field(description="at most four, largest first")
    other: OtherReasons
    range_if_measured: tuple[RangeIfMeasured, ...] = Field(description="widest first")
    points_statement: str = (
        "Points are approximate shares of the difference in percent between the starting point "
        "and the risk; they add up after rounding."
    )
    centile_statement: str = (
        "Centiles are those of typical patients before lymphodepletion: a normal distribution of "
        "the value on the model's own scale, with a published centre and spread or an assumed one."
    )


class OutcomeRisk(Record):
    """The answer for one outcome. Without a usable risk, only status and reasons are given."""

    outcome: str
    label: str
    definition: str
    status: Status
    reasons: tuple[str, ...]
    risk: float | None = None
    interval: Interval | None = None
    natural_frequency: str | None = None
    comparison: Literal["above", "near", "below"] | None = Field(
        None,
        description="on which side of the base rate all of the interval lies; `near` where the "
        "interval holds the rate, however far from it the risk may be",
    )
    comparison_text: str | None = Field(
        None, description="how many times the base rate the risk is, and what the interval allows"
    )
    base_rate: BaseRate | None = None
    explanation: Explanation | None = None
    model: "ModelReference"


class ModelReference(Record):
    """Which model answered, and on whom it rests."""

    version: str
    sha256: str
    fitted_on_real_patients: int
    fitted_on_simulated_patients: int
    validated_on_real_patients: int
    local_deviation: str
    """What the cohort was allowed to change, and why; "no cohort" where there was none."""
    statement: str


class JointRisk(Record):
    """The probability of a combination of outcomes; its interval is the widest that fits."""

    risk: float
    interval: Interval


class Together(Record):
    """Two outcomes together, coherent with the risk of each."""

    outcomes: tuple[str, str]
    either: JointRisk
    both: JointRisk
    odds_ratio: float
    sources: tuple[str, ...]
    statement: str


class ValueUsed(Record):
    """A predictor as it was used, beside what was sent."""

    predictor: str
    label: str
    value: float | str | bool
    unit: str | None = None
    sent_value: float | None = None
    sent_unit: str | None = None
    converted: bool = False
    days_before_infusion: int | None = None
    used_by_model: bool
    counted: bool = Field(
        description="whether it can move a risk in this disease; what is used and not counted "
        "moves the interval alone, for no effect of it is known"
    )


class MissingPredictor(Record):
    """A predictor that the model would have used."""

    predictor: str
    label: str
    assumed: str = "typical for the disease: contributes nothing; the interval allows for the rest"


class Score(Record):
    """A published score beside our risk; it is not part of it."""

    name: str
    label: str
    value: float | None = None
    log2: float | None = None
    missing: tuple[str, ...] = ()
    above_cut_off: bool | None = None
    note: str


class RiskAssessment(Record):
    """The whole answer, in the order in which it should be read."""

    status: Status
    cautions: tuple[Caution, ...]
    outcomes: tuple[OutcomeRisk, ...]
    together: Together | None = None
    values_used: tuple[ValueUsed, ...]
    missing: tuple[MissingPredictor, ...]
    tumour_burden_source: str | None = None
    published_scores: tuple[Score, ...]
    low_risk_statement: str = (
        "A low estimate does not exclude severe toxicity. Monitor as local policy requires."
    )
    uncertainty_statement: str = (
        "The true uncertainty is larger than the interval, "
        "which knows the model and its evidence only."
    )
    intended_use: str
