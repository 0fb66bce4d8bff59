"""A peer that says something else about a patient is found out."""

from copy import deepcopy

from agreement import same_answer, same_numbers, same_predictions, same_values

OURS = {
    "status": "ok",
    "outcomes": [
        {
            "outcome": "severe_crs",
            "risk": 0.2,
            "interval": {"low": 0.1, "high": 0.4},
            "explanation": {"contributions": [{"predictor": "crp", "log_odds": 0.5}]},
        },
        {"outcome": "severe_icans"},
    ],
    "values_used": [{"predictor": "crp", "value": 84.0}],
}
NUMBERS = {
    "severe_crs": {
        **{"risk": 0.2, "low": 0.1, "high": 0.4},
        "contributions": {"crp": 0.3, "crp:B_ALL": 0.2, "ferritin": 9.0},
    }
}


def test_an_answer_of_our_own_shape_differs_in_id_and_time_only() -> None:
    said = {"assessment_id": "1", "assessed_at": "now", **deepcopy(OURS)}
    assert same_answer(said, OURS)
    said["outcomes"][0]["risk"] += 1e-12
    assert not same_answer(said, OURS)


def test_terms_of_one_predictor_are_added_and_tiny_differences_allowed() -> None:
    assert same_numbers(NUMBERS, OURS)
    assert same_predictions({"predictions": NUMBERS}, OURS)
    for name, off, same in (("risk", 1e-7, True), ("risk", 1e-5, False), ("high", 1e-5, False)):
        changed = deepcopy(NUMBERS)
        changed["severe_crs"][name] += off
        assert same_numbers(changed, OURS) is same
    changed = deepcopy(NUMBERS)
    changed["severe_crs"]["contributions"]["crp:B_ALL"] += 1e-5
    assert not same_numbers(changed, OURS)


def test_values_are_compared_where_nothing_is_assessed() -> None:
    assert same_values({"values": [{"value": 84.0}]}, OURS)
    assert not same_values({"values": []}, OURS)
