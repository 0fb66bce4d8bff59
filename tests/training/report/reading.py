"""A page as its reader's program sees it: what is printed, and where from."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

TEMPLATES = Path(__file__).parents[3] / "training" / "report" / "templates"
_VOID = {"meta", "link", "br", "img", "hr", "input"}


@dataclass(frozen=True)
class Printed:
    """One printed value."""

    path: str
    form: str
    text: str


@dataclass
class Seen:
    """All that a page holds."""

    printed: list[Printed] = field(default_factory=list)
    own_words: list[str] = field(default_factory=list)
    """Texts that do not come from report.json."""
    attributes: list[tuple[str, str, str]] = field(default_factory=list)
    """Tag, attribute, value."""
    figures: list[str] = field(default_factory=list)
    """The words of each figure: its caption, and what its drawing is called."""
    words: str = ""


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.seen = Seen()
        self._open: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        self.seen.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag == "figure":
            self.seen.figures.append("")
        if self._inside("figure"):
            self.seen.figures[-1] += f" {said.get('aria-label') or ''}"
        if tag not in _VOID:
            self._open.append((tag, said))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        opened, _ = self._open.pop()
        assert opened == tag, f"<{opened}> was closed by </{tag}>"

    def handle_data(self, data: str) -> None:
        text = " ".join(data.split())
        if not text or self._inside("style"):
            return
        self.seen.words += f" {text}"
        if self._inside("figcaption"):
            self.seen.figures[-1] += f" {text}"
        tag, attributes = self._open[-1]
        if (path := attributes.get("data-path")) is not None:
            self.seen.printed.append(Printed(path, attributes["data-as"] or "", data))
        elif "data-key" not in attributes and tag != "title":
            self.seen.own_words.append(text)

    def _inside(self, tag: str) -> bool:
        return any(tag == opened for opened, _ in self._open)


def read(page: str) -> Seen:
    """Read a page; every element must be closed."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    assert not reader._open
    return reader.seen


def at(document: Any, path: str) -> Any:
    """Return what stands at a place of report.json."""
    for step in path.split("."):
        document = document[int(step)] if isinstance(document, list) else document[step]
    return document
