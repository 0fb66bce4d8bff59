"""Numbers are printed rounded, with a true minus, and never as minus nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.report.printed import FORMS, Printer

NUMBERS = st.floats(-1e6, 1e6, allow_nan=False)


@pytest.mark.parametrize(
    ("form", "value", "text"),
    [
        ("0.00", 0.736, "0.74"),
        ("0.00", -0.001, "0.00"),
        ("+0.00", -0.001, "0.00"),
        ("+0.00", 0.126, "+0.13"),
        ("0.000", -0.0471, "−0.047"),
        ("%", 0.081, "8\N{NO-BREAK SPACE}%"),
        ("0.0 %", 0.0814, "8.1\N{NO-BREAK SPACE}%"),
        ("count", 12.0, "12"),
        ("measured", 13833.2, "13833"),
        ("measured", 236.4, "236"),
        ("measured", 59.94, "59.9"),
        ("measured", 0.03, "0.03"),
        ("measured", 0.0, "0"),
        ("measured", -2.5, "−2.5"),
        ("words", "axicabtagene_ciloleucel", "axicabtagene ciloleucel"),
        ("words", "B_ALL", "B-ALL"),
        ("prediction", "m_easix", "Modified EASIX"),
        ("prediction", "product_rate", "product rate"),
        ("short hash", "0123456789abcdef", "0123456789ab"),
    ],
)
def test_forms(form: str, value: object, text: str) -> None:
    assert FORMS[form](value) == text


@pytest.mark.parametrize("form", [f for f in FORMS if f.startswith(("0", "+", "m"))])
@given(value=NUMBERS)
def test_no_number_is_minus_nothing_nor_has_a_hyphen(form: str, value: float) -> None:
    text = FORMS[form](value)
    assert "-" not in text
    assert text.lstrip("−") == text or float(text.lstrip("−").rstrip("%\N{NO-BREAK SPACE}")) > 0


@given(value=st.floats(1e-3, 1e6))
def test_a_measured_number_keeps_three_digits(value: float) -> None:
    assert float(FORMS["measured"](value)) == pytest.approx(
        value, rel=0.051 if value < 0.01 else 0.0051
    )


def test_an_estimate_shows_its_interval_or_its_reason() -> None:
    whole = {"value": 0.736, "low": 0.689, "high": 0.7901, "reason": None}
    lone = {"value": 0.5, "low": None, "high": None, "reason": "no interval"}
    absent = {"value": None, "low": None, "high": None, "reason": "no <event>"}
    printer = Printer({"e": [whole, lone, absent]})
    assert printer.estimate("e.0", "0.00").striptags() == "0.74 (0.69 to 0.79)"
    assert printer.estimate("e.1", "0.00").striptags() == "0.50"
    assert 'data-path="e.2.reason"' in printer.estimate("e.2", "0.00")
    assert "no &lt;event&gt;" in printer.estimate("e.2", "0.00")


def test_a_place_that_is_not_there_is_an_error() -> None:
    with pytest.raises(LookupError):
        Printer({"a": [1]}).value("a.1")


@given(n=st.integers(1, 200), most=st.integers(2, 12))
def test_some_points_are_evenly_from_the_first_to_the_last(n: int, most: int) -> None:
    points = Printer({"x": list(range(n))}).some("x", most)
    assert points == sorted(set(points))
    assert len(points) == min(n, most)
    assert (points[0], points[-1]) == (0, n - 1)
