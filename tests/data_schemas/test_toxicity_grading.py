"""Scales are recognised by their usual spellings."""

import pytest

from data_schemas.toxicity_grading import GradingScale, parse_grading_scale


@pytest.mark.parametrize(
    ("text", "scale"),
    [
        ("ASTCT", GradingScale.ASTCT2019),
        ("asbmt", GradingScale.ASTCT2019),
        ("ASTCT 2019", GradingScale.ASTCT2019),
        ("Lee 2019", GradingScale.ASTCT2019),
        ("Lee", GradingScale.LEE2014),
        (" lee-2014 ", GradingScale.LEE2014),
        ("Penn", GradingScale.PENN2014),
        ("mskcc", GradingScale.MSKCC),
        ("CARTOX", GradingScale.CARTOX),
        ("CTCAE v4.03", GradingScale.CTCAE),
        *((scale.value, scale) for scale in GradingScale),
    ],
)
def test_usual_spellings_are_recognised(text: str, scale: GradingScale) -> None:
    """Among them every scale's own value."""
    assert scale is parse_grading_scale(text)


@pytest.mark.parametrize("text", ["", "WHO", "grade 3"])
def test_unknown_scale_lists_the_accepted_ones(text: str) -> None:
    """Whoever prepares a table sees what to write."""
    with pytest.raises(ValueError, match=r"ASTCT 2019.*Lee 2014.*Penn.*MSKCC.*CARTOX.*CTCAE"):
        parse_grading_scale(text)
