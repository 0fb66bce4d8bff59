"""The service under load for half an hour: does anything grow, slow down or get lost?

    make soak

Every patient is simulated.
"""

import asyncio
import gc
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Annotated

import numpy as np
import pandas as pd
import soak_page
import typer
from contenders import Asked, ours
from disk import append_milliseconds, expect_disk
from paced_load import Met, PacedLoad, precise_loop
from process_tree import Tree, megabytes, tree
from questions import Questions
from served_models import SEED, write_models
from soak_page import Soak
from standstill import undisturbed
from wrk import Load, expect_wrk, loaded

from tests.running_service import clean_environment, own_settings

MANY = 16
SHARE = 0.8
WINDOW_SECONDS = 10
WARM_UP_SECONDS, MOST_SECONDS = 5, 20
PATH = "/v1/assess"
_ROWS = re.compile(r"^(\d+) rows of \d+ writers", re.M)


class NoRoom(Exception):
    """A disk that the log of the whole run would fill."""


@dataclass
class Watched:
    """What was seen of a service, window by window."""

    asked: Asked
    workplace: Path
    processes: Tree
    rows: list[dict[str, float]] = field(default_factory=list)
    latencies: list[np.ndarray] = field(default_factory=list)

    def see(self, second: float, met: Met) -> None:
        """Add one window; called off the event loop, because memory takes milliseconds to sum."""
        latencies, lateness = np.array(met.latencies), np.array(met.lateness)
        self.latencies.append(latencies)
        row: dict[str, float] = {"second": second, "answers": len(latencies), "errors": met.errors}
        for percent in (50, 99, 100):
            row[f"p{percent}"] = np.percentile(latencies, percent) if len(latencies) else np.nan
        row["client_late_p99"] = np.percentile(lateness, 99) if len(lateness) else 0.0
        row["client_late_longest"] = lateness.max(initial=0.0)
        for number, worker in enumerate(self.processes.workers, 1):
            row[f"worker_{number}_megabytes"] = megabytes(worker)
            row[f"worker_{number}_files"] = worker.num_fds()
        row["log_megabytes"] = log_bytes(self.workplace) / 1e6
        row["output_megabytes"] = self.asked.process.output.stat().st_size / 1e6
        self.rows.append(row)


def log_bytes(workplace: Path) -> int:
    """Return the size of the assessment log with its write-ahead file."""
    return sum(file.stat().st_size for file in workplace.glob("assessments.sqlite*"))


async def paced(watched: Watched, bodies: list[bytes], rate: float, seconds: int) -> None:
    """Ask at a constant rate and look at the service every ten seconds."""
    asked = watched.asked
    load = PacedLoad(asked.process.url, PATH, asked.key, bodies)
    running = asyncio.create_task(load.run(rate, seconds))
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for number in range(1, ceil(seconds / WINDOW_SECONDS)):
        await asyncio.wait([running], timeout=begun + number * WINDOW_SECONDS - loop.time())
        await asyncio.to_thread(watched.see, loop.time() - begun, load.taken())
    await running
    watched.see(loop.time() - begun, load.taken())
    load.close()


def expect_room(workplace: Path, answers: int, planned: float) -> None:
    """Compare the free disk with what the planned answers will write.

    Raises
    ------
    NoRoom
        If a log that grows as it did would leave less than a third of it free.
    """
    written = sum(file.stat().st_size for file in workplace.rglob("*") if file.is_file())
    needed, free = 1.5 * written / answers * planned, shutil.disk_usage(workplace).free
    if needed > free:
        raise NoRoom(f"{needed / 1e9:.1f} GB are needed in {workplace}, {free / 1e9:.1f} are free")


def verified(store: Path, workplace: Path) -> tuple[bool, int, str]:
    """Run `cart-risk verify-log`; return whether it found nothing, how many rows, and its words."""
    begun = perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "training", "verify-log"],
        cwd=workplace,
        env=clean_environment(workplace) | own_settings(store, workplace),
        capture_output=True,
        text=True,
        check=False,
    )
    said = (done.stdout + done.stderr).strip()
    counted = _ROWS.search(said)
    last = f"{said.splitlines()[-1]}, read in {perf_counter() - begun:.0f} s"
    return done.returncode == 0, int(counted[1]) if counted else 0, last


def most_answers(asked: Asked, bodies: Path) -> tuple[float, int]:
    """Return how many answers a second a service gives at most, and how many it gave so far."""
    given = 0

    def load(seconds: int) -> Load:
        nonlocal given
        met = loaded(asked.address, bodies, asked.key, MANY, seconds)
        given += met.answers
        return met

    undisturbed(lambda: load(WARM_UP_SECONDS))
    most, _ = undisturbed(lambda: load(MOST_SECONDS))
    return most.rate, given


def soak(place: Path, minutes: float, workers: int) -> Soak:
    """Measure the maximum, then hold most of it."""
    load_at_start, file_system = os.getloadavg()[0], expect_disk(place)
    store, workplace = place / "models", place / "service"
    workplace.mkdir()
    write_models(store)
    questions = Questions.written(store, place, SEED)
    bodies, append = questions.files["request"], append_milliseconds(workplace)
    with ours(store, workers)(workplace) as asked:
        most, before = most_answers(asked, bodies)
        rate = SHARE * most
        expect_room(workplace, before, rate * minutes * 60)
        typer.echo(f"{most:,.0f} answers a second at most; {rate:,.0f} for {minutes:g} min")
        watched = Watched(asked, workplace, tree(asked.process.pid))
        gc.freeze()
        with asyncio.Runner(loop_factory=precise_loop) as runner:
            lines = bodies.read_bytes().splitlines()
            runner.run(paced(watched, lines, rate, round(60 * minutes)))
    typer.echo("verifying the log")
    intact, rows, said = verified(store, workplace)
    windows = pd.DataFrame(watched.rows)
    return Soak(
        windows=windows,
        latencies=watched.latencies,
        most=most,
        rate=rate,
        acknowledged=before + int(windows["answers"].sum()),
        rows=rows,
        intact=intact,
        verified=said,
        append_milliseconds=append,
        file_system=file_system,
        load_at_start=load_at_start,
    )


def main(
    out: Annotated[Path, typer.Option(help="Where .md, .csv and .png go, without suffix.")],
    minutes: Annotated[float, typer.Option(min=0.5, help="How long.")] = 30,
    workers: Annotated[int, typer.Option(min=1, help="Of the service.")] = 1,
) -> None:
    """Hold 80 % of the maximum; exit with 1 if an answer was lost or the log is not whole."""
    expect_wrk()
    with TemporaryDirectory() as place:
        seen = soak(Path(place), minutes, workers)
    seen.windows.to_csv(
        out.with_suffix(".csv"), index=False, float_format="%.6g", lineterminator="\n"
    )
    out.with_suffix(".md").write_text(soak_page.page(seen, out.name), "utf-8")
    out.with_suffix(".png").write_bytes(soak_page.figure(seen.windows))
    raise typer.Exit(0 if all(held for _, _, held in soak_page.promises(seen)) else 1)


if __name__ == "__main__":
    typer.run(main)
