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


def rewritten(file: Path, violations: list[Violation]) -> Path:
    """Do what the last violation says."""
    line, new = violations[-1].message.split("to rewrite the file: ")[1], file.with_name("new.csv")
    eval(line, {"pandas": pd, "FILE": file, "NEW": new})
    return new


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
    cohort = read_cohort(rewritten(file, violations), Purpose.SCORING)
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


def test_points_that_mark_thousands_are_named_and_taken_out_by_the_line(tmp_path: Path) -> None:
    """Else a ferritin of 1,850 ng/mL would be read as 1.85, and pass every limit."""
    file = tmp_path / "cohort.csv"
    file.write_text(
        "patient_id;product;disease;infusion_date;ferritin_ng_ml;mtv_ml;crp_mg_l\n"
        "1.001;axi-cel;LBCL;2024-03-01;1.850;1.234.567,5;3,31\n"
        "1.002;axi-cel;LBCL;03.11.2021;<1.000;95;n.b.\n"
        "1.003;axi-cel;LBCL;2024-03-01;12;0,5;<0,5\n",
        "utf-8",
    )
    violations = violations_of(file)
    assert [v.rule for v in violations] == ["not_commas", "decimal_comma", "thousands_point"]
    assert "in the columns ferritin_ng_ml, mtv_ml: " in violations[-1].message
    table = pd.read_csv(rewritten(file, violations), dtype=str)
    assert table["patient_id"].tolist() == ["1.001", "1.002", "1.003"]
    assert table["infusion_date"].tolist() == ["2024-03-01", "03.11.2021", "2024-03-01"]
    assert table["ferritin_ng_ml"].tolist() == ["1850", "<1000", "12"]
    assert table["mtv_ml"].tolist() == ["1234567.5", "95", "0.5"]
    assert table["crp_mg_l"].tolist() == ["3.31", "n.b.", "<0.5"]


@pytest.mark.parametrize(
    ("others", "told"), [(["12", "95"], True), (["8.4", "95"], False), (["0.125", "95"], False)]
)
def test_a_point_before_three_digits_marks_thousands_unless_points_mark_decimals(
    tmp_path: Path, others: list[str], told: bool
) -> None:
    rows = ROWS.assign(crp_mg_l=["5", *others], ferritin_ng_ml=["1.850", "400", "95"])
    rows.to_csv(tmp_path / "cohort.csv", index=False, sep=";")
    violations = violations_of(tmp_path / "cohort.csv")
    assert ("thousands_point" in [v.rule for v in violations]) is told


def test_decimal_commas_and_thousands_points_between_commas_are_told_together(
    tmp_path: Path,
) -> None:
    """Else the commas alone were mended, and a ferritin of 1,850 ng/mL became 1.85."""
    rows = ROWS.assign(
        patient_id=["1.001", "1.002", "1.003"],
        crp_mg_l=["8,4", "", "<0,5"],
        ferritin_ng_ml=["1.850", "95", "12.400"],
        anc_10e9_l=["1.850", "0.400", "2.100"],
    )
    rows.to_csv(tmp_path / "cohort.csv", index=False)
    violations = violations_of(tmp_path / "cohort.csv")
    assert [v.rule for v in violations] == ["decimal_comma", "thousands_point"]
    assert "in the columns ferritin_ng_ml: " in violations[-1].message
    cohort = read_cohort(rewritten(tmp_path / "cohort.csv", violations), Purpose.SCORING)
    assert cohort.patient_id.tolist() == ["1.001", "1.002", "1.003"]
    assert cohort.predictors["ferritin"].tolist() == [1850, 95, 12400]
    assert cohort.predictors["crp"].tolist()[::2] == [8.4, 0.25]
    assert cohort.predictors["anc"].tolist() == [1.85, 0.4, 2.1]


@pytest.mark.parametrize(
    ("ferritin", "told"),
    [
        (["1.850", "400", "95"], True),
        (["1.850", "400", "95.5"], False),
        (["1.850", "400", "2100"], False),
        (["1.850", "2.100", "12.400"], False),
        (["1.85", "400", "95"], False),
    ],
)
def test_thousands_points_between_commas_are_known_by_the_rest_of_their_column(
    tmp_path: Path, ferritin: list[str], told: bool
) -> None:
    """Whoever replaced the commas of an export by points left those that mark thousands."""
    ROWS.assign(ferritin_ng_ml=ferritin).to_csv(tmp_path / "cohort.csv", index=False)
    if not told:
        cohort = read_cohort(tmp_path / "cohort.csv", Purpose.SCORING)
        assert cohort.predictors["ferritin"].tolist() == [float(f) for f in ferritin]
        return
    violations = violations_of(tmp_path / "cohort.csv")
    assert [v.rule for v in violations] == ["thousands_point"]
    cohort = read_cohort(rewritten(tmp_path / "cohort.csv", violations), Purpose.SCORING)
    assert cohort.predictors["ferritin"].tolist() == [1850, 400, 95]
    assert cohort.predictors["crp"].tolist() == ROWS["crp_mg_l"].tolist()


