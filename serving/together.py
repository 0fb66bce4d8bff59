"""The answer for two outcomes at once: either, and both."""

from collections.abc import Callable, Mapping
from math import exp

from data_schemas.risk_assessment import Interval, JointRisk, OutcomeRisk, Together
from serving.artefact import Artefact
from serving.joint_risk import Association, both, either


def together(answered: list[OutcomeRisk], artefacts: Mapping[str, Artefact]) -> Together | None:
    """Return the risk of either and of both, where a model says how two outcomes go together."""
    risks = {risk.outcome: risk for risk in answered}
    for name, artefact in artefacts.items():
        association = artefact.model.association
        if association is None or association.other not in risks:
            continue
        first, second = risks[association.other], risks[name]
        if first.risk is None or second.risk is None:
            return None
        return Together(
            outcomes=(first.outcome, second.outcome),
            either=_joint(either, first, second, association),
            both=_joint(both, first, second, association),
            odds_ratio=exp(association.log_odds_ratio),
            sources=association.sources,
            statement=_association_in_words(association),
        )
    return None


def _joint(
    combine: Callable[[float, float, float], float],
    first: OutcomeRisk,
    second: OutcomeRisk,
    association: Association,
) -> JointRisk:
    assert first.risk is not None
    assert second.risk is not None
    assert first.interval is not None
    assert second.interval is not None
    ends = (
        combine(first.interval.low, second.interval.low, association.log_odds_ratio),
        combine(first.interval.high, second.interval.high, association.log_odds_ratio),
    )
    risk = combine(first.risk, second.risk, association.log_odds_ratio)
    return JointRisk(risk=risk, interval=Interval(low=ends[0], high=ends[1]))


def _association_in_words(association: Association) -> str:
    ratio = f"odds ratio {exp(association.log_odds_ratio):.1f}"
    if association.patients:
        return f"{ratio}, from published figures and {association.patients} patients"
    return f"{ratio}, from published figures alone, made modest"
