"""The table of doors: which path and method leads where, who may pass, what may be brought."""

import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus

from starlette.responses import Response

from serving.api_keys import Scope
from serving.doors.problem import RequestRefused
from serving.doors.visit import Visit

Handler = Callable[[Visit], Awaitable[Response]]
_PARAMETER = re.compile(r"[0-9A-Za-z-]{1,64}")


@dataclass(frozen=True, slots=True)
class Door:
    """One route.

    ``path`` may end in a parameter in braces; as it stands it is the route's name in metrics and
    logs, so that nothing a caller sent stands there.
    """

    method: str
    path: str
    handler: Handler
    scope: Scope | None = None
    """What a caller needs; ``None`` lets everybody pass."""


class Doors:
    """Every route of the service."""

    def __init__(self, doors: Iterable[Door]) -> None:
        """Sort the doors by path."""
        self._exact: dict[str, dict[str, Door]] = {}
        self._by_prefix: dict[str, dict[str, Door]] = {}
        for door in doors:
            prefix, brace, _ = door.path.partition("{")
            paths = self._by_prefix if brace else self._exact
            paths.setdefault(prefix, {})[door.method] = door

    def find(self, method: str, path: str) -> tuple[Door, str]:
        """Return the door and the path's parameter.

        Raises
        ------
        RequestRefused
            404, or 405 with the methods that are allowed.
        """
        parameter = ""
        methods = self._exact.get(path)
        if methods is None:
            prefix, slash, parameter = path.rpartition("/")
            methods = self._by_prefix.get(prefix + slash)
            if methods is None or not _PARAMETER.fullmatch(parameter):
                raise RequestRefused(HTTPStatus.NOT_FOUND, "there is nothing at this address")
        # Whoever asks for the head of a page gets what GET would answer; the server cuts the body.
        door = methods.get("GET" if method == "HEAD" else method)
        if door is None:
            raise not_allowed(methods)
        return door, parameter


def not_allowed(methods: Iterable[str]) -> RequestRefused:
    """Return the refusal of another method than those that an address has a door for."""
    known = [*methods]
    allowed = ", ".join([*known, *(["HEAD"] if "GET" in known else [])])
    detail = f"allowed here: {allowed}"
    return RequestRefused(HTTPStatus.METHOD_NOT_ALLOWED, detail, headers={"allow": allowed})
