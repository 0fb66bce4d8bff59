"""Where a disease sits, if its code says so: a lymphoma of the CNS is active there."""

from data_schemas.terminology import INVOLVEMENT
from serving.fhir.bundle import Resources
from serving.fhir.conditions import is_active
from serving.fhir.elements import meanings
from serving.fhir.reading import Reading


def read_involvement(reading: Reading, resources: Resources) -> None:
    """Read involvement from every active disease, whichever the order names as its reason.

    An Observation that says otherwise gives way: the caution that is due is not lost by it.
    """
    for entry in resources.of("Condition"):
        if not is_active(entry):
            continue
        for code in meanings(entry.resource.get("code"), INVOLVEMENT):
            name, _, word = code.means.partition("=")
            if reading.record.get(name, word) != word:
                text = "an Observation says otherwise than the code of the disease, which counts"
                reading.warn(name, text)
            reading.take(name, word, f"{entry.path}.code", entry)
