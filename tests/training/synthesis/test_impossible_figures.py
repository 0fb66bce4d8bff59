"""No impossible figure of the evidence becomes a prior: it is refused by name, or nobody reads it.

One row of every kind that is read, every numeric column of it, every value that no study can have.
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from math import inf, nan
from types import UnionType
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from data_schemas.evidence import (
    Evidence,
    EvidenceError,
    EvidenceRow,
    Incidence,
    Problem,
    load_evidence,
)
from training.learning.association import published_association
from training.synthesis.base_rates import base_rates
from training.synthesis.figures import STEPS
from training.synthesis.published_effects import effect_prior

READ = sorted(
    {row_id for steps in STEPS.values() for key in steps for _, row_id, _ in steps[key]}
    | {
        "axi-cel-zuma1-label2017",  # a base rate
        "axi-cel-zuma1-phase2",  # what prophylaxis is compared with
        "crs-itself-neurologic-severe-wudhikarn",  # how both outcomes go together
        "easix-over-4-67-severe-korell",  # transport
        "model-car-hematotox-deboer",
        "model-car-hematotox-rejeski",
        "model-easix-deboer",
        "zuma1-age",  # a distribution, which no prior is made of
    }
)
Numbers = list[float | None]
IMPOSSIBLE = (nan, inf, -inf, -1e300, -1.0, -1e-300, 1e-300, 1e300, 1e9, -1, 10**9, 0, 0.0)
BARELY_POSSIBLE = (0, 0.0, 1, 1.0, 2, 0.001, 0.01, 0.5, 0.99, 99.0, 100.0, 1000.0, 1e-16)
TABLES = ("incidence", "associations", "distributions", "performance")


def is_possible(column: str, value: float) -> bool:
    """A share of patients, or a count of those with an outcome, may be none."""
    return value == 0 and ("pct" in column or "percent" in column or "events" in column)


def kinds(annotation: object) -> Iterator[object]:
    """Every plain type that an annotation allows."""
    if isinstance(annotation, type) and not isinstance(annotation, UnionType):
        yield annotation
    for part in get_args(annotation):
        yield from kinds(part)


def numeric_columns(row: EvidenceRow) -> list[str]:
    fields = type(row).model_fields
    return [
        name
        for name, info in fields.items()
        if name != "shares" and {int, float} & set(kinds(info.annotation))
    ]


@cache
def rates(incidence: tuple[Incidence, ...]) -> tuple[float, ...]:
    evidence = replace(load_evidence(), incidence=incidence)
    of_both = [base_rates(evidence, outcome) for outcome in STEPS]
    return tuple(float(n) for r in of_both for n in (*r.mean, *r.expected, r.between_centres))


def believed(evidence: Evidence) -> Numbers:
    """Return everything that a prior is made of."""
    effects = [effect_prior(evidence, outcome, key) for outcome in STEPS for key in STEPS[outcome]]
    together = published_association(evidence, "severe_crs")
    return [
        *(number for e in effects for number in (e.mean, e.sd, e.as_published)),
        *(together.log_odds_ratio, together.sd),
        *rates(evidence.incidence),
    ]


def refusals(row: EvidenceRow, given: dict[str, Any]) -> list[tuple[str, str]]:
    """Return field and limit of all that the loader finds in a row."""
    try:
        judged = type(row).model_validate(given)
    except ValidationError as error:
        return [(str(detail["loc"][0]), detail["msg"]) for detail in error.errors()]
    return [(finding.field, finding.limit) for finding in judged.findings()]


def believed_with(evidence: Evidence, row: EvidenceRow, column: str, value: float) -> Numbers:
    """Return what is believed with one figure altered; nothing where it is refused by name."""
    given = {name: getattr(row, name) for name in row.model_fields_set} | {column: value}
    if refused := refusals(row, given):
        assert all(field in type(row).model_fields and limit for field, limit in refused)
        return []
    altered = type(row).model_validate(given)
    table = next(name for name in TABLES if row in getattr(evidence, name))
    rows = tuple(altered if other.id == row.id else other for other in getattr(evidence, table))
    problems = []
    try:
        return believed(replace(evidence, **{table: rows}))
    except EvidenceError as error:
        problems += error.problems
    assert all(row.id in p.row and column in p.field and p.limit for p in problems)
    return []


@pytest.mark.parametrize("row_id", READ)
def test_no_impossible_figure_moves_a_prior(evidence: Evidence, row_id: str) -> None:
    row, as_printed = evidence.row(row_id), believed(evidence)
    tried = [
        (column, value)
        for column in numeric_columns(row)
        for value in IMPOSSIBLE
        if not is_possible(column, value)
    ]
    moved = [
        which for which in tried if believed_with(evidence, row, *which) not in ([], as_printed)
    ]
    assert tried
    assert moved == []


@pytest.mark.parametrize("row_id", READ)
def test_a_figure_at_the_end_of_the_possible_gives_finite_numbers_or_is_refused(
    evidence: Evidence, row_id: str
) -> None:
    row = evidence.row(row_id)
    for column in numeric_columns(row):
        for value in BARELY_POSSIBLE:
            numbers = believed_with(evidence, row, column, value)
            assert all(n is None or math.isfinite(n) for n in numbers), (column, value)


def without(evidence: Evidence, row: EvidenceRow, altered: EvidenceRow | None) -> Evidence:
    """Return the evidence with another row in the place of one, or with none."""
    table = next(name for name in TABLES if row in getattr(evidence, name))
    kept = (altered if other is row else other for other in getattr(evidence, table))
    return replace(evidence, **{table: tuple(other for other in kept if other is not None)})


@pytest.mark.parametrize("row_id", READ)
def test_a_key_left_out_of_a_row_is_refused_by_name_or_not_needed(
    evidence: Evidence, row_id: str
) -> None:
    row = evidence.row(row_id)
    given = {name: getattr(row, name) for name in row.model_fields_set}
    for key in given:
        rest = {name: value for name, value in given.items() if name != key}
        if refusals(row, rest):
            continue
        numbers: Numbers = []
        problems: tuple[Problem, ...] = ()
        try:
            numbers = believed(without(evidence, row, type(row).model_validate(rest)))
        except EvidenceError as error:
            problems = error.problems
        assert numbers or problems, key
        assert all(n is None or math.isfinite(n) for n in numbers), key
        assert all(p.row == row_id and key in p.field for p in problems), key


@pytest.mark.parametrize(
    "row_id",
    # Base rates are pooled from what there is, and of distributions nothing is made.
    [row_id for row_id in READ if row_id not in ("axi-cel-zuma1-label2017", "zuma1-age")],
)
def test_a_row_that_is_read_and_was_removed_is_refused_by_name(
    evidence: Evidence, row_id: str
) -> None:
    with pytest.raises(EvidenceError) as caught:
        believed(without(evidence, evidence.row(row_id), None))
    assert {(p.row, p.field) for p in caught.value.problems} == {(row_id, "id")}


def test_a_figure_that_says_it_is_not_usable_is_not_read(evidence: Evidence) -> None:
    row = evidence.row("ldh-normal-neurologic-severe-wudhikarn")
    altered = row.model_copy(update={"usable": False, "why_not": "withdrawn"})
    with pytest.raises(EvidenceError) as caught:
        believed(without(evidence, row, altered))
    assert [(p.row, p.field) for p in caught.value.problems] == [(row.id, "usable")]


def test_everything_that_effects_lack_is_told_at_once(evidence: Evidence) -> None:
    gone = ("suvmax-icans-severe-univariate-snmmi", "easix-doubling-severe-korell")
    for row_id in gone:
        evidence = without(evidence, evidence.row(row_id), None)
    with pytest.raises(EvidenceError) as caught:
        effect_prior(evidence, "severe_icans", ("age", "*", ""))
    assert {problem.row for problem in caught.value.problems} == set(gone)
