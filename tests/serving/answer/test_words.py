"""Values and risks are written as a clinician writes them."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.answer.words import natural_frequency, percent_in_words, value_in_words


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("crp", 84.0, "84 mg/L"),
        ("ferritin", 123456.0, "123456 ng/mL"),
        ("age", 64.0, "64 years"),
        ("ecog", 2.0, "2"),
        ("prior_lines", 3.0, "3"),
        ("bulky_disease", 1.0, "present"),
        ("bulky_disease", False, "absent"),
        ("bulky_disease", np.nan, None),
        ("crp", np.nan, None),
        ("ld_regimen", "flu_cy", "flu cy"),
        ("ld_regimen", None, None),
        ("cns_involvement", "unknown", None),
    ],
)
def test_a_value_is_written_as_a_clinician_writes_it(
    name: str, value: float | str | bool | None, words: str | None
) -> None:
    assert value_in_words(name, value) == words


@given(st.floats(0, 1))
def test_a_frequency_is_the_risk_of_a_hundred_patients(risk: float) -> None:
    words = natural_frequency(risk)
    number = int(re.search(r"(\d+) of 100 patients", words)[1])  # type: ignore[index]
    if words.startswith("fewer"):
        assert (number, risk < 0.01) == (1, True)
    elif words.startswith("more"):
        assert (number, risk > 0.95) == (95, True)
    else:
        assert abs(number - 100 * risk) <= 0.5 + 1e-9
        assert 1 <= number <= 95
        assert percent_in_words(risk) == str(number)


@pytest.mark.parametrize(
    ("risk", "words"), [(0.0, "<1"), (0.0099, "<1"), (0.01, "1"), (0.95, "95"), (0.951, ">95")]
)
def test_percent_has_no_decimals_and_open_ends(risk: float, words: str) -> None:
    assert percent_in_words(risk) == words
