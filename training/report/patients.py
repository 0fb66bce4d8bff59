"""Counts patients: who was left out, who was analysed, what they were like, what was missing."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from data_schemas.predictors import PREDICTORS
from serving.answer.words import label_of
from serving.model.tumour_burden import BURDEN, BurdenScale, tumour_burden
from training.cohort import LearningCohort
from training.judging.subgroups import groups_of
from training.report.labels import in_words, said, unit_of, words_of
from training.report.patients_record import (
    Characteristic,
    Count,
    Excluded,
    Flow,
    GroupCount,
    GroupCounts,
    Missing,
    MissingByOutcome,
    Missingness,
    MissingRow,
    Quartiles,
    QuartilesByOutcome,
    TableOne,
    WordByOutcome,
)
from training.report.small_cells import hidden

Array = np.ndarray

FLOW_BY = ("site", "product", "disease", "year")
MISSING_BY = ("site", "year")
ALWAYS_DESCRIBED = ("product", "disease", "age", "sex")
"""Who the patients are is told whether or not the model uses it."""


def flow(cohort: LearningCohort, smallest_cell: int) -> Flow:
    """Return how many rows the table had, who was left out, and who was analysed."""
    excluded = (
        Excluded(reason="the outcome is not known", patients=cohort.without_outcome),
        Excluded(
            reason="a product in a disease that the model does not know",
            patients=cohort.outside_model,
        ),
    )
    words = groups_of(cohort)
    return Flow(
        screened=len(cohort) + sum(e.patients for e in excluded),
        excluded=excluded,
        analysed=len(cohort),
        events=cohort.events,
        without_event=len(cohort) - cohort.events,
        by=tuple(
            GroupCounts(by=by, groups=tuple(_counted(words[by], cohort.outcome, smallest_cell)))
            for by in FLOW_BY
        ),
    )


def _counted(words: Array, outcome: Array, smallest_cell: int) -> Iterator[GroupCount]:
    groups = sorted(set(words))
    had = [outcome[words == group] for group in groups]
    counts = np.array([(y.sum(), (1 - y).sum()) for y in had], dtype=int)
    few = np.any(hidden(counts, smallest_cell) | (counts < smallest_cell), axis=1)
    if few.sum() == 1 < len(groups):
        few[np.argmin(np.where(few, len(words) + 1, counts[:, 0]))] = True
    for group, (events, others), hides in zip(groups, counts.tolist(), few, strict=True):
        yield GroupCount(
            group=said(group),
            patients=events + others,
            events=None if hides else events,
            suppressed=bool(hides),
        )


def table_one(
    cohort: LearningCohort, predictors: Iterable[str], scale: BurdenScale, smallest_cell: int
) -> TableOne:
    """Return characteristics by outcome, of who the patients are and of the model's predictors."""
    described = dict.fromkeys((*ALWAYS_DESCRIBED, *predictors))
    return TableOne(
        smallest_cell=smallest_cell,
        patients=len(cohort),
        with_outcome=cohort.events,
        without_outcome=len(cohort) - cohort.events,
        characteristics=tuple(
            _characteristic(name, cohort, scale, smallest_cell) for name in described
        ),
    )


def missingness(
    cohort: LearningCohort, predictors: Sequence[str], scale: BurdenScale, smallest_cell: int
) -> tuple[Missingness, ...]:
    """Return what was not measured, site by site and year by year."""
    words = groups_of(cohort)
    absent = {name: _missing(_values(name, cohort, scale)) for name in predictors}
    applies = {name: _applies(name, cohort) for name in predictors}
    return tuple(_missingness(by, words[by], absent, applies, smallest_cell) for by in MISSING_BY)


def _missingness(
    by: str, words: Array, absent: dict[str, Array], applies: dict[str, Array], smallest_cell: int
) -> Missingness:
    groups = sorted(set(words))

    def share(name: str, group: str) -> float | None:
        whom = (words == group) & applies[name]
        return float(absent[name][whom].mean()) if whom.sum() >= smallest_cell else None

    return Missingness(
        by=by,
        groups=tuple(said(group) for group in groups),
        patients=tuple(int((words == group).sum()) for group in groups),
        rows=tuple(
            MissingRow(
                predictor=name,
                label=label_of(name),
                share=tuple(share(name, group) for group in groups),
            )
            for name in absent
        ),
    )


