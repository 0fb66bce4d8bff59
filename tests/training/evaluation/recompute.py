"""Compute the numbers of an evaluation again, from the scored cohort and plain formulas.

Nothing is imported of what is checked. Usage::

    python -m tests.training.evaluation.recompute scored.parquet evaluation.json

Recomputed is every number with a closed definition. Left out are what was declared (``asked``),
ends of bootstrap intervals, and ``ici_by_chance``, which is drawn.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.training.evaluation.recompute_refits import instability, optimism
from tests.training.evaluation.recompute_sample_size import sample_size
from tests.training.evaluation.recompute_views import (
    Json,
    Numbers,
    Table,
    across,
    cells,
    comparisons,
    patients_of,
    read,
    view,
)

TOLERANCE = 1e-9


def recompute(said: Json, table: Table) -> Numbers:
    """Every number with a closed definition, by its place in the evaluation."""
    y, model = table.column["outcome"], table.column["model"]
    leading = table.rows("left_out") if table.fitted_here else model
    found: Numbers = {"schema_version": 1, "patients": len(y), "events": float(y.sum())}
    name = "cross_validated" if table.fitted_here else "external"
    found |= view(said, name, leading, y)
    if table.fitted_here:
        found |= view(said, "apparent", model, y)
    if said["optimism_corrected"]:
        found |= optimism(said, table)
    if said["instability"]:
        found |= instability(said, table)
    rows, places = patients_of(leading)
    for i, part in enumerate(said["subgroups"]):
        words = table.named("group")[part["by"]][places]
        found |= cells(said, f"subgroups.{i}.cells", rows, y[places], words)
    found |= across(said, table) | comparisons(said, table, leading) | sample_size(said, table)
    return found


def numbers(said: Json, at: str = "") -> Iterator[tuple[str, float]]:
    """Every number of the evaluation that has a closed definition, with its place."""
    if isinstance(said, bool) or said is None or isinstance(said, str):
        return
    if isinstance(said, int | float):
        yield at, float(said)
    elif isinstance(said, list):
        for i, part in enumerate(said):
            yield from numbers(part, f"{at}.{i}")
    else:
        for name, part in said.items():
            if name not in drawn_at_random(said, at):
                yield from numbers(part, f"{at}.{name}" if at else name)


def drawn_at_random(said: Json, at: str) -> set[str]:
    """Names under one record that are declared or were drawn."""
    skipped = {"asked", "ici_by_chance", "anticipated_auroc", "parameters"}
    of_draws = said.get("method") == "bootstrap" or at.endswith("ici.corrected")
    curve = "value" in said and isinstance(said["value"], list) and "observed" not in at
    return skipped | ({"low", "high"} if of_draws or curve else set())


def differences(said: Json, table: Table) -> list[str]:
    """What the evaluation and the recomputation do not agree on; places and numbers."""
    found = recompute(said, table)
    wrong = []
    for at, value in numbers(said):
        if at not in found:
            wrong.append(f"{at}: not recomputed")
        elif abs(value - found[at]) > TOLERANCE * max(1.0, abs(value)):
            wrong.append(f"{at}: {value!r}, recomputed {found[at]!r}")
    return wrong


def main(scored_file: Path, evaluation_file: Path) -> int:
    """Print what differs; 0 if nothing does."""
    said = json.loads(evaluation_file.read_text("utf-8"))
    wrong = differences(said, read(scored_file, said["fitted_here"]))
    count = sum(1 for _ in numbers(said))
    print("\n".join(wrong) or f"{count} numbers agree to {TOLERANCE:g}")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
