"""From an answer to what a FHIR client is sent: a Bundle, or why there is no number."""

from typing import Any

from serving.fhir.operation_outcome import without_risk
from serving.fhir.reading import Reading
from serving.fhir.risk_resource import notes_of, risk_resource


def fhir_answer(answer: dict[str, Any], reading: Reading) -> dict[str, Any]:
    """Return the FHIR form of an answer of ``/v1/assess``.

    Where no outcome has a risk it is an OperationOutcome; where one has and another has not, the
    OperationOutcome stands beside the RiskAssessment.
    """
    notes = notes_of(answer, reading)
    with_risk = ["risk" in one for one in answer["outcomes"]]
    if not any(with_risk):
        return without_risk(answer, notes)
    resources = [risk_resource(answer, reading, notes)]
    entries = [{"fullUrl": f"urn:uuid:{answer['assessment_id']}", "resource": resources[0]}]
    if not all(with_risk):
        entries.append({"resource": without_risk(answer, ())})
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "timestamp": answer["assessed_at"],
        "entry": entries,
    }
