"""Figures of a report, drawn from ``report.json`` and nothing else.

The only files that speak matplotlib. Colours stay apart for colour-blind readers and in grey, and
never stand alone: line, marker and hatch differ too.
"""

from training.report.figures.drawn import Drawing, drawings
from training.report.figures.style import png, svg

__all__ = ["Drawing", "drawings", "png", "svg"]
