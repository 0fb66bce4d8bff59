"""The page for people."""

from importlib.resources import files

from starlette.responses import Response

from serving.doors.door import Door
from serving.doors.visit import Visit

_FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/style.css": ("style.css", "text/css; charset=utf-8"),
}


def page_doors() -> list[Door]:
    """Return the doors of the page's files."""
    return [Door("GET", path, _page) for path in _FILES]


async def _page(visit: Visit) -> Response:
    name, media_type = _FILES[visit.scope["path"]]
    return Response((files("serving.web") / name).read_bytes(), media_type=media_type)
