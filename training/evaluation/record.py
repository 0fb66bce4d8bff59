"""The measured part of ``report.json``: every number of a judgement, and why one is missing.

Intervals are 95 % intervals. Risks, shares and net benefits are fractions, never per cent.
What holds a fitted line (slope, intercept, curve) is None with a reason where the data cannot
carry it: too few of one class, one risk for all, or classes that do not overlap.
Accuracy, the F1 score, the correlation of Matthews and the index of Youden are not here: they
reward risks for being wrong (Van Calster B, Lancet Digit Health 2025, arXiv 2412.10288).
"""

from typing import Literal

from training.evaluation.asked import Asked
from training.evaluation.estimate import Curve, Estimate, Record
from training.evaluation.view_record import View

SCHEMA_VERSION = 1

Leading = Literal["cross_validated", "external"]


class Corrected(Record):
    """Harrell's correction of one measure: apparent minus optimism."""

    apparent: float | None
    optimism: float | None
    """Mean over refits of (on the patients it drew) - (on all patients)."""
    corrected: Estimate
    """Its interval is the apparent one moved by the optimism, a lower bound of the uncertainty."""
    out_of_bag: float | None
    """Mean over refits on the patients whom each did not draw. Somewhat too modest, as a refit
    learns from fewer patients; far from ``corrected``, it says that the correction fails."""


class OptimismCorrected(Record):
    """Apparent performance less what refits on bootstrap samples say it flatters itself by.

    For models that contain trees it remains too optimistic; the cross-validated view leads.
    """

    refits: int
    patients: int
    """Patients for whom the model and all refits have a number."""
    auroc: Corrected
    calibration_slope: Corrected
    calibration_intercept: Corrected
    observed_over_expected: Corrected
    brier: Corrected
    log_loss: Corrected
    ici: Corrected
    thresholds: tuple[float, ...]
    net_benefit: tuple[float, ...]
    """Corrected net benefit of the model at each threshold of the declared range."""


class Cell(Record):
    """One group of patients. A suppressed one shows the number of its patients and no more.

    Suppression keeps noise from being read as a finding; it does not keep a secret, for the events
    of a single suppressed group follow from those of the others.
    """

    group: str
    patients: int
    suppressed: bool
    events: int | None
    auroc: Estimate
    calibration_slope: Estimate
    observed_over_expected: Estimate
    net_benefit: tuple[Estimate, ...]
    """At each declared threshold."""


class Subgroups(Record):
    """The leading view by one characteristic; patients without a word for it are "not known"."""

    by: str
    cells: tuple[Cell, ...]


class Pooled(Record):
    """A random-effects mean over groups, back on its natural scale."""

    groups: int
    """Groups with an estimate and a standard error."""
    mean: Estimate
    """Mean performance, with the 95 % interval of Hartung and Knapp."""
    prediction_low: float | None
    """Ends of the 95 % prediction interval: where the performance of a new group would lie."""
    prediction_high: float | None
    tau_squared: float | None
    """Variance between groups (Paule-Mandel), on the scale of pooling: logit of the AUROC, slope,
    ln(O/E)."""
    i_squared: float | None
    """Share of the variance between estimates that is not chance, 0 to 1."""


class AcrossGroups(Record):
    """Performance group by group, and what a new group should expect."""

    by: str
    """"site", "product", or "later" (patients infused after those of the fit, shown by year)."""
    left_out: bool
    """Whether the fit had not seen the group (internal-external validation); False where one
    finished model was tried on groups none of which it had seen."""
    together: View
    """All groups' patients at once."""
    cells: tuple[Cell, ...]
    auroc: Pooled | None
    """The pooled measures are None for "later": years are not a sample of exchangeable groups."""
    calibration_slope: Pooled | None
    observed_over_expected: Pooled | None


class Beside(Record):
    """Model or comparator on the rows of a comparison."""

    auroc: Estimate
    brier: Estimate
    log_loss: Estimate
    calibration_slope: Estimate
    observed_over_expected: Estimate
    net_benefit: Curve


