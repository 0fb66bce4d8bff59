"""The model card, and the table of what is believed before any patient."""

from collections.abc import Iterator
from typing import Any

from data_schemas.evidence import Evidence
from data_schemas.model_manifest import Measure, ModelManifest
from data_schemas.typical_values import EVERYWHERE, TypicalValue, burden_measures, typical_values
from serving.model.risk_model import RiskModel
from training.judging.verdict import Verdict
from training.learning.prior import ModelPrior
from training.synthesis.figures import ASSUMED, OTHER_OUTCOMES
from training.synthesis.transport import TRANSPORT_ROWS, transport


def prior_table(model_prior: ModelPrior, evidence: Evidence) -> dict[str, Any]:
    """Return base rates and effects with their sources and marks, as plain data."""
    return {
        "effects": [
            {
                "term": term.name,
                "mean": effect.mean,
                "sd": effect.sd,
                "unit": "log-odds per spread of the term",
                "as_published": effect.as_published,
                "direction": term.direction,
                "sources": [_source(row_id, evidence) for row_id in effect.sources],
                "holds_unread": effect.unread,
                "found_none": [_source(row_id, evidence) for row_id in effect.found_none],
                "how": effect.how,
            }
            for term, effect in zip(model_prior.terms, model_prior.effects, strict=True)
        ],
        "base_rates": [
            {
                "product": cell.product,
                "disease": cell.disease,
                "risk": cell.base_rate,
                "low": cell.low,
                "high": cell.high,
                "patients": cell.patients,
                "origin": cell.origin,
                "sources": [_source(row_id, evidence) for row_id in cell.sources],
            }
            for cell in model_prior.cells
        ],
        "of_other_outcomes": _of_other_outcomes(model_prior, evidence),
        "transport": _transport(model_prior, evidence),
        "typical_values_not_read": _not_read(evidence),
        "between_centres_sd": model_prior.between_centres,
        "assumed": [
            f"{row.predictor} in {row.disease}: {row.how}"
            for row in typical_values()
            if row.assumed
        ]
        + [f"{row.measure}: {row.how}" for row in burden_measures() if row.assumed]
        + [
            f"{row_id}: {ASSUMED[row_id]}"
            for row_id in sorted(_cited_by(model_prior) & set(ASSUMED))
        ],
    }


def _transport(model_prior: ModelPrior, evidence: Evidence) -> dict[str, Any] | None:
    """Say what published effects keep elsewhere, and by which rows; None where there are none."""
    if all(effect.as_published is None for effect in model_prior.effects):
        return None
    sources = [_source(row_id, evidence) for row_id in TRANSPORT_ROWS]
    return {"share": transport(evidence), "sources": sources}


def _not_read(evidence: Evidence) -> list[str]:
    """Name the figures behind typical values that nobody read in their source, a line for each."""
    resting = [(_whose(row), row.basis) for row in typical_values()]
    resting += [(row.measure, row.basis) for row in burden_measures()]
    unread = [
        (whose, [row_id for row_id in basis if evidence.row(row_id).verified != "read"])
        for whose, basis in resting
    ]
    return [f"{whose}: {', '.join(ids)}" for whose, ids in unread if ids]


def _whose(row: TypicalValue) -> str:
    of_product = "" if row.product == EVERYWHERE else f" given {row.product}"
    return f"{row.predictor} in {row.disease}{of_product}"


def _of_other_outcomes(model_prior: ModelPrior, evidence: Evidence) -> list[str]:
    """Say which effects rest on figures of another outcome than the model's, a line for each."""
    resting: dict[str, list[str]] = {}
    for term, effect in zip(model_prior.terms, model_prior.effects, strict=True):
        for row_id in effect.of_other_outcomes:
            resting.setdefault(row_id, []).append(term.name)
    return [
        f"{', '.join(terms)}: {OTHER_OUTCOMES[evidence.row(row_id).outcome]} ({row_id})"
        for row_id, terms in resting.items()
    ]


def _cited_by(model_prior: ModelPrior) -> set[str]:
    return {row_id for effect in model_prior.effects for row_id in effect.sources}


def _source(row_id: str, evidence: Evidence) -> dict[str, str]:
    row = evidence.row(row_id)
    return {
        "id": row_id,
        "citation": evidence.references[row.reference].citation,
        "verified": row.verified,
    }


def model_card(
    manifest: ModelManifest, table: dict[str, Any], statement: str, verdict: Verdict
) -> str:
    """Return the card in Markdown.

    Parameters
    ----------
    table
        What was believed before any patient (`prior_table`).
    statement
        On whom the model rests, in a sentence.
    """
    cohort = manifest.cohort
    sections = [
        f"# {manifest.outcome.label}: model card",
        f"**{statement}**",
        *(["**Fitted on simulated patients: a rehearsal.**"] if cohort.is_simulated else []),
        f"Outcome: {manifest.outcome.definition} ({manifest.outcome.reference}).",
        f"Intended use: {manifest.intended_use}",
        "## On whom it rests\n\n" + _on_whom(manifest),
        *(["## How it came about\n\n" + _lineage(manifest)] if manifest.lineage else []),
        "## How well it does\n\n" + _performance(manifest),
        "## Verdict\n\n" + _verdict(verdict),
        "## What was believed before any patient\n\n" + _effects(table),
        "## Base rates\n\n" + _base_rates(table),
        "## What was assumed\n\n" + _assumed(table),
        "## What it does not know\n\n" + "\n".join(f"- {said}" for said in manifest.limitations),
    ]
    return "\n\n".join(sections) + "\n"


