"""What grows is found whatever single windows say, and what is lost is not overlooked."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import soak_page
from soak_page import Soak, promises
from soak_windows import edge, percentile, settled, slope

WINDOWS = 180


def windows(**changed: object) -> pd.DataFrame:
    second = 10.0 * np.arange(1, WINDOWS + 1)
    return pd.DataFrame(
        {
            **{"second": second, "answers": 20_000, "errors": 0},
            **{"p50": 1.0, "p99": 3.0, "p100": 9.0},
            **{"client_late_p99": 0.2, "client_late_longest": 4.0},
            **{"worker_1_megabytes": 130 + second / 3600, "worker_1_files": 30},
            **{"log_megabytes": second / 5, "output_megabytes": second / 20},
        }
    ).assign(**changed)


def soak(**changed: object) -> Soak:
    answers = 20_000 * WINDOWS
    held = Soak(
        windows=windows(),
        latencies=[np.array([1.0, 2.0, 3.0])] * WINDOWS,
        most=2500,
        rate=2000,
        acknowledged=answers,
        rows=answers,
        intact=True,
        verified=f"{answers} rows of 1 writers: as they were written",
        append_milliseconds=0.4,
        file_system="ext4",
        load_at_start=0.1,
    )
    return replace(held, **changed)


def test_growth_is_found_although_a_quarter_of_the_windows_is_far_off() -> None:
    rng = np.random.default_rng(1)
    seconds = pd.Series(10.0 * np.arange(WINDOWS))
    values = 130 + 2.5 * seconds / 3600 + rng.normal(0, 0.05, WINDOWS)
    values[rng.choice(WINDOWS, WINDOWS // 4, replace=False)] += 500
    grown = slope(seconds, values)
    assert grown.an_hour == pytest.approx(2.5, abs=0.5)
    assert grown.low < 2.5 < grown.high
    assert abs(np.polyfit(seconds / 3600, values, 1)[0] - 2.5) > 10, "least squares would not do"


def test_the_first_sixth_is_not_asked_what_grows() -> None:
    table = windows()
    table.loc[: edge(table) - 1, "worker_1_megabytes"] = 50.0
    late = settled(table)
    assert (edge(table), len(late)) == (30, 150)
    assert slope(late["second"], late["worker_1_megabytes"]).an_hour == pytest.approx(1)


def test_percentiles_are_of_answers_not_of_windows() -> None:
    slow, fast = np.full(1, 1000.0), np.full(999, 1.0)
    assert percentile([slow, fast], 50) == 1
    assert percentile([slow, fast], 100) == 1000


def test_a_run_without_fault_holds_its_promises() -> None:
    assert all(held for _, _, held in promises(soak()))
    page = soak_page.page(soak(), "soak")
    assert "broken" not in page
    assert "not to be quoted" not in page
    assert "## The first 5 minutes and the last" in page
    assert "| worker 1, PSS MB | 130.0 | 130.5 | **1.00** | 1.00 to 1.00 |" in page


@pytest.mark.parametrize(
    "fault",
    [
        {"windows": windows(errors=[0] * (WINDOWS - 1) + [1])},
        {"rows": 20_000 * WINDOWS - 1},
        {"intact": False},
    ],
)
def test_each_fault_breaks_one_promise(fault: dict[str, object]) -> None:
    assert [held for _, _, held in promises(soak(**fault))].count(False) == 1
    assert soak_page.page(soak(**fault), "soak").count("**broken**") == 1


def test_a_short_run_is_named_as_one() -> None:
    few = soak(windows=windows().head(12), latencies=[np.array([1.0])] * 12)
    assert "A trial of 2.0 minutes" in soak_page.page(few, "soak")


def test_the_figure_shows_every_worker() -> None:
    two = windows(worker_2_megabytes=99.0, worker_2_files=31)
    assert soak_page.figure(two).startswith(b"\x89PNG")