class Comparison(Record):
    """The leading view beside another prediction, on the patients for whom both have a number.

    Differences are model minus comparator over the same bootstrap draws: a log-loss below 0, an
    AUROC or net benefit above 0, is for the model.
    """

    comparator: str
    patients: int
    events: int
    model: Beside
    other: Beside
    log_loss_difference: Estimate
    auroc_difference: Estimate
    thresholds: tuple[float, ...]
    treat_all: Curve
    net_benefit_difference: Curve


class InstabilityBand(Record):
    """Patients of one tenth of the model's risks, and the risks that refits gave them.

    Each number is the mean over the tenth's patients of the patient's own centile over refits.
    """

    risk: float
    """Mean risk by the finished model."""
    centile_2_5: float
    centile_25: float
    centile_50: float
    centile_75: float
    centile_97_5: float


class Reclassified(Record):
    """Classification instability index: how often a refit puts a patient on the other side."""

    threshold: float
    share: float


class Instability(Record):
    """How much risks would differ had other patients of the same kind come.

    Riley RD, Collins GS, Biom J 2023;65:2200302.
    """

    refits: int
    patients: int
    """Patients for whom the model and all refits have a number."""
    mean_absolute_change: float
    """Mean over patients of MAPE_i, the mean over refits of |refit's risk - model's risk|."""
    median_absolute_change: float
    """Median over patients of MAPE_i."""
    centile_95_absolute_change: float
    """95th centile over patients of MAPE_i."""
    reclassified: tuple[Reclassified, ...]
    """At each declared threshold."""
    bands: tuple[InstabilityBand, ...]
    """In ascending order of risk; fewer than ten where risks coincide."""
    calibration_risk: tuple[float, ...]
    """Grid of risks of the calibration curves of refits."""
    calibration_low: tuple[float, ...]
    """2.5th centile over refits of the calibration curve on the original patients."""
    calibration_high: tuple[float, ...]
    """97.5th centile over refits; both empty where too few curves could be fitted."""
    thresholds: tuple[float, ...]
    net_benefit_low: tuple[float, ...]
    """2.5th centile over refits of the net benefit on the original patients."""
    net_benefit_high: tuple[float, ...]
    served_over_bootstrap: float | None
    """Median over patients of (half-width of the served 90 % interval) / (half the distance of the
    5th and 95th centile of the refits), both in log-odds; above 1 the served interval is wider."""


class Criterion(Record):
    """One sample-size criterion."""

    name: str
    """"development_shrinkage", "development_optimism", "development_prevalence",
    "development_error", "external_observed_over_expected", "external_slope", "external_auroc",
    "events_per_parameter"."""
    meaning: str
    required_patients: int | None
    required_events: int | None
    met: bool | None
    reason: str | None = None
    """Why it could not be computed."""


class SampleSize(Record):
    """How many patients guidance asks for, and how many there are (Riley RD, BMJ 2020;368:m441)."""

    patients: int
    events: int
    prevalence: float | None
    """Event fraction that was anticipated: that of these patients."""
    anticipated_auroc: float
    parameters: int | None
    criteria: tuple[Criterion, ...]
    """Those of development where the model was fitted here, else those of external validation."""
    met: bool | None
    """Whether all criteria that could be computed are met; None if there is none."""
    reason: str | None = None
    """Why there is no criterion."""


class Evaluation(Record):
    """All that was measured of one model on one scored cohort."""

    schema_version: int = SCHEMA_VERSION
    on: str
    """Who the patients are, in words."""
    fitted_here: bool
    asked: Asked
    patients: int
    events: int
    leading: Leading | None
    """Which view is the headline, for gates and readers; None where nothing may lead."""
    apparent: View | None
    """The finished model on the patients of its own fit: too good, shown to be distrusted."""
    cross_validated: View | None
    external: View | None
    """The finished model on patients that it has not seen."""
    optimism_corrected: OptimismCorrected | None
    across: tuple[AcrossGroups, ...]
    comparisons: tuple[Comparison, ...]
    subgroups: tuple[Subgroups, ...]
    instability: Instability | None
    sample_size: SampleSize
    absent: dict[str, str]
    """Field of this record to the reason why it is None or empty, for each that is."""

    @property
    def headline(self) -> View | None:
        """The leading view."""
        views = {"cross_validated": self.cross_validated, "external": self.external}
        return views[self.leading] if self.leading else None
