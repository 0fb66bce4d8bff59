"""An OperationOutcome: what was refused, or why an answer holds no number."""

from collections.abc import Iterable
from typing import Any

from data_schemas.risk_assessment import Status
from serving.fhir.names import code_system

Issue = dict[str, Any]

NO_RISK = {Status.INSUFFICIENT_DATA: "required", Status.OUT_OF_SCOPE: "business-rule"}
"""The issue type of an outcome that can be read and not be judged."""


def issue(
    severity: str, kind: str, text: str, coded: tuple[str, str] | None = None, place: str = ""
) -> Issue:
    """Return one issue.

    Parameters
    ----------
    kind
        A code of FHIR's value set of issue types.
    coded
        A name of one of our code systems and a code of it, for machines.
    place
        The FHIRPath of the element, where it is known.
    """
    details: dict[str, Any] = {"text": text}
    if coded is not None:
        system, code = coded
        details = {"coding": [{"system": code_system(system), "code": code}], **details}
    made: Issue = {"severity": severity, "code": kind, "details": details}
    return made | {"expression": [place]} if place else made


def operation_outcome(issues: Iterable[Issue]) -> dict[str, Any]:
    """Return an OperationOutcome."""
    return {"resourceType": "OperationOutcome", "issue": list(issues)}


def without_risk(answer: dict[str, Any], notes: Iterable[str]) -> dict[str, Any]:
    """Say of every outcome without a number why there is none."""
    issues = [
        issue(
            "warning",
            NO_RISK[Status(one["status"])],
            f"{one['label']}: no risk is given: {'; '.join(one['reasons'])}",
            ("status", one["status"]),
        )
        for one in answer["outcomes"]
        if "risk" not in one
    ]
    told = [issue("information", "informational", note) for note in notes]
    made = operation_outcome([*issues, *told])
    return {"resourceType": made["resourceType"], "id": answer["assessment_id"], **made}