def _on_whom(manifest: ModelManifest) -> str:
    cohort = manifest.cohort
    released = ", ".join(manifest.directions_released) or "none"
    return "\n".join(
        [
            f"- real patients: {cohort.real_patients}; simulated: {cohort.simulated_patients}; "
            f"events: {cohort.events}; sites: {cohort.sites}",
            f"- validated on real patients: {manifest.validated_on_real_patients}",
            f"- local deviation: {manifest.local_deviation}",
            f"- declared directions let go: {released}",
            f"- published rows used: {manifest.evidence.rows}, of which not read in their source: "
            + (", ".join(manifest.evidence.unread_rows) or "none"),
        ]
    )


def _performance(manifest: ModelManifest) -> str:
    if not manifest.performance:
        return "Not measured."
    lines = ["| measure | value | 95 % interval | on | patients |", "|---|---|---|---|---|"]
    lines += [
        f"| {m.name} | {m.value:.3f} | {_interval(m)} | {m.on} | {m.patients} |"
        for m in manifest.performance
    ]
    return "\n".join([*lines, *_too_few_or_many(manifest)])


def _too_few_or_many(manifest: ModelManifest) -> Iterator[str]:
    """Say that a model expects too few events or too many, which no limit need hold."""
    for m in manifest.performance:
        if m.name != "observed_over_expected" or m.low is None or m.high is None:
            continue
        if m.low > 1 or m.high < 1:
            yield (
                f"\nThe model {'under' if m.low > 1 else 'over'}-predicts ({m.on}): "
                f"{m.value:.3f} times as many patients had the outcome as it expected, 95 % "
                f"interval {_interval(m)}."
            )


def _interval(measure: Measure) -> str:
    if measure.low is None or measure.high is None:
        return "none"
    return f"{measure.low:.3f} to {measure.high:.3f}"


def _verdict(verdict: Verdict) -> str:
    lines = [f"**{verdict.in_words}**", ""]
    lines += [f"- {'kept' if x.met else 'NOT KEPT'}: {x.in_words}" for x in verdict.limits]
    return "\n".join(lines)


def _lineage(manifest: ModelManifest) -> str:
    return "\n".join(
        f"- {step.change}, from version {step.parent_version}: log-odds {step.intercept:.2f} + "
        f"{step.slope:.2f} x those before; {step.patients} patients ({step.real_patients} real) "
        f"with {step.events} events of {step.sites} sites"
        for step in manifest.lineage
    )


def _effects(table: dict[str, Any]) -> str:
    lines = [
        "Log-odds per spread of the term; published figures are shrunk for their own error and for "
        "transport.",
        "",
        "| term | mean | sd | as published | sources |",
        "|---|---|---|---|---|",
    ]
    for effect in table["effects"]:
        published = "" if effect["as_published"] is None else f"{effect['as_published']:.2f}"
        sources = _cited(effect["sources"]) or effect["how"]
        if against := effect.get("found_none"):
            sources += f"; no effect and no size of one was told by {_cited(against)}"
        lines.append(
            f"| {effect['term']} | {effect['mean']:.2f} | {effect['sd']:.2f} | {published} "
            f"| {sources} |"
        )
    # An artefact that was saved before these were told may be recalibrated still.
    if kept := table.get("transport"):
        share, cited = f"{100 * kept['share']:.0f} %", _cited(kept["sources"])
        lines += ["", f"For transport a published effect keeps {share}, by {cited}."]
    if others := table.get("of_other_outcomes"):
        lines += ["", "Resting on a figure of another outcome than that of this model:", ""]
        lines += [f"- {line}" for line in others]
    return "\n".join(lines)


def _assumed(table: dict[str, Any]) -> str:
    lines = [f"- {line}" for line in table["assumed"]]
    if unread := table.get("typical_values_not_read"):
        lines += ["", "Typical values that rest on figures which nobody read in their source:", ""]
        lines += [f"- {line}" for line in unread]
    return "\n".join(lines)


def _base_rates(table: dict[str, Any]) -> str:
    lines = [
        "Mean risk with a 90 % interval; published ones are on the ASTCT 2019 scale, for a centre "
        "not yet seen.",
        "",
        "| product | disease | risk | interval | cohorts |",
        "|---|---|---|---|---|",
    ]
    for cell in table["base_rates"]:
        cited = _cited(cell["sources"]) or cell["origin"]
        lines.append(
            f"| {cell['product']} | {cell['disease']} | {100 * cell['risk']:.1f} % "
            f"| {100 * cell['low']:.1f}-{100 * cell['high']:.1f} % | {cited} |"
        )
    return "\n".join(lines)


def _cited(sources: list[dict[str, str]]) -> str:
    return "; ".join(f"{s['id']} ({s['verified']})" for s in sources)


def limitations(manifest: ModelManifest, model: RiskModel) -> tuple[str, ...]:
    """Return what a model does not know, in words."""
    said = [
        "Risks hold under current practice; products were not randomised against each other.",
        "Cell expansion, the strongest driver of toxicity, is not known before infusion.",
        "Published effects come from lymphoma above all; in other diseases they are borrowed.",
        f"Intervals carry {model.misfit_sd:.2f} log-odds for what a sum of terms cannot say.",
    ]
    if manifest.validated_on_real_patients == 0:
        said.append("It has been validated on no patient.")
    said += [f"{note[0].upper()}{note[1:]}." for note in manifest.untaught]
    return tuple(said)
