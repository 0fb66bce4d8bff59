"""What a run looks like: effects before and after the cohort, and calibration.

The only file that speaks matplotlib. Colours stay apart for colour-blind readers and in grey.
"""

from io import BytesIO

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import binomtest

from serving.risk_model import RiskModel
from training.evaluation.scored_cohort import ScoredCohort
from training.prior import ModelPrior

Array = np.ndarray

_PUBLISHED, _FITTED = "#B34700", "#005A8C"
_Z90 = 1.6448536269514722
_GROUPS = 10


def effects_figure(model_prior: ModelPrior, model: RiskModel) -> bytes:
    """Return a PNG of every effect, as believed and as fitted, with 90 % intervals."""
    shown = [j for j, effect in enumerate(model_prior.effects) if effect.sources]
    n_free = model_prior.prior.n_free
    before = (
        model_prior.prior.mean[n_free:],
        np.sqrt(np.diag(model_prior.prior.covariance))[n_free:],
    )
    after = model.coefficients, np.sqrt(np.diag(model.posterior.covariance))[n_free:]
    figure = Figure(figsize=(7, 1.2 + 0.35 * len(shown)), layout="constrained")
    axes = figure.subplots()
    for offset, (mean, sd), colour, marker, label in (
        (0.15, before, _PUBLISHED, "s", "published, before any patient"),
        (-0.15, after, _FITTED, "o", "in the model"),
    ):
        y = np.arange(len(shown))[::-1] + offset
        axes.errorbar(
            mean[shown], y, xerr=_Z90 * sd[shown], fmt=marker, color=colour, label=label, capsize=2
        )
    axes.axvline(0, color="#595959", linewidth=0.8)
    axes.set_yticks(np.arange(len(shown))[::-1], [model_prior.terms[j].name for j in shown])
    axes.set_xlabel("log-odds per spread of the term (90 % interval)")
    axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2)
    axes.spines[["top", "right"]].set_visible(False)
    return _png(figure)


def calibration_figure(scored: ScoredCohort) -> bytes:
    """Return a PNG of observed against expected risk in tenths, with 90 % intervals.

    Risks are those of the first repeat of cross-validation where the model was fitted here.
    """
    log_odds = scored.left_out[0] if scored.fitted_here else scored.model
    known = np.isfinite(log_odds)
    risk, outcome = 1 / (1 + np.exp(-log_odds[known])), scored.outcome[known]
    order = np.argsort(risk, kind="stable")
    groups = [g for g in np.array_split(order, _GROUPS) if len(g)]
    expected = np.array([risk[g].mean() for g in groups])
    observed = np.array([outcome[g].mean() for g in groups])
    interval = np.array([_wilson(outcome[g]) for g in groups]).T
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    most = 1.05 * float(max(expected.max(), interval.max()))
    error = np.abs(interval - observed)
    axes.plot([0, most], [0, most], color="#595959", linestyle="--", label="perfect calibration")
    axes.errorbar(expected, observed, yerr=error, fmt="o", color=_FITTED, capsize=2, label="tenths")
    axes.set(xlabel="expected risk", ylabel="observed share", xlim=(0, most), ylim=(0, most))
    left_out = "patients left out in cross-validation, " if scored.fitted_here else ""
    axes.set_title(left_out + scored.on, fontsize=8, wrap=True)
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return _png(figure)


def _wilson(outcome: Array) -> tuple[float, float]:
    """Return the 90 % interval of a share; Wilson's holds where no event was seen."""
    found = binomtest(int(outcome.sum()), len(outcome))
    interval = found.proportion_ci(confidence_level=0.90, method="wilson")
    return float(interval.low), float(interval.high)


def _png(figure: Figure) -> bytes:
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=150)
    return buffer.getvalue()
