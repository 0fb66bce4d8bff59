"""What a model must reach before it may answer: the ``[acceptance]`` section of an experiment.

Declared before anything is measured. The defaults are proposals of ours, save where a paper is
named; whoever answers for the model sets their own.
"""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

_ICI = {"severe_crs": 0.03}
_CHANGE = {"severe_crs": 0.02}
_OTHER_ICI, _OTHER_CHANGE = 0.05, 0.04
"""The rarer the outcome, the less a wrong or an unstable risk may weigh."""

FEW_EVENTS = 100
"""With fewer events a calibration slope is too uncertain for the narrow range."""

FEWEST_SITES = 4
"""Of fewer sites a pooled slope says more about them than about a new one."""

Positive = Annotated[float, Field(gt=0.0)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Range = tuple[Positive, Positive]
"""Lowest and highest, both allowed."""


class _Limits(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        for name, value in self:
            if isinstance(value, tuple) and not value[0] < value[1]:
                raise ValueError(f"{name}: the lower limit comes first")
        return self


class RehearsalAcceptance(_Limits):
    """Limits of a model of no patient, on simulated centres: whether the machinery works."""

    calibration_slope: Range = (0.8, 1.25)
    interval_coverage: tuple[Share, Share] = (0.85, 0.97)
    """Share of 90 % intervals that hold the true risk of a simulated patient."""
    excess_over_product_rate: Positive = 1.0
    """Most that is lost against the true risks, over what the product's rate loses."""


class Acceptance(_Limits):
    """Limits of a model that is judged on patients, by the leading view of its evaluation."""

    observed_over_expected: Range = (0.8, 1.25)
    calibration_slope: Range = (0.8, 1.25)
    calibration_slope_few_events: Range = (0.7, 1.4)
    """In place of ``calibration_slope`` where there are fewer than ``FEW_EVENTS`` events."""
    calibration_slope_across_sites: Range = (0.7, 1.4)
    """Pooled over sites that the fit had not seen, where ``FEWEST_SITES`` have enough events."""
    ici: Positive | None = None
    """Most; 0.03 for severe CRS and 0.05 for other outcomes where none is given."""
    auroc_lower_end: Share = 0.5
    """Least lower end of the 95 % interval of the AUROC: better than chance beyond doubt."""
    log_loss_over_product_rate: float = 0.0
    """Most log-loss above that of the product's published rate, on the same patients."""
    net_benefit_over_product_rate: float = 0.0
    """Least upper end of the difference in net benefit, at every threshold of the range."""
    scaled_brier: float = 0.0
    """Least, where no product rate is published: 0 is what the prevalence alone reaches."""
    auroc_optimism: Positive = 0.10
    """Most apparent AUROC above the one corrected by bootstrap samples (Harrell FE, Stat Med
    1996;15:361-387); more, and the fit is to chance."""
    auroc_apparent_over_cross_validated: Positive = 0.10
    """Most apparent AUROC above the cross-validated one: what learns patients by heart deceives the
    bootstrap, whose samples hold most of them."""
    mean_absolute_change: Positive | None = None
    """Most mean change of a risk between refits (Riley RD, Biom J 2023;65:2200302); 0.02 for severe
    CRS and 0.04 for other outcomes where none is given."""
    reclassified: Share = 0.10
    """Most share of patients whom a refit puts on the other side of a declared threshold."""
    auroc: Share = 0.95
    """Most: what is known before an infusion separates no better, so that more is suspected of
    knowing the outcome."""
    single_predictor_auroc: Share = 0.90
    """Most that one predictor, or its being measured at all, may separate alone."""
    rehearsal: RehearsalAcceptance = RehearsalAcceptance()

    def of(self, outcome: str) -> Self:
        """Return the limits with the outcome's own where none was given."""
        own = {
            "ici": _ICI.get(outcome, _OTHER_ICI),
            "mean_absolute_change": _CHANGE.get(outcome, _OTHER_CHANGE),
        }
        return self.model_copy(update={k: v for k, v in own.items() if getattr(self, k) is None})
