"""How far the libraries' numbers are from an answer about the same patient."""

from typing import Any

Answer = dict[str, Any]
AGREEMENT = 1e-6
"""Of risks, and of contributions in log-odds: XGBoost counts in single precision."""

_OF_ONE_ANSWER = ("assessment_id", "assessed_at")


def of_contributions(answer: Answer, numbers: Answer) -> float:
    """Return the largest difference of a predictor's contribution, in log-odds."""
    most = 0.0
    for outcome in _with_risk(answer):
        theirs = numbers[outcome["outcome"]]["contributions"]
        for one in outcome["explanation"]["contributions"]:
            own = [v for n, v in theirs.items() if n.split(":")[0] == one["predictor"]]
            most = max(most, abs(sum(own) - one["log_odds"]))
    return most


def of_risks(answer: Answer, numbers: Answer) -> float:
    """Return the largest difference of a risk or an end of its interval."""
    most = 0.0
    for outcome in _with_risk(answer):
        theirs = numbers[outcome["outcome"]]
        ours = {"risk": outcome["risk"], **outcome["interval"]}
        most = max(most, *(abs(ours[name] - theirs[name]) for name in ("risk", "low", "high")))
    return most


def _with_risk(answer: Answer) -> list[Answer]:
    return [outcome for outcome in answer["outcomes"] if "risk" in outcome]


def same_answer(said: Answer, ours: Answer) -> bool:
    """Tell whether a service gave our answer, but for its id and time."""
    return {name: value for name, value in said.items() if name not in _OF_ONE_ANSWER} == ours


def same_numbers(said: Answer, ours: Answer) -> bool:
    """Tell whether a library path gave our risks, intervals and contributions."""
    return max(of_risks(ours, said), of_contributions(ours, said)) < AGREEMENT


def same_predictions(said: Answer, ours: Answer) -> bool:
    """Tell the same of an answer in MLflow's form."""
    return same_numbers(said["predictions"], ours)


def same_brief_numbers(said: Answer, ours: Answer) -> bool:
    """Tell the same of a brief answer."""
    numbers = {
        one["outcome"]: {**one["interval"], **{n: one[n] for n in ("risk", "contributions")}}
        for one in _with_risk(said)
    }
    return same_numbers(numbers, ours)


def same_values(said: Answer, ours: Answer) -> bool:
    """Tell whether the same values were read, where nothing is assessed."""
    return [one["value"] for one in said["values"]] == [one["value"] for one in ours["values_used"]]
