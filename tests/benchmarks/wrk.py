"""Load by `wrk`: as many requests as a number of connections can take, each when one was answered.

`wrk` adds to what it measured the answers that a long one kept it from asking for, so that a stall
counts for all who would have waited.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).with_name("wrk.lua")


class LoadFailed(Exception):
    """Requests that were refused, broken off or not answered: what is measured would be nothing."""


@dataclass(frozen=True)
class Load:
    """What a load met: answers, seconds, and latencies in milliseconds."""

    answers: int
    seconds: float
    p50: float
    p99: float
    longest: float
    processor_seconds: float
    """Of `wrk` itself, which shares the machine."""

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answers / self.seconds


def expect_wrk() -> None:
    """End the program, and say what to do, where there is no `wrk`."""
    if shutil.which("wrk") is None:
        sys.exit("this needs wrk: apt-get install wrk")


def loaded(address: str, bodies: Path, key: str, connections: int, seconds: int) -> Load:
    """Ask an address for every body in turn, again and again.

    Raises
    ------
    LoadFailed
        If any request got something else than an answer.
    """
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s"]
    command += ["-s", str(SCRIPT)]
    before = _processor_seconds()
    done = subprocess.run(
        [*command, address, "--", str(bodies)],
        env=os.environ | {"CART_RISK_KEY": key},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise LoadFailed(f"wrk ended with {done.returncode}: {done.stderr[-500:]}")
    return told(done.stdout, _processor_seconds() - before)


def told(output: str, processor_seconds: float) -> Load:
    """Read what `wrk` and its script printed.

    Raises
    ------
    LoadFailed
        If any request got something else than an answer, or none was answered.
    """
    try:
        said = json.loads(output.splitlines()[-1])
    except (IndexError, ValueError):
        raise LoadFailed(f"wrk printed no result:\n{output[-500:]}") from None
    failed = {name: said[name] for name in ("refused", "broken", "too_late") if said[name]}
    if failed or not said["answers"]:
        raise LoadFailed(f"of {said['answers']} requests: {failed or 'none answered'}")
    return Load(
        said["answers"],
        said["microseconds"] / 1e6,
        *(said[name] / 1e3 for name in ("p50", "p99", "longest")),
        processor_seconds,
    )


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
