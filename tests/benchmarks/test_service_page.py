"""What is reached and what is missed is decided by the rounds, each ratio within its own."""

import pandas as pd
import pytest
import service_page
from service_targets import TARGETS, TARGETS_OF_BRIEF, of, ratio, verdicts

RATES = {
    "ours": 4000,
    "brief": 4500,
    "ours_two_workers": 7400,
    "fastapi": 4800,
    "bentoml": 400,
    "mlflow": 300,
}


def rows(**changed: object) -> pd.DataFrame:
    """Three rounds in which everything is reached, but for what is changed of whole answers."""
    reached = {
        **{"start_seconds": 3.0, "p50_alone": 0.3, "p99_alone": 0.8, "p50": 4.0, "p99": 7.0},
        **{"longest": 12.0, "processor_microseconds": 240.0, "wrk_cores": 0.2, "workers": 1},
        **{"worker_megabytes": 120.0, "supervisor_megabytes": 80.0, "append_milliseconds": 0.4},
        **{"in_vain": 0, "load_at_start": 0.2, "file_system": "ext4", "seconds": 10},
    }
    return pd.DataFrame(
        [
            {
                "round": turn,
                "service": service,
                "rate": rate,
                **reached,
                **({} if service == "brief" else changed),
            }
            for turn in range(3)
            for service, rate in [*RATES.items(), ("validate", 5000)]
        ]
    )


def test_everything_reached_is_said() -> None:
    assert [verdict.target.what for verdict in verdicts(rows()) if not verdict.reached] == []
    page = service_page.page(rows(), "service-benchmark")
    assert f"{len(TARGETS)} of {len(TARGETS)} reached" in page
    assert "missed" not in page


@pytest.mark.parametrize(
    ("measure", "bad", "missed"),
    [
        ("p50_alone", 0.41, "1 connection, p50, ms"),
        ("p99_alone", 1.1, "1 connection, p99, ms"),
        ("p99", 8.1, "16 connections, p99, ms"),
        ("start_seconds", 4.1, "seconds from start to ready"),
        ("worker_megabytes", 181.0, "memory of a worker after load, PSS, MB"),
    ],
)
def test_what_is_missed_is_said(measure: str, bad: float, missed: str) -> None:
    said = verdicts(rows(**{measure: bad}))
    assert [verdict.target.what for verdict in said if not verdict.reached] == [missed]
    assert service_page.page(rows(**{measure: bad}), "x").count("**missed**") == 1


def test_brief_answers_are_judged_by_themselves() -> None:
    table = rows()
    table.loc[table["service"] == "brief", "p99"] = 8.1
    assert all(verdict.reached for verdict in verdicts(table))
    said = verdicts(table, TARGETS_OF_BRIEF)
    missed = [verdict.target.what for verdict in said if not verdict.reached]
    assert missed == ["16 connections, p99, ms"]
    assert service_page.page(table, "x").count("**missed**") == 1


def test_a_limit_that_is_met_exactly_is_reached() -> None:
    assert all(verdict.reached for verdict in verdicts(rows(p99=8.0, start_seconds=4.0)))


def test_ratios_are_taken_within_rounds() -> None:
    """A machine that halves its speed between rounds changes no ratio."""
    table = rows()
    table["rate"] /= 2.0 ** table["round"]
    assert ratio("ours", "bentoml")(table).tolist() == [10.0] * 3
    assert ratio("ours_two_workers", "ours")(table).tolist() == [1.85] * 3
    assert of("ours", "rate")(table).tolist() == [4000, 2000, 1000]


def test_the_median_decides_and_the_range_is_shown() -> None:
    table = rows()
    table.loc[table["round"] == 0, "p99"] = 90.0
    verdict = next(v for v in verdicts(table) if v.target.what == "16 connections, p99, ms")
    assert (verdict.median, verdict.low, verdict.high, verdict.reached) == (7.0, 7.0, 90.0, True)
    assert "7 to 90" in service_page.page(table, "x")


def test_a_short_run_and_a_busy_machine_are_named() -> None:
    short = rows()[lambda r: r["round"] == 0].assign(seconds=2)
    assert "not to be quoted" in service_page.page(short, "x")
    assert "not to be quoted" not in service_page.page(rows(), "x")
    assert "it was shared" in service_page.page(rows(load_at_start=1.7), "x")
