"""A scored cohort holds the risks of the service, and no number where there is no answer."""

import stat
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd
import pytest

from data_schemas.cohort_table import CohortRefused, Purpose, read_cohort
from serving.model.artefact import (
    CARD_FILE,
    MODEL_FILE,
    PRIOR_FILE,
    SELF_TEST_FILE,
    ArtefactRefused,
    canonical_json,
    load_artefact,
    model_to_json,
)
from serving.model.store import make_current, save_artefact
from training.pipeline import Run
from training.scoring import NothingToScoreWith, score_cohort, score_file
from training.simulation.synthetic_cohort import simulate

NUMBERS = ["severe_icans", "severe_icans_low", "severe_icans_high"]


@pytest.fixture(scope="module")
def store(evidence_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("current")
    make_current(root, evidence_run.artefact)
    return root


@pytest.fixture(scope="module")
def both(evidence_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of both outcomes; the second is the first by another name."""
    root = tmp_path_factory.mktemp("both")
    artefact = evidence_run.artefact
    make_current(root, artefact)
    model = replace(artefact.model, outcome="severe_crs")
    files = {
        MODEL_FILE: canonical_json(model_to_json(model)),
        **{name: artefact.files[name] for name in (SELF_TEST_FILE, PRIOR_FILE, CARD_FILE)},
    }
    make_current(root, load_artefact(save_artefact(root, model, artefact.manifest, files)))
    return root


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return simulate(60, 2, 4).table


def test_the_columns_are_risk_interval_and_status_of_every_outcome(
    both: Path, table: pd.DataFrame
) -> None:
    scored = score_cohort(read_cohort(table, Purpose.SCORING), both)
    assert list(scored) == [
        "patient_id",
        "severe_crs",
        "severe_crs_low",
        "severe_crs_high",
        "severe_crs_status",
        "severe_crs_why",
        "severe_icans",
        "severe_icans_low",
        "severe_icans_high",
        "severe_icans_status",
        "severe_icans_why",
    ]
    assert scored["patient_id"].tolist() == table["patient_id"].tolist()


def test_risks_lie_within_their_intervals(store: Path, table: pd.DataFrame) -> None:
    scored = score_cohort(read_cohort(table, Purpose.SCORING), store)
    usable = scored["severe_icans_status"].isin(["ok", "caution"])
    risk, low, high = (scored.loc[usable, name] for name in NUMBERS)
    assert usable.sum() > 40
    assert ((low > 0) & (low < risk) & (risk < high) & (high < 1)).all()
    assert scored.loc[~usable, NUMBERS].isna().all(axis=None)


def test_a_risk_is_the_one_of_the_model(
    store: Path, table: pd.DataFrame, evidence_run: Run
) -> None:
    cohort = read_cohort(table, Purpose.SCORING)
    scored = score_cohort(cohort, store)
    risk = evidence_run.artefact.model.predict(cohort.columns()).risk
    usable = scored["severe_icans"].notna()
    np.testing.assert_allclose(scored.loc[usable, "severe_icans"], risk[usable])


def test_out_of_scope_has_no_number_at_all(store: Path, table: pd.DataFrame) -> None:
    """Axi-cel in myeloma has no evidence; missing is not a low risk."""
    moved = table.assign(disease="LBCL", product="axicabtagene_ciloleucel", age_years=60.0)
    moved = moved[["patient_id", "product", "disease", "age_years", "crp_mg_l"]].copy()
    moved.loc[:9, "disease"] = "MM"
    scored = score_cohort(read_cohort(moved, Purpose.SCORING), store)
    assert (scored.loc[:9, "severe_icans_status"] == "out_of_scope").all()
    assert scored.loc[:9, NUMBERS].isna().all(axis=None)
    assert "out_of_scope" not in set(scored.loc[10:, "severe_icans_status"])


def test_too_little_data_has_no_number_either(store: Path, table: pd.DataFrame) -> None:
    bare = table[["patient_id", "product", "disease", "age_years"]]
    scored = score_cohort(read_cohort(bare, Purpose.SCORING), store)
    few = scored["severe_icans_status"] == "insufficient_data"
    assert few.all()
    assert scored[NUMBERS].isna().all(axis=None)


def test_why_says_what_the_service_says(store: Path, table: pd.DataFrame) -> None:
    """The codes of a caution as an answer has them, or the reason why there is no number."""
    some = table.assign(disease="LBCL", product="axicabtagene_ciloleucel", age_years=60.0)
    some = some.assign(ldh_uln_u_l=np.nan, cns_involvement="none", active_infection="none")
    some.loc[0, "cns_involvement"] = "active"
    some.loc[1, "age_years"] = 12.0
    scored = score_cohort(read_cohort(some, Purpose.SCORING), store)
    why = scored["severe_icans_why"].str.split(" ")
    assert "active_cns_disease:cns_involvement" in why[0]
    assert scored.loc[1, "severe_icans_why"] == (
        "the evidence for axi-cel in large B-cell lymphoma is from adults only"
    )
    rest = scored.loc[2:]
    usable = rest["severe_icans"].notna()
    with_ldh = some.loc[2:, "ldh_u_l"].notna() & usable
    assert with_ldh.any()
    assert ["ldh_limit_assumed:ldh_uln" in codes for codes in why[2:]] == with_ldh.tolist()
    ok = rest["severe_icans_status"] == "ok"
    assert (rest.loc[ok, "severe_icans_why"] == "").all()


def test_outcomes_site_and_dates_may_be_there_or_not(store: Path, table: pd.DataFrame) -> None:
    without = table.drop(columns=["icans_grade", "crs_grade", "grading_scale", "site"])
    first, second = (score_cohort(read_cohort(t, Purpose.SCORING), store) for t in (table, without))
    pd.testing.assert_frame_equal(first, second)


def test_the_order_and_company_of_patients_do_not_matter(store: Path, table: pd.DataFrame) -> None:
    whole = score_cohort(read_cohort(table, Purpose.SCORING), store)
    part = table.iloc[[7, 3]].dropna(axis="columns", how="all")
    some = score_cohort(read_cohort(part, Purpose.SCORING), store)
    pd.testing.assert_frame_equal(some, whole.iloc[[7, 3]].reset_index(drop=True))


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_a_file_holds_what_was_returned(
    store: Path, table: pd.DataFrame, tmp_path: Path, suffix: str
) -> None:
    table.to_parquet(tmp_path / "cohort.parquet")
    out = tmp_path / f"scored{suffix}"
    scored, notices = score_file(tmp_path / "cohort.parquet", out, store)
    assert notices == ()
    read = pd.read_parquet(out) if suffix == ".parquet" else pd.read_csv(out)
    pd.testing.assert_frame_equal(read, scored, check_dtype=False)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cohort.parquet", out.name]
    assert stat.S_IMODE(out.stat().st_mode) == 0o600  # it names patients beside their risks


def test_patients_are_named_in_the_scores_as_they_were_in_the_cohort(
    store: Path, table: pd.DataFrame, tmp_path: Path
) -> None:
    names = ["0042", "42", "007"]
    named = table.head(3).dropna(axis="columns", how="all").assign(patient_id=names)
    named.to_csv(tmp_path / "cohort.csv", index=False)
    score_file(tmp_path / "cohort.csv", tmp_path / "scored.csv", store)
    rows = (tmp_path / "scored.csv").read_text("utf-8").splitlines()[1:]
    assert [row.split(",")[0] for row in rows] == names


def test_another_kind_of_file_is_refused(store: Path, table: pd.DataFrame, tmp_path: Path) -> None:
    table.to_parquet(tmp_path / "cohort.parquet")
    with pytest.raises(ValueError, match=r"\.parquet or a \.csv"):
        score_file(tmp_path / "cohort.parquet", tmp_path / "scored.xlsx", store)
    assert [p.name for p in tmp_path.iterdir()] == ["cohort.parquet"]


def test_a_write_that_fails_keeps_the_file_of_before(
    store: Path, table: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table.to_parquet(tmp_path / "cohort.parquet")
    out = tmp_path / "scored.csv"
    out.write_text("of yesterday", "utf-8")

    def half(_frame: pd.DataFrame, sink: BinaryIO, **_: object) -> None:
        sink.write(b"patient_id,seve")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_csv", half)
    with pytest.raises(OSError, match="No space"):
        score_file(tmp_path / "cohort.parquet", out, store)
    assert out.read_text("utf-8") == "of yesterday"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cohort.parquet", "scored.csv"]


def test_a_refused_cohort_leaves_no_file(store: Path, table: pd.DataFrame, tmp_path: Path) -> None:
    table.assign(age_years=900.0).to_parquet(tmp_path / "cohort.parquet")
    with pytest.raises(CohortRefused):
        score_file(tmp_path / "cohort.parquet", tmp_path / "scored.csv", store)
    assert not (tmp_path / "scored.csv").exists()


def test_an_empty_store_scores_nobody(table: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(NothingToScoreWith, match="train or promote"):
        score_cohort(read_cohort(table, Purpose.SCORING), tmp_path)


def test_a_tampered_model_scores_nobody(
    evidence_run: Run, table: pd.DataFrame, tmp_path: Path
) -> None:
    make_current(tmp_path, evidence_run.artefact)
    model = next(tmp_path.glob("severe_icans/*/model.json"))
    model.write_bytes(model.read_bytes().replace(b'"slope": 1.0', b'"slope": 0.9'))
    with pytest.raises(ArtefactRefused, match=r"model\.json"):
        score_cohort(read_cohort(table, Purpose.SCORING), tmp_path)
