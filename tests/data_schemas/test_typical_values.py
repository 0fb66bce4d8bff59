"""Centres and spreads fit the contract, and each says where it comes from."""

import math
from importlib.resources import files
from pathlib import Path

import pytest
from pydantic import ValidationError

from data_schemas.evidence import EvidenceError, Problem, load_evidence
from data_schemas.predictors import PREDICTORS, Quantity
from data_schemas.products import DISEASES, PRODUCTS
from data_schemas.typical_values import (
    FILE,
    BurdenMeasure,
    TypicalValue,
    burden_measures,
    read_typical_values,
    typical_values,
)

EVERY_VALUE = pytest.mark.parametrize(
    "row", [pytest.param(r, id=f"{r.predictor}-{r.disease}-{r.product}") for r in typical_values()]
)
EVERY_MEASURE = pytest.mark.parametrize(
    "row", [pytest.param(r, id=r.measure) for r in burden_measures()]
)


@EVERY_VALUE
def test_the_typical_patient_is_within_the_usual_range(row: TypicalValue) -> None:
    declared = PREDICTORS[row.predictor]
    assert isinstance(declared, Quantity)
    assert declared.soft[0] <= row.centre <= declared.soft[1]
    assert row.spread > 0
    assert row.disease in {"*", *DISEASES}


@EVERY_VALUE
def test_the_transform_is_the_declared_one(row: TypicalValue) -> None:
    """Except for what models read as a multiple of what is usual."""
    declared = PREDICTORS[row.predictor]
    assert isinstance(declared, Quantity)
    multiples = {"ldh": "ldh_ratio", "creatinine": "creatinine_ratio"}
    assert row.transform == multiples.get(row.predictor, declared.transform)


def test_every_predictor_has_one_value_for_all_diseases() -> None:
    keys = [(row.predictor, row.disease, row.product) for row in typical_values()]
    assert len(keys) == len(set(keys))
    assert {name for name, _, _ in keys} == {name for name, *rest in keys if rest == ["*", "*"]}


def test_a_product_has_typical_patients_of_its_own_only_where_it_is_given() -> None:
    own = {(row.product, row.disease) for row in typical_values() if row.product != "*"}
    assert own == {("tisagenlecleucel", "B_ALL")}
    assert all(disease in PRODUCTS[product].diseases for product, disease in own)


@pytest.mark.parametrize("row", [*typical_values(), *burden_measures()])
def test_a_basis_is_a_row_of_the_evidence(row: TypicalValue | BurdenMeasure) -> None:
    known = {found.id for found in load_evidence().distributions}
    assert set(row.basis) <= known
    assert row.how


def test_the_typical_ecog_follows_from_the_shares_that_are_told() -> None:
    """A mean of 0.8 is not that of as many zeros as ones, which would be 0.7."""
    row = next(row for row in typical_values() if row.predictor == "ecog")
    assert "0 in a third of all and 1 in the others" in row.how
    two_or_more = 0.12
    shares = {0: 1 / 3, 1: 1 - 1 / 3 - two_or_more, 2: two_or_more}
    mean = sum(score * share for score, share in shares.items())
    variance = sum((score - mean) ** 2 * share for score, share in shares.items())
    assert row.centre == pytest.approx(mean, abs=0.02)
    assert row.spread == pytest.approx(math.sqrt(variance), abs=0.05)


