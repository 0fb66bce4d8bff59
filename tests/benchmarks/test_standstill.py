"""A machine that stood still is noticed, and what was measured meanwhile is measured again."""

import threading
import time
from collections.abc import Callable

import pytest
from standstill import MOST_REPEATS, Standstill, undisturbed


class Still(Standstill):
    """A watch that saw what it is told."""

    def __init__(self, longest: float) -> None:
        super().__init__()
        self._told = longest

    def __exit__(self, *error: object) -> None:
        super().__exit__(None, None, None)
        self.longest = self._told


def watches(*longest: float) -> Callable[[], Still]:
    given = iter(longest)
    return lambda: Still(next(given))


def test_a_running_machine_is_measured_once() -> None:
    counted = iter(range(9))
    assert undisturbed(lambda: next(counted), watches(0.02)) == (0, 0)


def test_a_standstill_makes_it_measured_again() -> None:
    counted = iter(range(9))
    assert undisturbed(lambda: next(counted), watches(12.0, 5.0, 0.02)) == (2, 2)


def test_a_failure_counts_only_while_the_machine_runs() -> None:
    outcomes = iter([ValueError(), 7])

    def measure() -> int:
        said = next(outcomes)
        if isinstance(said, Exception):
            raise said
        return said

    assert undisturbed(measure, watches(12.0, 0.02)) == (7, 1)
    outcomes = iter([ValueError(), 7])
    with pytest.raises(ValueError):  # noqa: PT011
        undisturbed(measure, watches(0.02))


def test_a_machine_that_never_runs_ends_it() -> None:
    counted = iter(range(9))
    said = undisturbed(lambda: next(counted), watches(*[12.0] * MOST_REPEATS))
    assert said == (MOST_REPEATS, MOST_REPEATS)


def test_a_sleep_that_lasts_too_long_is_seen() -> None:
    now, slept = 100.0, threading.Event()

    def pause(seconds: float) -> None:
        nonlocal now
        now += 12.0
        slept.set()
        time.sleep(seconds)

    with Standstill(clock=lambda: now, pause=pause) as watch:
        slept.wait()
    assert watch.longest == 12


def test_a_machine_that_runs_is_not_said_to_stand_still() -> None:
    with Standstill() as watch:
        time.sleep(0.1)
    assert 0.01 <= watch.longest < 1
