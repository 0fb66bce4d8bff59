"""Does it travel? Performance site by site, product by product, and forward in time.

Steyerberg EW, Harrell FE, J Clin Epidemiol 2016;69:245-247, for internal-external validation.
"""

from training.evaluation.asked import Asked
from training.evaluation.pooling import LOG, LOGIT, NATURAL, pooled
from training.evaluation.record import AcrossGroups
from training.evaluation.scored_cohort import Array, ScoredCohort
from training.evaluation.seen import Seen
from training.evaluation.subgroups import cells
from training.evaluation.view import view

_EXCHANGEABLE = ("site", "product")
_SHOWN_BY = {"later": "year"}


def across_groups(scored: ScoredCohort, asked: Asked) -> tuple[AcrossGroups, ...]:
    """Return what each way of leaving groups out says, in the order of the scored cohort.

    Of a model that was not fitted here: how it does in each site, and for each product.
    """
    if scored.fitted_here:
        return tuple(_one(scored, by, z, asked) for by, z in scored.without.items())
    shown = [by for by in _EXCHANGEABLE if by in scored.groups]
    return tuple(_one(scored, by, scored.model, asked) for by in shown)


def _one(scored: ScoredCohort, by: str, log_odds: Array, asked: Asked) -> AcrossGroups:
    seen = Seen.among(log_odds, scored.outcome)
    words = scored.groups.get(_SHOWN_BY.get(by, by))
    table = () if words is None else cells(seen, words[seen.patients], asked)
    pool = by in _EXCHANGEABLE and words is not None
    return AcrossGroups(
        by=by,
        left_out=scored.fitted_here,
        together=view(seen, asked),
        cells=table,
        auroc=pooled([c.auroc for c in table], LOGIT) if pool else None,
        calibration_slope=pooled([c.calibration_slope for c in table], NATURAL) if pool else None,
        observed_over_expected=(
            pooled([c.observed_over_expected for c in table], LOG) if pool else None
        ),
    )
