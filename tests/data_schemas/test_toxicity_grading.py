"""Consensus grades follow the consensus tables, cell by cell."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_schemas.toxicity_grading import (
    SEVERE_GRADE,
    CerebralOedema,
    Consciousness,
    GradingScale,
    OxygenSupport,
    Seizure,
    astct_crs_grade,
    astct_icans_grade,
    parse_grading_scale,
    poolable,
)

FEVER_ONLY: dict[str, Any] = {
    "fever_at_onset": True,
    "hypotension": False,
    "vasopressors": 0,
    "vasopressin_among_them": False,
    "oxygen": OxygenSupport.NONE,
}
WELL: dict[str, Any] = {
    "age_years": 60,
    "ice_score": 10,
    "consciousness": Consciousness.ALERT,
    "seizure": Seizure.NONE,
    "motor_weakness": False,
    "oedema": CerebralOedema.NONE,
}


@pytest.mark.parametrize(
    ("story", "changed", "grade"),
    [
        ("fever only", {}, 1),
        ("fluids are enough", {"hypotension": True}, 2),
        ("blow-by oxygen", {"oxygen": OxygenSupport.LOW_FLOW}, 2),
        ("low-dose pressor", {"hypotension": True, "vasopressors": 1}, 3),
        ("pressor, hypotension not ticked", {"vasopressors": 1}, 3),
        ("mask", {"oxygen": OxygenSupport.HIGH_FLOW}, 3),
        ("pressor and vasopressin", {"vasopressors": 2, "vasopressin_among_them": True}, 3),
        ("vasopressin alone", {"vasopressors": 1, "vasopressin_among_them": True}, 3),
        ("two pressors", {"vasopressors": 2}, 4),
        ("two and vasopressin", {"vasopressors": 3, "vasopressin_among_them": True}, 4),
        ("CPAP", {"oxygen": OxygenSupport.POSITIVE_PRESSURE}, 4),
        ("the worse one counts", {"vasopressors": 1, "oxygen": OxygenSupport.LOW_FLOW}, 3),
        ("death", {"died_of_crs": True}, 5),
        ("never fever", {"fever_at_onset": False, "vasopressors": 1}, 0),
    ],
)
def test_crs_grades(story: str, changed: dict[str, Any], grade: int) -> None:
    """One row of the consensus table, or of its footnotes, at a time."""
    assert grade == astct_crs_grade(**(FEVER_ONLY | changed)), story


@pytest.mark.parametrize(
    "changed",
    [
        {"vasopressors": -1},
        {"vasopressors": 0, "vasopressin_among_them": True},
        {"fever_at_onset": False, "died_of_crs": True},
    ],
)
def test_contradictory_crs_components_are_refused(changed: dict[str, Any]) -> None:
    """A grade is not invented for a record that cannot be true."""
    with pytest.raises(ValueError, match=r"vasopressors|died_of_crs"):
        astct_crs_grade(**(FEVER_ONLY | changed))


@pytest.mark.parametrize(
    ("ice_score", "grade"), [(10, 0), (9, 1), (7, 1), (6, 2), (3, 2), (2, 3), (1, 3), (0, 3)]
)
def test_ice_bands(ice_score: int, grade: int) -> None:
    """An awake patient who scores 0, globally aphasic, is grade 3."""
    assert grade == astct_icans_grade(**(WELL | {"ice_score": ice_score}))


@pytest.mark.parametrize(
    ("story", "changed", "grade"),
    [
        ("drowsy", {"consciousness": Consciousness.AWAKENS_SPONTANEOUSLY}, 1),
        ("to voice", {"consciousness": Consciousness.AWAKENS_TO_VOICE}, 2),
        ("to touch", {"consciousness": Consciousness.AWAKENS_TO_TOUCH}, 3),
        ("0, unarousable", {"ice_score": 0, "consciousness": Consciousness.UNAROUSABLE}, 4),
        ("0, arousable", {"ice_score": 0, "consciousness": Consciousness.AWAKENS_TO_VOICE}, 3),
        ("seizure that stops", {"seizure": Seizure.RESOLVING}, 3),
        ("ICE 3 and a seizure", {"ice_score": 3, "seizure": Seizure.RESOLVING}, 3),
        ("status epilepticus", {"seizure": Seizure.PROLONGED}, 4),
        ("hemiparesis", {"motor_weakness": True}, 4),
        ("focal oedema", {"oedema": CerebralOedema.FOCAL}, 3),
        ("diffuse oedema", {"oedema": CerebralOedema.DIFFUSE}, 4),
        ("death", {"died_of_icans": True}, 5),
        ("twelfth birthday", {"age_years": 12, "ice_score": 8}, 1),
    ],
)
def test_icans_grades(story: str, changed: dict[str, Any], grade: int) -> None:
    """The worst domain decides."""
    assert grade == astct_icans_grade(**(WELL | changed)), story


@pytest.mark.parametrize(
    ("changed", "grade"),
    [
        ({}, None),
        ({"consciousness": Consciousness.AWAKENS_TO_VOICE}, None),
        ({"seizure": Seizure.RESOLVING}, 3),
        ({"consciousness": Consciousness.UNAROUSABLE}, 4),
        ({"died_of_icans": True}, 5),
    ],
)
def test_untested_ice_leaves_the_grade_open_unless_another_domain_settles_it(
    changed: dict[str, Any], grade: int | None
) -> None:
    """Not reported is missing, not zero."""
    assert grade == astct_icans_grade(**(WELL | {"ice_score": None} | changed))


@given(
    st.none() | st.integers(0, 10),
    st.sampled_from(Consciousness),
    st.sampled_from(Seizure),
    st.booleans(),
    st.sampled_from(CerebralOedema),
)
def test_a_grade_given_without_ice_is_the_grade_of_every_ice(
    ice_score: int | None,
    consciousness: Consciousness,
    seizure: Seizure,
    motor_weakness: bool,
    oedema: CerebralOedema,
) -> None:
    """What stands without ICE cannot be overturned by it."""
    observed: dict[str, Any] = {
        "age_years": 40,
        "consciousness": consciousness,
        "seizure": seizure,
        "motor_weakness": motor_weakness,
        "oedema": oedema,
    }
    without = astct_icans_grade(ice_score=None, **observed)
    if without is not None:
        assert without >= SEVERE_GRADE
        assert without == astct_icans_grade(ice_score=ice_score, **observed)


@pytest.mark.parametrize("age_years", [11.99, 0, math.nan])
def test_children_below_twelve_are_not_graded_with_ice(age_years: float) -> None:
    """The message says which instrument they need."""
    with pytest.raises(ValueError, match="CAPD"):
        astct_icans_grade(**(WELL | {"age_years": age_years}))


@pytest.mark.parametrize("ice_score", [-1, 11])
def test_impossible_ice_scores_are_refused(ice_score: int) -> None:
    """ICE has ten points."""
    with pytest.raises(ValueError, match="ice_score"):
        astct_icans_grade(**(WELL | {"ice_score": ice_score}))


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


@pytest.mark.parametrize("other", [scale for scale in GradingScale if scale != "ASTCT2019"])
def test_no_older_scale_pools_with_the_consensus(other: GradingScale) -> None:
    """Each pools with itself only; no scale is an unknown scale."""
    assert poolable([GradingScale.ASTCT2019, GradingScale.ASTCT2019])
    assert poolable([other])
    assert not poolable([GradingScale.ASTCT2019, other])
    assert not poolable([])
