"""One look for all figures, and their bytes: the same each time."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO, StringIO
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

MODEL, OTHER = "#005A8C", "#B34700"
TEXT, QUIET, LINE = "#1A1A1A", "#595959", "#8C8C8C"
CAUTION = "#8A5A00"
BAND = 0.18
"""Opacity of a band: a grey of 15 % on paper."""

PERCENT = PercentFormatter(xmax=1.0, decimals=0, symbol=" %")
PLAIN = FuncFormatter(lambda value, _place: f"{value:g}")

_RC: dict[Any, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": TEXT,
    "axes.linewidth": 0.7,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": TEXT,
    "ytick.labelcolor": TEXT,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "lines.linewidth": 1.6,
    "hatch.linewidth": 0.5,
    "axes.unicode_minus": True,
    "svg.fonttype": "path",
    "text.parse_math": False,  # a site may be called what it likes
}
_ID = re.compile(r'(?<=\sid=")|(?<=href="#)|(?<=url\(#)')
_HEAD = re.compile(r"^.*?(?=<svg)", re.DOTALL)
_METADATA = re.compile(r"\s*<metadata>.*?</metadata>", re.DOTALL)
_SIZE = re.compile(r'\s(?:width|height)="[\d.]+pt"')
_WIDE = 5.0
"""Inches from which a figure is scrolled rather than shrunk on a narrow screen."""
_SHOWN_AN_INCH = 90
"""Points on a screen for an inch of the figure: letters of 8 points read as 10."""


@contextmanager
def look() -> Iterator[None]:
    """Draw what is drawn inside in the look of the report."""
    with mpl.rc_context(_RC):
        yield


def sheet(width: float, height: float, title: str, mark: str | None) -> Figure:
    """Return an empty figure, in inches, with its title and, below, on whom it rests."""
    figure = Figure(figsize=(width, height), layout="constrained")
    lines = title if mark is None else f"{title}\n{mark[0].upper()}{mark[1:]}"
    colour = TEXT if mark is None else CAUTION
    figure.suptitle(lines, x=0.01, ha="left", fontsize=8.5, fontweight="bold", color=colour)
    return figure


def settle(figure: Figure) -> None:
    """Lay a figure out once and for all: each time it is saved it would move a little.

    Without any layout engine, the placeholder of "none" included, nothing is drawn but what is
    saved.
    """
    engine = figure.get_layout_engine()
    assert engine is not None
    engine.execute(figure)
    figure.set_layout_engine(None)


def nothing(axes: Axes, reason: str) -> None:
    """Say in an empty panel why it is empty."""
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    said = axes.text(0.5, 0.5, f"not drawn: {reason}", transform=axes.transAxes, color=QUIET)
    said.set(ha="center", va="center", wrap=True)


def svg(figure: Figure, name: str, alternative: str) -> str:
    """Return an inline SVG that scales to its container and says in words what it shows.

    Ids carry the figure's name, for a page holds several; no date and no machine is in it.
    """
    buffer = StringIO()
    with mpl.rc_context(_RC | {"svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = _METADATA.sub("", _HEAD.sub("", buffer.getvalue(), count=1))
    opening, rest = text.split(">", 1)
    width = figure.get_figwidth() * _SHOWN_AN_INCH
    kind = "wide" if figure.get_figwidth() > _WIDE else "narrow"
    opening = (
        _SIZE.sub("", opening)
        + f' class="{kind}" role="img" aria-label="{alternative}" width="{width:g}pt"'
    )
    return _ID.sub(f"{name}-", f"{opening}>{rest}").strip()


def png(figure: Figure) -> bytes:
    """Return the figure as PNG."""
    buffer = BytesIO()
    with mpl.rc_context(_RC):
        figure.savefig(buffer, format="png", dpi=150, metadata={"Software": None})
    return buffer.getvalue()
