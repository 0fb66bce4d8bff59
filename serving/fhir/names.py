"""The names of what FHIR has no name for: code systems, extensions, the operation."""

from importlib.metadata import version

BASE = "https://cart-risk.example.org/fhir"
"""A name and no address: nothing is asked there."""

FHIR_JSON = "application/fhir+json"

SOFTWARE = "cart-risk"
SOFTWARE_VERSION = version(SOFTWARE)

OPERATION = f"{BASE}/OperationDefinition/assess"


def code_system(name: str) -> str:
    """Return the name of one of our code systems."""
    return f"{BASE}/CodeSystem/{name}"


def naming_system(name: str) -> str:
    """Return the name of one of our systems of identifiers."""
    return f"{BASE}/NamingSystem/{name}"


def extension(name: str) -> str:
    """Return the name of one of our extensions."""
    return f"{BASE}/StructureDefinition/{name}"


PREDICTOR = code_system("predictor")
"""The contract's own names, for what has no code elsewhere: ``mtv``, ``prior_lines``."""

WORD = code_system("word")
"""The contract's words for categories: ``flu_cy``, ``none``."""
