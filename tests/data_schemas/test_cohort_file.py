"""A CSV file of a spreadsheet in another language is recognised and told how to be rewritten."""

from pathlib import Path

import pandas as pd
import pytest

from data_schemas.cohort_table import CohortRefused, Purpose, Violation, read_cohort

ROWS = pd.DataFrame(
    {
        "patient_id": ["001", "1", "0042"],
        "site": ["Köln", "Tübingen", "Köln"],
        "product": "axi-cel",
        "disease": "LBCL",
        "crp_mg_l": [84.1, 3.5, 12.25],
    }
)
GERMAN = {"sep": ";", "decimal": ",", "encoding": "cp1252"}


def violations_of(file: Path) -> list[Violation]:
    with pytest.raises(CohortRefused) as caught:
        read_cohort(file, Purpose.SCORING)
    return list(caught.value.violations)


def written(folder: Path, **export: str) -> Path:
    file = folder / "cohort.csv"
    ROWS.to_csv(file, index=False, **export)  # type: ignore[call-overload]  # as a user's options
    return file


@pytest.mark.parametrize(
    ("export", "rules"),
    [
        (GERMAN, ["not_utf8", "not_commas", "decimal_comma"]),
        ({"sep": ";", "decimal": ","}, ["not_commas", "decimal_comma"]),
        ({"sep": ";"}, ["not_commas"]),
        ({"sep": "\t", "decimal": ","}, ["not_commas", "decimal_comma"]),
        ({"encoding": "cp1252"}, ["not_utf8"]),
        ({"sep": "\t", "encoding": "utf-16"}, ["not_utf8", "not_commas"]),
    ],
)
def test_everything_that_is_written_differently_is_told_at_once_and_its_remedy_works(
    tmp_path: Path, export: dict[str, str], rules: list[str]
) -> None:
    file = written(tmp_path, **export)
    violations = violations_of(file)
    assert [v.rule for v in violations] == rules
    assert {v.column for v in violations} == {"(file)"}
    line = violations[-1].message.split("to rewrite the file: ")[1]
    eval(line, {"pandas": pd, "str": str, "FILE": file, "NEW": tmp_path / "new.csv"})
    cohort = read_cohort(tmp_path / "new.csv", Purpose.SCORING)
    assert cohort.site.tolist() == ROWS["site"].tolist()
    assert cohort.predictors["crp"].tolist() == ROWS["crp_mg_l"].tolist()
    assert cohort.patient_id.tolist() == ROWS["patient_id"].tolist()


def test_a_name_that_looks_like_a_number_is_kept_letter_by_letter(tmp_path: Path) -> None:
    """Of a CSV file as of a Parquet file; and a blank is still not known."""
    rows = ROWS.assign(site=["01", None, "1.50"])
    rows.to_csv(tmp_path / "cohort.csv", index=False)
    rows.to_parquet(tmp_path / "cohort.parquet")
    for name in ("cohort.csv", "cohort.parquet"):
        cohort = read_cohort(tmp_path / name, Purpose.SCORING)
        assert cohort.patient_id.tolist() == ["001", "1", "0042"]
        assert cohort.site.tolist() == ["01", "", "1.50"]


def test_a_blank_name_is_refused_whatever_the_others_look_like(tmp_path: Path) -> None:
    rows = ROWS.assign(patient_id=["001", None, " "])
    rows.to_csv(tmp_path / "cohort.csv", index=False)
    (violation,) = violations_of(tmp_path / "cohort.csv")
    assert (violation.column, violation.rule, violation.rows) == ("patient_id", "required", (2, 3))


def test_utf8_with_the_mark_of_a_spreadsheet_is_read(tmp_path: Path) -> None:
    cohort = read_cohort(written(tmp_path, encoding="utf-8-sig"), Purpose.SCORING)
    assert cohort.site.tolist() == ROWS["site"].tolist()


def test_a_semicolon_in_a_text_is_no_separator(tmp_path: Path) -> None:
    given = ROWS.assign(site="Köln; Klinik I, Haus 2,5")
    given.to_csv(tmp_path / "cohort.csv", index=False)
    cohort = read_cohort(tmp_path / "cohort.csv", Purpose.SCORING)
    assert set(cohort.site) == {"Köln; Klinik I, Haus 2,5"}


@pytest.mark.parametrize("number", ["8,4", "1,234", "<0,5"])
def test_a_comma_in_a_number_is_refused_by_row_since_it_may_mean_two_things(
    tmp_path: Path, number: str
) -> None:
    given = ROWS.assign(crp_mg_l=["5", number, "7.5"])
    given.to_csv(tmp_path / "cohort.csv", index=False)
    (violation,) = violations_of(tmp_path / "cohort.csv")
    assert (violation.column, violation.rule, violation.rows) == ("crp_mg_l", "not_a_number", (2,))
    assert "write a decimal point and no thousands separator" in violation.message
    assert number not in violation.message


def test_text_that_is_no_number_is_not_told_about_commas(tmp_path: Path) -> None:
    ROWS.assign(crp_mg_l=["5", "high", "7.5"]).to_csv(tmp_path / "cohort.csv", index=False)
    (violation,) = violations_of(tmp_path / "cohort.csv")
    assert violation.message == "must be numbers"


@pytest.mark.parametrize("rows", ["P1,LBCL,8,4\nP2,LBCL,9,1\n", "P1,LBCL,8,4\nP2,LBCL,9\n"])
def test_decimal_commas_between_commas_shift_no_column(tmp_path: Path, rows: str) -> None:
    """Where every row has a field too many, pandas takes the first for the name of the row."""
    file = tmp_path / "cohort.csv"
    file.write_text(f"patient_id,disease,crp_mg_l\n{rows}", "utf-8")
    (violation,) = violations_of(file)
    assert (violation.column, violation.rule) == ("(file)", "unreadable")
    assert "write numbers with a decimal point" in violation.message
