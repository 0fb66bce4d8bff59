"""What the model says of itself: weights, effect curves, and the evidence beside the fit.

Bands and intervals here are 90 % intervals, as the service gives them.
"""

from typing import Literal

from training.evaluation.estimate import Record


class Weight(Record):
    """How much of the model rests on one predictor."""

    predictor: str
    label: str
    share: float
    """Share of the variance of log-odds that its terms add between patients, 0 to 1."""
    mean_contribution: float | None
    """Mean over the cohort of |contribution| in log-odds, trees included; None without one."""


class Importance(Record):
    """The predictors by weight, heaviest first. Importance is association, never cause."""

    of: str
    """Over which patients the shares are means, in words."""
    weights: tuple[Weight, ...]


class Band(Record):
    """Values on a grid with a pointwise 90 % band."""

    value: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


class EffectCurve(Record):
    """One predictor over its plausible range, everything else typical.

    A quantity has ``values``, all others ``words``.
    """

    predictor: str
    label: str
    unit: str
    scale: Literal["linear", "log", "words"]
    values: tuple[float, ...]
    words: tuple[str, ...]
    typical: float | None
    """Where the contribution is 0, for a quantity."""
    log_odds: Band
    """Contribution against the typical patient; its band is the uncertainty of this effect, the
    trees' part of it left out."""
    risk: Band
    """The served risk and interval, as probabilities."""


class Effects(Record):
    """Effect curves of the typical patient of one product in one disease."""

    product: str
    disease: str
    typical_risk: float
    typical_low: float
    typical_high: float
    curves: tuple[EffectCurve, ...]
    left_out: dict[str, str]
    """Predictor to the reason why it has no curve."""


class Source(Record):
    """A row of published evidence; ``verified`` says whether its figure was read in its source."""

    id: str
    citation: str
    verified: str


class Coefficient(Record):
    """One effect as published and as fitted, in log-odds per spread of the term."""

    term: str
    label: str
    prior_mean: float
    prior_sd: float
    posterior_mean: float
    posterior_sd: float
    shift: float
    """(Posterior mean - prior mean) / prior sd."""
    direction: int
    """The sign that was promised: +1, -1, or 0 for either."""
    released: bool
    """Whether the patients contradicted the promised direction so that it was let go."""
    how: str
    holds_unread: bool
    sources: tuple[Source, ...]


class BaseRate(Record):
    """The risk of a product in a disease before any patient of the cohort."""

    product: str
    disease: str
    risk: float
    low: float
    high: float
    patients: int
    origin: str
    sources: tuple[Source, ...]


class ModelFacts(Record):
    """The model behind the answers."""

    terms: int
    trees: int
    evidence_used: bool
    """Whether the learner started from the published effects; if not they are for comparison."""
    recalibration_intercept: float
    recalibration_slope: float
    misfit_sd: float
    """Log-odds that a model of this shape cannot say about one patient."""
    between_centres_sd: float
    """Spread between centres that was believed before any patient, in log-odds."""
    importance: Importance
    effects: Effects
    coefficients: tuple[Coefficient, ...]
    base_rates: tuple[BaseRate, ...]
    assumed: tuple[str, ...]
    """What was assumed where nothing is published."""