def _characteristic(
    name: str, cohort: LearningCohort, scale: BurdenScale, smallest_cell: int
) -> Characteristic:
    applies, had = _applies(name, cohort), cohort.outcome == 1
    columns = {
        "everyone": applies,
        "with_outcome": applies & had,
        "without_outcome": applies & ~had,
    }
    values, words = _values(name, cohort, scale), words_of(name)
    quartiles = None
    if not words:
        quartiles = QuartilesByOutcome(
            **{key: _quartiles(values[whom], smallest_cell) for key, whom in columns.items()}
        )
    return Characteristic(
        predictor=name,
        label=label_of(name),
        unit=unit_of(name),
        applicable=int(applies.sum()),
        missing=MissingByOutcome(
            **{key: _counted_missing(values[whom], smallest_cell) for key, whom in columns.items()}
        ),
        quartiles=quartiles,
        words=tuple(_by_words(values, words, columns, smallest_cell)) if words else (),
    )


def _by_words(
    values: Array, words: tuple[str, ...], columns: dict[str, Array], smallest_cell: int
) -> Iterator[WordByOutcome]:
    carriers = {
        key: np.array([(values[whom] == word).sum() for word in words])
        for key, whom in columns.items()
    }
    by_outcome = np.column_stack([carriers["with_outcome"], carriers["without_outcome"]])
    # Of so few patients a column is empty, and would be what the other two leave.
    few = any(0 < columns[by].sum() < smallest_cell for by in ("with_outcome", "without_outcome"))
    hides = hidden(by_outcome, smallest_cell) | few
    of_all = hidden(carriers["everyone"][:, None], smallest_cell)
    hidden_in = dict(zip(columns, np.column_stack([of_all, hides]).T, strict=True))
    for row, word in enumerate(words):
        if word in _shown(words, values):
            yield WordByOutcome(
                word=said(word),
                **{
                    key: _count(values[whom], word, smallest_cell, hides=hidden_in[key][row])
                    for key, whom in columns.items()
                },
            )


def _shown(words: tuple[str, ...], values: Array) -> list[str]:
    """Return the words that some patient carries; of yes and no, yes says it all."""
    return ["yes"] if words == ("no", "yes") else [w for w in words if (values == w).any()]


def _values(name: str, cohort: LearningCohort, scale: BurdenScale) -> Array:
    """Return numbers with NaN, or words with None, shape (n,)."""
    if name == BURDEN:
        return 100 * tumour_burden(cohort.columns, scale).percentile
    column = cohort.columns[name]
    return in_words(column) if words_of(name) else np.asarray(column, dtype=float)


def _missing(values: Array) -> Array:
    if values.dtype == object:
        return np.array([value is None for value in values], dtype=bool)
    return np.isnan(values)


def _applies(name: str, cohort: LearningCohort) -> Array:
    declared = PREDICTORS.get(name)
    diseases = declared.diseases if declared else ()
    everyone = np.ones(len(cohort), bool)
    return np.isin(cohort.columns["disease"], diseases) if diseases else everyone


def _counted_missing(values: Array, smallest_cell: int) -> Missing:
    if len(values) < smallest_cell:
        return Missing(patients=None, share=None, suppressed=True)
    missing = int(_missing(values).sum())
    return Missing(patients=missing, share=missing / len(values))


def _count(values: Array, word: str, smallest_cell: int, *, hides: bool) -> Count:
    measured, carriers = int((~_missing(values)).sum()), int((values == word).sum())
    if hides or len(values) < smallest_cell:
        return Count(patients=None, share=None, suppressed=True)
    return Count(patients=carriers, share=carriers / measured if measured else None)


def _quartiles(values: Array, smallest_cell: int) -> Quartiles:
    known = values[~np.isnan(values)]
    if len(known) < smallest_cell:
        return Quartiles(measured=len(known), median=None, low=None, high=None, suppressed=True)
    low, median, high = (float(q) for q in np.quantile(known, (0.25, 0.5, 0.75)))
    return Quartiles(measured=len(known), median=median, low=low, high=high)
