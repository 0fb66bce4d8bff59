"""What the running service answers, beside its peers in the same run, on loopback.

    make bench-service

Every patient is simulated; nothing here is clinical performance.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import pandas as pd
import service_page
import typer
from contenders import Contender, contenders, save_mlflow_model
from disk import append_milliseconds, expect_disk
from process_tree import Tree, megabytes, tree
from questions import Questions
from served_models import SEED, write_models
from standstill import undisturbed
from wrk import Load, expect_wrk, loaded

MANY = 16
"""Connections that wait for answers at the same time."""


@dataclass(frozen=True)
class Effort:
    """Rounds, and seconds of warming up and of each measurement."""

    rounds: int
    warm_up: int
    seconds: int


FULL, QUICK = Effort(3, 5, 10), Effort(1, 1, 2)


def measured(
    contender: Contender, questions: Questions, place: Path, effort: Effort
) -> dict[str, float]:
    """Start a service in a place of its own, compare its answers, load it and end it.

    Raises
    ------
    NotStarted, Disagreement, LoadFailed
        If it is not what is to be measured.
    """
    bodies = questions.files[contender.form]
    with TemporaryDirectory(dir=place) as workplace, contender.start(Path(workplace)) as asked:

        def load(connections: int, seconds: int) -> Load:
            return loaded(asked.address, bodies, asked.key, connections, seconds)

        questions.expect_same(contender, asked)
        undisturbed(lambda: load(MANY, effort.warm_up))
        alone, in_vain = undisturbed(lambda: load(1, effort.seconds))
        processes = tree(asked.process.pid)
        (many, used), again = undisturbed(
            lambda: _with_processor(processes, lambda: load(MANY, effort.seconds))
        )
        return {
            "start_seconds": asked.process.seconds,
            **{"p50_alone": alone.p50, "p99_alone": alone.p99},
            **{"rate": many.rate, "p50": many.p50, "p99": many.p99, "longest": many.longest},
            "processor_microseconds": 1e6 * used / many.answers,
            "wrk_cores": many.processor_seconds / many.seconds,
            **_memory(processes),
            "in_vain": in_vain + again,
        }


def _with_processor(processes: Tree, load: Callable[[], Load]) -> tuple[Load, float]:
    """Return a load, and the processor seconds that the processes used for it."""
    before = processes.processor_seconds
    return load(), processes.processor_seconds - before


def _memory(processes: Tree) -> dict[str, float]:
    workers = [megabytes(process) for process in processes.workers]
    return {
        "workers": len(workers),
        "worker_megabytes": max(workers),
        "supervisor_megabytes": sum(megabytes(process) for process in processes.supervisors),
    }


def run(place: Path, effort: Effort) -> pd.DataFrame:
    """Return one row a round and service; the services take turns."""
    load, file_system = os.getloadavg()[0], expect_disk(place)
    store, mlflow_model = place / "models", place / "mlflow"
    write_models(store)
    save_mlflow_model(store, mlflow_model)
    questions = Questions.written(store, place, SEED)
    services = contenders(store, mlflow_model)
    rows = []
    for turn, contender in product(range(effort.rounds), services):
        typer.echo(f"round {turn + 1} of {effort.rounds}: {contender.name}")
        row = {"round": turn, "service": contender.name}
        row["append_milliseconds"] = append_milliseconds(place)
        rows.append({**row, **measured(contender, questions, place, effort)})
    return pd.DataFrame(rows).assign(
        load_at_start=load, file_system=file_system, seconds=effort.seconds
    )


def main(
    out: Annotated[Path, typer.Option(help="Where .md and .csv go, without suffix.")],
    quick: Annotated[bool, typer.Option(help="Two seconds a measurement: to try it out.")] = False,
    redraw: Annotated[bool, typer.Option(help="The page again, from the CSV.")] = False,
) -> None:
    """Measure the service beside its peers; every patient is simulated."""
    table = out.with_suffix(".csv")
    if not redraw:
        expect_wrk()
        with TemporaryDirectory() as place:
            rows = run(Path(place), QUICK if quick else FULL)
        rows.to_csv(table, index=False, float_format="%.6g", lineterminator="\n")
    page = service_page.page(pd.read_csv(table), out.name)
    out.with_suffix(".md").write_text(page, "utf-8")


if __name__ == "__main__":
    typer.run(main)
