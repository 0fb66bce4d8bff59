"""One HTML page that needs nothing else: styles and figures are in it, and it calls nobody."""

from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from serving.model.artefact import canonical_json
from training.report.figures import Drawing, drawings, svg
from training.report.printed import Printer
from training.report.record import Report

PAGE_FILE, REPORT_FILE = "report.html", "report.json"


def report_json(report: Report) -> bytes:
    """Return ``report.json``: the same bytes for the same report."""
    return canonical_json(report.model_dump(mode="json"))


def page(report: Report, drawn: list[Drawing] | None = None) -> str:
    """Return the page of a report.

    Parameters
    ----------
    drawn
        The report's figures, where they were drawn already.
    """
    printer = Printer(report.model_dump(mode="json"))
    shown = {drawing.name: drawing for drawing in (drawings(report) if drawn is None else drawn)}
    return (
        _environment()
        .get_template("page.html")
        .render(
            style=Markup((files("training.report") / "templates" / "page.css").read_text("utf-8")),  # noqa: S704  # our own file
            figures={name: Markup(svg(d.figure, name, d.alternative)) for name, d in shown.items()},  # noqa: S704  # drawn here
            titles={name: drawing.title for name, drawing in shown.items()},
            marked={name: drawing.marked for name, drawing in shown.items()},
            get=printer.get,
            places=printer.places,
            some=printer.some,
            value=printer.value,
            estimate=printer.estimate,
            on_curve=printer.on_curve,
            absent=printer.absent,
            sources=_sources(report),
        )
    )


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("training.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _sources(report: Report) -> list[str]:
    """Return where each cited source stands first, in alphabetical order of its name."""
    first: dict[str, str] = {}
    for kind in ("coefficients", "base_rates"):
        for i, row in enumerate(getattr(report.model, kind)):
            for k, source in enumerate(row.sources):
                first.setdefault(source.id, f"model.{kind}.{i}.sources.{k}")
    return [first[name] for name in sorted(first)]
