"""Which media types a caller takes (RFC 9110, section 12.5.1)."""

import re
from collections.abc import Iterable

from serving.doors.visit import JSON
from serving.fhir.names import FHIR_JSON

_ALSO_MEANT = (JSON, "json")
"""Under these names FHIR's JSON is asked for, too."""
_NOTHING = re.compile(r"q=0(?:\.0*)?")


def takes_fhir_json(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Tell whether the Accept headers let an answer be FHIR's JSON; without any they do.

    The most exact range decides. Weights among what is taken choose nothing: one type is offered.
    """
    taken = _ranges(b",".join(value for name, value in headers if name == b"accept"))
    if not taken or any(taken.get(name, False) for name in _ALSO_MEANT):
        return taken.get(FHIR_JSON, True)
    wider = taken.get("application/*", taken.get("*/*", False))
    return taken.get(FHIR_JSON, wider)


def _ranges(accept: bytes) -> dict[str, bool]:
    """Return every media range, and whether it is taken: a weight of zero excludes it."""
    found: dict[str, bool] = {}
    for sent in accept.decode("latin-1").lower().split(","):
        media_range, *parameters = (part.strip() for part in sent.split(";"))
        if media_range:
            excluded = any(_NOTHING.fullmatch(one) for one in parameters)
            found[media_range] = found.get(media_range, False) or not excluded
    return found
