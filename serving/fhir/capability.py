"""The CapabilityStatement: one operation, and no resource to be read or written."""

from typing import Any

from serving.fhir.closed_world import READ_FROM_CONDITIONS
from serving.fhir.names import FHIR_JSON, OPERATION, SOFTWARE, SOFTWARE_VERSION
from serving.fhir.parameters import OFFERED
from serving.fhir.risk_resource import TITLE

VERSION = "4.0.1"
_DATE = "2026-11-29"
"""When what is declared here last changed."""
_PARAMETERS = (
    "bundle (resource, 1..1) is that Bundle; reference (valueString, 0..1) your own opaque word "
    f"for the patient; closedWorld (valueCode, 0..*: {', '.join(OFFERED)}) asserts that none of "
    f"the Patient's is missing, so that {', '.join(READ_FROM_CONDITIONS)} without one are no"
)


def capability_statement() -> dict[str, Any]:
    """Say what this server does; it names no address of its own, which only the site knows."""
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "experimental": True,
        "date": _DATE,
        "kind": "instance",
        "software": {"name": SOFTWARE, "version": SOFTWARE_VERSION},
        "implementation": {
            "description": f"{TITLE}. Research use only; not for clinical decisions."
        },
        "fhirVersion": VERSION,
        "format": [FHIR_JSON, "json"],
        "rest": [
            {
                "mode": "server",
                "security": {
                    "description": "An API key or a signed JWT with the scope assess, as "
                    "`authorization: Bearer ...`; this statement needs none."
                },
                "operation": [
                    {
                        "name": "assess",
                        "definition": OPERATION,
                        "documentation": "POST [base]/$assess with a Bundle (collection, searchset "
                        "or transaction-response) about one Patient before a CAR-T infusion, or "
                        f"with Parameters: {_PARAMETERS}. "
                        "Answers with a Bundle that holds a RiskAssessment, whose probabilities "
                        "are percentages from 0 to 100, or with an OperationOutcome where no risk "
                        "can be given. Nothing is stored as a FHIR resource.",
                    }
                ],
            }
        ],
    }
