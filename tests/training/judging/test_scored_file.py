import os
import stat
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.training.evaluation.conftest import asked, scored
from training.evaluation.evaluate import evaluate
from training.evaluation.scored_cohort import ScoredCohort
from training.judging.scored_file import SCORED_FILE, NoScoredCohort, load, save


def assert_same(left: ScoredCohort, right: ScoredCohort) -> None:
    for name in ("on", "fitted_here", "not_cross_validated"):
        assert getattr(left, name) == getattr(right, name)
    for name in ("outcome", "model", "low", "high", "left_out", "refits", "drawn"):
        np.testing.assert_array_equal(getattr(left, name), getattr(right, name))
    for name in ("without", "comparators", "groups"):
        one, other = getattr(left, name), getattr(right, name)
        assert list(one) == list(other)
        for key in one:
            np.testing.assert_array_equal(one[key], other[key])


@pytest.mark.parametrize("fitted_here", [True, False])
def test_what_is_saved_is_read_back_number_for_number(tmp_path: Path, fitted_here: bool) -> None:
    cohort = scored(fitted_here=fitted_here)
    assert save(cohort, tmp_path) == tmp_path / SCORED_FILE
    back = load(tmp_path)
    assert_same(cohort, back)
    assert evaluate(back, asked()) == evaluate(cohort, asked())


def test_why_nothing_was_cross_validated_is_kept(tmp_path: Path) -> None:
    cohort = replace(scored(), left_out=np.empty((0, 0)), not_cross_validated="too few had it")
    save(cohort, tmp_path)
    assert load(tmp_path).not_cross_validated == "too few had it"


def test_repeats_and_refits_keep_their_order_beyond_ten(tmp_path: Path) -> None:
    cohort = scored()
    assert len(cohort.refits) > 10
    save(cohort, tmp_path)
    np.testing.assert_array_equal(load(tmp_path).refits[2], cohort.refits[2])


def test_only_the_owner_may_read_it_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        path = save(scored(), tmp_path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_nothing_is_left_beside_it_and_it_may_be_written_again(tmp_path: Path) -> None:
    save(scored(), tmp_path)
    save(scored(seed=1), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [SCORED_FILE]
    np.testing.assert_array_equal(load(tmp_path).outcome, scored(seed=1).outcome)


def test_it_holds_no_identifier(tmp_path: Path) -> None:
    kinds = {name.split("/")[0] for name in pq.read_schema(save(scored(), tmp_path)).names}
    assert kinds == {
        "outcome", "model", "low", "high", "left_out", "without", "refit", "drawn", "comparator",
        "group",
    }  # fmt: skip


def test_a_folder_without_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoScoredCohort, match=SCORED_FILE):
        load(tmp_path)


def test_another_file_by_its_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / SCORED_FILE).write_text("not a table", "utf-8")
    with pytest.raises(NoScoredCohort, match="not what an evaluation wrote"):
        load(tmp_path)
    pq.write_table(pa.table({"outcome": [1.0]}), tmp_path / SCORED_FILE)
    with pytest.raises(NoScoredCohort, match="not what an evaluation wrote"):
        load(tmp_path)