def test_the_line_changes_no_name_and_no_word(tmp_path: Path) -> None:
    rows = ROWS.assign(patient_id=["007", "7", "NA"], bridging=["None", "none", ""])
    rows.to_csv(tmp_path / "cohort.csv", index=False, **GERMAN)  # type: ignore[call-overload]
    new = rewritten(tmp_path / "cohort.csv", violations_of(tmp_path / "cohort.csv"))
    table = pd.read_csv(new, dtype=str, keep_default_na=False)
    assert table["patient_id"].tolist() == ["007", "7", "NA"]
    assert table["bridging"].tolist() == ["None", "none", ""]


def test_a_quotation_mark_that_is_never_closed_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "cohort.csv"
    file.write_text('patient_id;site\nP1;"Mainz\n' + "P2;Mainz\n" * 20_000, "utf-8")
    (violation,) = violations_of(file)
    assert violation.rule == "unreadable"


def test_none_is_the_word_and_an_empty_cell_is_not_known(tmp_path: Path) -> None:
    """A hundred patients without bridging were counted as patients of whom nobody knew."""
    rows = pd.concat([ROWS] * 3, ignore_index=True).assign(
        patient_id=[f"P{i}" for i in range(9)],
        bridging=["none", "None", "NONE", "chemo", "", "NA", "N/A", "nan", "null"],
    )
    rows.to_csv(tmp_path / "cohort.csv", index=False)
    cohort = read_cohort(tmp_path / "cohort.csv", Purpose.SCORING)
    assert cohort.predictors["bridging"].tolist() == ["none"] * 3 + ["chemo"] + [None] * 5


def test_none_where_it_is_no_word_is_refused_and_not_guessed(tmp_path: Path) -> None:
    rows = ROWS.assign(
        sex=["None", "F", "M"], crp_mg_l=["5", "None", "7"], diabetes=["None", "", "no"]
    )
    rows.to_csv(tmp_path / "cohort.csv", index=False)
    violations = violations_of(tmp_path / "cohort.csv")
    assert all("leave the cell empty" in v.message for v in violations)
    assert {(v.column, v.rule, v.rows) for v in violations} == {
        ("sex", "not_a_choice", (1,)),
        ("crp_mg_l", "not_a_number", (2,)),
        ("diabetes", "not_a_choice", (1,)),
    }


def test_none_is_no_name(tmp_path: Path) -> None:
    ROWS.assign(patient_id=["P1", "None", "P3"]).to_csv(tmp_path / "cohort.csv", index=False)
    (violation,) = violations_of(tmp_path / "cohort.csv")
    assert (violation.column, violation.rule, violation.rows) == ("patient_id", "required", (2,))


def test_utf8_with_the_mark_of_a_spreadsheet_is_read(tmp_path: Path) -> None:
    cohort = read_cohort(written(tmp_path, encoding="utf-8-sig"), Purpose.SCORING)
    assert cohort.site.tolist() == ROWS["site"].tolist()


def test_a_name_in_capitals_is_that_of_a_csv_file(tmp_path: Path) -> None:
    ROWS.to_csv(tmp_path / "COHORT.CSV", index=False)
    assert len(read_cohort(tmp_path / "COHORT.CSV", Purpose.SCORING)) == len(ROWS)


def test_a_workbook_is_told_how_to_save_it(tmp_path: Path) -> None:
    (tmp_path / "cohort.xlsx").write_bytes(b"PK")
    (violation,) = violations_of(tmp_path / "cohort.xlsx")
    assert 'save a spreadsheet as "CSV UTF-8"' in violation.message


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


def test_words_and_decimal_commas_in_one_column_are_told_apart_by_row(tmp_path: Path) -> None:
    ROWS.assign(crp_mg_l=["8,4", "high", "7.5"]).to_csv(tmp_path / "cohort.csv", index=False)
    commas, words = violations_of(tmp_path / "cohort.csv")
    assert commas.rows == (1,)
    assert "write a decimal point" in commas.message
    assert words.rows == (2,)
    assert words.message == (
        "must be numbers, not words: leave the cell empty where nothing was measured"
    )


@pytest.mark.parametrize("rows", ["P1,LBCL,8,4\nP2,LBCL,9,1\n", "P1,LBCL,8,4\nP2,LBCL,9\n"])
def test_decimal_commas_between_commas_shift_no_column(tmp_path: Path, rows: str) -> None:
    """Where every row has a field too many, pandas takes the first for the name of the row."""
    file = tmp_path / "cohort.csv"
    file.write_text(f"patient_id,disease,crp_mg_l\n{rows}", "utf-8")
    (violation,) = violations_of(file)
    assert (violation.column, violation.rule) == ("(file)", "unreadable")
    assert "write numbers with a decimal point" in violation.message
