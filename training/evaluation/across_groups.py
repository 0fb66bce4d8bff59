"""Does it travel? Performance site by site, product by product, and forward in time.

Steyerberg EW, Harrell FE, J Clin Epidemiol 2016;69:245-247, for internal-external validation.
"""

from scipy.special import expit

from training.evaluation.asked import Asked
from training.evaluation.pooling import LOG, LOGIT, NATURAL, pooled
from training.evaluation.record import AcrossGroups, Cell
from training.evaluation.scored_cohort import Array, ScoredCohort
from training.evaluation.seen import Seen
from training.evaluation.subgroups import cells, measured
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
    pool = None
    if by in _EXCHANGEABLE and words is not None:
        pool = _enough_expected(seen, words[seen.patients], asked)
    return AcrossGroups(
        by=by,
        left_out=scored.fitted_here,
        together=view(seen, asked),
        cells=table,
        auroc=None if pool is None else pooled([c.auroc for c in pool], LOGIT),
        calibration_slope=(
            None if pool is None else pooled([c.calibration_slope for c in pool], NATURAL)
        ),
        observed_over_expected=(
            None if pool is None else pooled([c.observed_over_expected for c in pool], LOG)
        ),
    )


def _enough_expected(seen: Seen, words: Array, asked: Asked) -> list[Cell]:
    """Return the groups that are large enough to be pooled, by what was expected of them.

    What is shown of a group goes by what was observed; to pool those alone would leave out groups
    because they had few events, and the pooled ratio would lie too high.
    """
    groups = []
    for word in sorted(set(words)):
        group = seen.take(words == word)
        expected = float(expit(group.log_odds).mean(axis=0).sum())
        if min(expected, len(group) - expected) >= asked.smallest_cell:
            groups.append(measured(word, group, asked))
    return groups
