"""The record of one set of risks: measures, calibration, decision curve, distribution."""

from training.evaluation.estimate import Curve, Estimate, Record


class Measures(Record):
    """How well risks did on some patients."""

    patients: int
    """Patients with an outcome and a log-odds; the others are not measured."""
    events: int
    without_answer: int
    """Patients left aside because they have no log-odds, be it in one of the repeats used."""
    prevalence: float | None
    auroc: Estimate
    auprc: Estimate
    """Average precision; reads only beside the prevalence, which is what chance gives."""
    brier: Estimate
    scaled_brier: Estimate
    """1 - Brier score / Brier score of the prevalence: 0 is no better than the prevalence."""
    log_loss: Estimate
    """Mean of -ln(probability of what happened), in nats."""
    observed_over_expected: Estimate
    """Events observed over the sum of risks; above 1 risks are too low."""
    calibration_intercept: Estimate
    """Shift of log-odds that makes observed and expected equal (slope held at 1); 0 is right."""
    calibration_slope: Estimate
    """Below 1 risks are too extreme, above 1 too modest."""
    ici: Estimate
    """Mean distance, over patients, of the smooth calibration curve from the risk."""
    e50: Estimate
    """Median of that distance."""
    e90: Estimate
    """90th centile of that distance."""
    ici_by_chance: Estimate
    """What the ICI would be on average were every risk exactly right, from drawn outcomes; its
    interval holds 95 % of those. An ICI inside it is no evidence of miscalibration."""

    def estimates(self) -> dict[str, Estimate]:
        """Return the measures that are estimates by their names."""
        return {
            n: v for n in type(self).model_fields if isinstance(v := getattr(self, n), Estimate)
        }


class CalibrationCurve(Record):
    """How often the outcome happened, smoothly, at each predicted risk."""

    risk: tuple[float, ...]
    """Grid of predicted risks, even in log-odds from the 1st to the 99th centile of patients."""
    observed: Curve | None
    """Smooth share of patients with the outcome at each risk of the grid."""
    knots: int
    """Knots of the natural cubic spline of the log-odds; 0 is a straight line in log-odds."""
    reason: str | None = None


class RiskDistribution(Record):
    """How many patients were given which risk, by what happened to them.

    Counts are means over repeats and so need not be whole.
    """

    edges: tuple[float, ...]
    """Edges of the bins, k + 1 of them; a bin holds its lower edge, the last one both."""
    events: tuple[float, ...]
    non_events: tuple[float, ...]


class DecisionCurve(Record):
    """Net benefit over the declared range: TP/n - FP/n * t/(1 - t), at risks of t or more."""

    thresholds: tuple[float, ...]
    model: Curve
    treat_all: Curve
    treat_none: tuple[float, ...]
    """Zero at every threshold, by definition."""


class AtThreshold(Record):
    """What acting at one declared risk would have meant; only for declared thresholds."""

    threshold: float
    share_above: Estimate
    """Share of patients whose risk is the threshold or more."""
    sensitivity: Estimate
    specificity: Estimate
    ppv: Estimate
    npv: Estimate
    net_benefit: Estimate


class View(Record):
    """Everything measured of one set of risks.

    Where the patients were predicted several times (repeats of cross-validation), each repeat is
    measured alone and every number, ends of closed intervals and points of curves included, is the
    mean over the repeats; bootstrap draws are of patients, and remeasure that mean.
    Repeats share their patients, so more of them make a number less noisy and its interval no
    narrower.
    """

    repeats: int
    """Repeats used: those that lack at most 1 in 20 of the patients whom any answers."""
    measures: Measures
    calibration_curve: CalibrationCurve
    risk_distribution: RiskDistribution
    decision_curve: DecisionCurve | None
    """None where nobody was measured."""
    at_thresholds: tuple[AtThreshold, ...]
