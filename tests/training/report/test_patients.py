"""Counts of patients add up, agree with the table, and are silent where they are small."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from tests.training.conftest import CohortBuilder
from tests.training.report.conftest import Told
from training.learning.prior import published_burden_scale
from training.report.patients import flow, missingness, table_one
from training.report.patients_record import (
    Characteristic,
    Count,
    Excluded,
    Flow,
    GroupCount,
    GroupCounts,
    Quartiles,
)

SMALLEST = 10
COLUMNS = ("everyone", "with_outcome", "without_outcome")


def analysed(told: Told) -> pd.DataFrame:
    assert told.table is not None
    known = told.table[told.table["icans_grade"].notna()]
    return known.assign(severe=known["icans_grade"] >= 3)


def characteristic(told: Told, predictor: str) -> Characteristic:
    assert told.report.table_one is not None
    rows = told.report.table_one.characteristics
    return next(row for row in rows if row.predictor == predictor)


def test_the_flow_is_that_of_the_table(developed: Told) -> None:
    found, table = developed.report.flow, analysed(developed)
    assert found is not None
    assert found.screened == 300
    assert found.excluded[0].patients == 300 - len(table)
    assert found.analysed == len(table)
    assert found.events == table["severe"].sum()
    sites = {g.group: g.patients for by in found.by if by.by == "site" for g in by.groups}
    assert sites == table["site"].value_counts().to_dict()


def test_patients_whom_the_model_cannot_answer_for_are_counted(
    elsewhere: Callable[[pd.DataFrame], Told], developed: Told
) -> None:
    assert developed.table is not None
    strange = developed.table.copy()
    strange.loc[:4, "disease"] = "other"
    found = elsewhere(strange).report.flow
    assert found is not None
    known = strange.loc[:4, "icans_grade"].notna().sum()
    assert found.excluded[1].patients == known
    assert found.screened == 300


def groups(patients: int) -> tuple[GroupCounts, ...]:
    one = GroupCount(group="here", patients=patients, events=None, suppressed=True)
    return (GroupCounts(by="site", groups=(one,)),)


@pytest.mark.parametrize(
    ("screened", "analysed", "events", "in_groups"),
    [(101, 90, 20, 90), (100, 90, 20, 89), (100, 90, 21, 90)],
)
def test_a_flow_that_does_not_add_up_is_refused(
    screened: int, analysed: int, events: int, in_groups: int
) -> None:
    excluded = (Excluded(reason="the outcome is not known", patients=10),)
    with pytest.raises(ValidationError):
        Flow(
            screened=screened,
            excluded=excluded,
            analysed=analysed,
            events=events,
            without_event=70,
            by=groups(in_groups),
        )


def test_quartiles_are_those_of_the_table(developed: Told) -> None:
    table, row = analysed(developed), characteristic(developed, "crp")
    assert row.quartiles is not None
    parts = {"everyone": table, "with_outcome": table[table["severe"]]}
    parts["without_outcome"] = table[~table["severe"]]
    for column in COLUMNS:
        quartiles: Quartiles = getattr(row.quartiles, column)
        expected = parts[column]["crp_mg_l"].quantile([0.25, 0.5, 0.75]).tolist()
        assert [quartiles.low, quartiles.median, quartiles.high] == pytest.approx(expected)
        assert getattr(row.missing, column).patients == parts[column]["crp_mg_l"].isna().sum()


def test_words_are_counted_among_those_who_have_one(developed: Told) -> None:
    table, row = analysed(developed), characteristic(developed, "product")
    counted = {w.word: w.everyone.patients for w in row.words if not w.everyone.suppressed}
    expected = table["product"].value_counts()  # the most frequent first
    shown = {name.replace("_", " "): n for name, n in expected.items() if n >= SMALLEST}
    if len(shown) == len(expected) - 1:  # else the one that is hidden could be subtracted
        shown.popitem()
    assert counted.items() <= {w.replace("_", " "): n for w, n in expected.items()}.items()
    assert sorted(counted.values()) == sorted(shown.values())
    shares = [w.everyone.share for w in row.words if w.everyone.share is not None]
    assert sum(shares) <= 1 + 1e-12


def counts(document: Any) -> Iterator[tuple[str, Any]]:
    """Every count and quartile, wherever it stands."""
    if isinstance(document, Count | Quartiles):
        yield type(document).__name__, document
    elif hasattr(document, "model_fields_set"):
        for name in type(document).model_fields:
            yield from counts(getattr(document, name))
    elif isinstance(document, tuple):
        for part in document:
            yield from counts(part)


def test_no_small_cell_is_shown(each: Told) -> None:
    for _, cell in counts(each.report.table_one):
        if isinstance(cell, Count):
            assert cell.suppressed or cell.patients == 0 or cell.patients >= SMALLEST
            assert (cell.patients is None) is cell.suppressed
        else:
            assert (cell.median is None) is cell.suppressed is (cell.measured < SMALLEST)
    for by in each.report.flow.by if each.report.flow else ():
        for group in by.groups:
            assert (group.events is None) is group.suppressed
            if group.events is not None:
                assert min(group.events, group.patients - group.events) >= SMALLEST


def test_no_small_cell_can_be_found_from_the_others(each: Told) -> None:
    """Whoever knows a sum and all but one of its parts knows that one."""
    found = each.report.table_one
    for row in found.characteristics if found and found.with_outcome else ():
        for word in row.words:
            assert word.with_outcome.suppressed is word.without_outcome.suppressed
        for column in COLUMNS if len(row.words) > 1 else ():
            assert sum(getattr(word, column).suppressed for word in row.words) != 1
    for by in each.report.flow.by if each.report.flow else ():
        assert sum(group.suppressed for group in by.groups) != 1 or len(by.groups) == 1


def test_of_few_patients_nothing_is_told_not_even_that_none_carries_a_word(few: Told) -> None:
    found = few.report.table_one
    assert found is not None
    assert found.with_outcome == 1
    for row in found.characteristics:
        assert row.missing.with_outcome.suppressed
        assert all(word.with_outcome.suppressed for word in row.words)


def test_small_cells_are_there_to_be_hidden(developed: Told, few: Told) -> None:
    for told in (developed, few):
        assert any(cell.suppressed for _, cell in counts(told.report.table_one))
        assert "too few" in told.seen.words


def test_missing_values_by_site_are_those_of_the_table(developed: Told) -> None:
    found = next(m for m in developed.report.missingness if m.by == "site")
    row = next(row for row in found.rows if row.predictor == "ferritin")
    expected = (
        analysed(developed).groupby("site")["ferritin_ng_ml"].apply(lambda v: v.isna().mean())
    )
    assert list(row.share) == pytest.approx(expected[list(found.groups)].tolist())


def test_a_predictor_is_missing_only_where_it_has_a_meaning(cohort_of: CohortBuilder) -> None:
    y = np.arange(40) % 2.0
    disease = ["B_ALL"] * 20 + ["LBCL"] * 20
    blasts = np.where(np.arange(40) < 15, 30.0, np.nan)
    cohort = cohort_of(y, product="tisagenlecleucel", disease=disease, marrow_blast=blasts)
    scale = published_burden_scale()
    row = table_one(cohort, ["marrow_blast"], scale, SMALLEST).characteristics[-1]
    assert (row.applicable, row.missing.everyone.patients) == (20, 5)
    assert missingness(cohort, ["marrow_blast"], scale, SMALLEST)[0].rows[0].share == (0.25,)


def test_nobody_counts_as_a_group(cohort_of: CohortBuilder) -> None:
    cohort = cohort_of(np.zeros(12))
    assert [len(by.groups) for by in flow(cohort, SMALLEST).by] == [1, 1, 1, 1]