@EVERY_MEASURE
def test_burden_rises_with_its_measure(row: BurdenMeasure) -> None:
    declared = PREDICTORS[row.measure]
    values, levels = row.curve()
    assert len(values) == len(levels) >= 2
    assert list(values) == sorted(set(values))
    assert list(levels) == sorted(set(levels))
    assert all(0 <= level <= 1 for level in levels)
    if isinstance(declared, Quantity):
        assert declared.hard[0] <= values[len(values) // 2] <= declared.hard[1]


def test_a_log_normal_measure_passes_through_its_quartiles() -> None:
    """Median 100, spread ln 2: the upper quartile is 100 times 2 to the power 0.6745."""
    row = BurdenMeasure(measure="mtv", median=100, spread=math.log(2), assumed=True, how="-")
    curve = dict(zip(*reversed(row.curve()), strict=True))
    assert curve[0.5] == pytest.approx(100)
    assert curve[0.75] == pytest.approx(100 * 2**0.6744898)
    assert curve[0.25] * curve[0.75] == pytest.approx(100**2)


def test_only_age_may_be_typical_of_one_product() -> None:
    age = {"transform": "identity", "disease": "B_ALL", "product": "x", "centre": 9, "spread": 1}
    known = {**age, "assumed": True, "how": "-"}
    assert TypicalValue(predictor="age", **known).product == "x"
    with pytest.raises(ValidationError, match="only age"):
        TypicalValue(predictor="ferritin", **known)


def test_a_number_without_a_source_must_say_so() -> None:
    with pytest.raises(ValidationError, match="marked as assumed"):
        BurdenMeasure(measure="mtv", median=100, spread=1, how="from nowhere")


PACKAGED = Path(str(files("data_schemas.evidence"))) / FILE
FERRITIN = '[[typical]]\npredictor = "ferritin"\n'
VOLUME = '[[burden]]\nmeasure = "mtv"\n'
MARROW = '[[burden]]\nmeasure = "marrow_blast"\n'


def spoilt(tmp_path: Path, row: str, old: str, new: str) -> Path:
    """Return a copy of the table in which the first ``old`` of a row is another text."""
    head, start, tail = PACKAGED.read_text("utf-8").partition(row)
    text, gap, rest = (start + tail).partition("\n\n")
    assert old in text
    path = tmp_path / FILE
    path.write_text(head + text.replace(old, new, 1) + gap + rest, "utf-8")
    return path


def problems_of(path: Path) -> list[Problem]:
    with pytest.raises(EvidenceError) as caught:
        read_typical_values(path)
    return list(caught.value.problems)


@pytest.mark.parametrize(
    ("row", "old", "new", "field"),
    [
        (FERRITIN, "spread = 1.48", "spread = 0.0", "spread"),
        (FERRITIN, "spread = 1.48", "spread = -1.48", "spread"),
        (FERRITIN, "spread = 1.48", "spread = nan", "spread"),
        (FERRITIN, "spread = 1.48\n", "", "spread"),
        (FERRITIN, "centre = 342.0", "centre = 0.0", "centre"),
        (FERRITIN, "centre = 342.0", "centre = -342.0", "centre"),
        (FERRITIN, "centre = 342.0", "centre = 3.42e9", "centre"),
        (FERRITIN, "centre = 342.0", "centre = inf", "centre"),
        (FERRITIN, "centre = 342.0", 'centre = "342"', "centre"),
        (FERRITIN, "centre = 342.0", "centre = true", "centre"),
        (FERRITIN, "centre = 342.0\n", "", "centre"),
        (FERRITIN, 'transform = "log"', 'transform = "loge"', "transform"),
        (FERRITIN, 'transform = "log"', 'transform = "sqrt"', "transform"),
        (FERRITIN, '"*"', '"BALL"', "disease"),
        (FERRITIN, 'disease = "*"', 'disease = "*"\nproduct = "tisa"', "-"),
        (FERRITIN, '"ferritin"', '"feritin"', "predictor"),
        (FERRITIN, '"ferritin"', '"sex"', "predictor"),
        (FERRITIN, "how =", "hwo =", "hwo"),
        (VOLUME, "median = 147.5", "median = 0", "median"),
        (VOLUME, "median = 147.5", "median = nan", "median"),
        (VOLUME, "median = 147.5\n", "", "median"),
        (VOLUME, "median = 147.5", "median = 147.5\nlevels = [0.1]\nvalues = [1]", "median"),
        (VOLUME, '"mtv"', '"mtvv"', "measure"),
        (MARROW, "0.50, 0.70", "0.70, 0.50", "levels"),
        (MARROW, "24.0, 65.0", "65.0, 65.0", "values"),
        (MARROW, "0.90, 1.0]", "90, 100]", "levels.4"),
        (MARROW, ", 1.0]", "]", "levels"),
    ],
)
def test_a_spoilt_row_is_refused_by_its_name_and_field(
    tmp_path: Path, row: str, old: str, new: str, field: str
) -> None:
    found = problems_of(spoilt(tmp_path, row, old, new))
    assert field in {problem.field for problem in found}
    assert all(problem.file == FILE and problem.limit and problem.remedy for problem in found)


def test_a_row_stands_once(tmp_path: Path) -> None:
    text = PACKAGED.read_text("utf-8")
    path = tmp_path / FILE
    row = text[text.index(FERRITIN) : text.index("# ---- Cell turnover")]
    path.write_text(text + "\n" + row, "utf-8")
    assert [(p.row, p.limit) for p in problems_of(path)] == [
        ("typical ferritin * *", "stands 2 times")
    ]


def test_a_disease_of_its_own_does_not_stand_for_all(tmp_path: Path) -> None:
    path = spoilt(tmp_path, FERRITIN, '"*"', '"MM"')
    assert [(p.row, p.field) for p in problems_of(path)] == [("ferritin", "disease")]


@pytest.mark.parametrize("text", ["[[typical\n", "", "[[burden]]\n", "typical = 3\n"])
def test_what_is_no_such_table_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / FILE
    path.write_text(text, "utf-8")
    assert problems_of(path)


def test_a_table_of_another_name_is_not_passed_over(tmp_path: Path) -> None:
    path = tmp_path / FILE
    path.write_text(PACKAGED.read_text("utf-8") + '\n[[typicl]]\npredictor = "crp"\n', "utf-8")
    assert [problem.field for problem in problems_of(path)] == ["typicl"]


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    path = spoilt(tmp_path, FERRITIN, "spread = 1.48", "spread = 0.0")
    text = path.read_text("utf-8").replace("median = 37.23", "median = 0")
    path.write_text(text.replace("centre = 208.0", "centre = 0"), "utf-8")
    assert [(p.row, p.field) for p in problems_of(path)] == [
        ("typical 2 ferritin", "spread"),
        ("typical 4 ldh", "centre"),
        ("burden 2 spd", "median"),
    ]
