"""Whether a scored cohort is whole: everything that is wrong with it, at once."""

from collections.abc import Iterator

import numpy as np

from data_schemas.refusal import Refused
from training.evaluation.scored_cohort import Array, ScoredCohort

LARGEST_LOG_ODDS = 700.0
"""Beyond it a risk is 0 or 1 to the last digit, and one wrong patient would decide everything."""


class NotJudged(Refused):
    """A scored cohort that cannot be judged; ``problems`` holds every reason."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = tuple(problems)
        lines = "\n".join(f"  - {problem}" for problem in problems)
        super().__init__(f"the scored cohort was refused, nothing was measured:\n{lines}")


def check(scored: ScoredCohort) -> None:
    """Refuse a scored cohort whose arrays do not fit together or hold impossible numbers.

    Raises
    ------
    NotJudged
        With every problem found.
    """
    problems = [*_shapes(scored)]
    if not problems:
        problems = [*_values(scored)]
    if problems:
        raise NotJudged(problems)


def _log_odds(scored: ScoredCohort) -> Iterator[tuple[str, Array]]:
    yield from (("model", scored.model), ("low", scored.low), ("high", scored.high))
    yield from ((f"without {by}", z) for by, z in scored.without.items())
    yield from ((f"comparator {name}", z) for name, z in scored.comparators.items())


def _shapes(scored: ScoredCohort) -> Iterator[str]:
    if scored.outcome.ndim != 1:
        yield "outcome: one value a patient is needed"
        return
    n = len(scored)
    columns = [*_log_odds(scored), *((f"groups {by}", w) for by, w in scored.groups.items())]
    for name, column in columns:
        if column.shape != (n,):
            yield f"{name}: {n} values are needed, as many as outcomes"
    for name, rows in (("left_out", scored.left_out), ("refits", scored.refits)):
        if len(rows) and rows.shape[1:] != (n,):
            yield f"{name}: each row needs {n} values, as many as outcomes"
    if scored.drawn.shape != scored.refits.shape:
        yield "drawn: each refit needs the patients that its sample drew"


def _values(scored: ScoredCohort) -> Iterator[str]:
    if not np.isin(scored.outcome, (0, 1)).all():
        yield "outcome: only 0 and 1; patients whose outcome is not known are left out before"
    rows = (("left_out", scored.left_out), ("refits", scored.refits))
    for name, values in (*_log_odds(scored), *rows):
        if (np.abs(values[~np.isnan(values)]) > LARGEST_LOG_ODDS).any():
            yield f"{name}: log-odds beyond {LARGEST_LOG_ODDS:g} or infinite; NaN is no answer"
    for by, words in scored.groups.items():
        if not all(isinstance(word, str) for word in words):
            yield f'groups {by}: a word for each patient, such as "not known" where it is not'
    if len(scored.drawn) and not ((scored.drawn >= 0) & (scored.drawn < len(scored))).all():
        yield "drawn: places of patients, from 0"
