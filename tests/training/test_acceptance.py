"""Limits are declared by name; the rarer outcome has narrower ones; shipped files show them all."""

from collections.abc import Callable
from pathlib import Path

import pytest

from training.acceptance import Acceptance
from training.experiment import ExperimentRefused, read_experiment

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
ExperimentWriter = Callable[..., Path]


@pytest.mark.parametrize(
    ("outcome", "ici", "change"),
    [("severe_crs", 0.03, 0.02), ("severe_icans", 0.05, 0.04), ("hlh", 0.05, 0.04)],
)
def test_an_outcome_has_limits_of_its_own(outcome: str, ici: float, change: float) -> None:
    limits = Acceptance().of(outcome)
    assert (limits.ici, limits.mean_absolute_change) == (ici, change)
    assert Acceptance(ici=0.2).of(outcome).ici == 0.2


@pytest.mark.parametrize("name", ["severe_crs", "severe_icans"])
def test_the_shipped_experiments_spell_out_the_defaults(name: str) -> None:
    """Whoever copies one sees every limit; none differs from what the code would take."""
    path = EXPERIMENTS / f"{name}.toml"
    assert read_experiment(path).acceptance.of(name) == Acceptance().of(name)
    text = path.read_text("utf-8")
    unused = {"scaled_brier"}  # of outcomes without a published rate
    assert [k for k in Acceptance.model_fields if k not in text and k not in unused] == []


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("calibration_slope = [1.25, 0.8]", "calibration_slope: the lower limit comes first"),
        ("observed_over_expected = [0.8, 0.8]", "the lower limit comes first"),
        ("brier = 0.1", "Extra inputs are not permitted"),
        ("auroc = 1.5", "less than or equal to 1"),
        ("ici = 0.0", "greater than 0"),
        ("calibration_slope = [nan, 2.0]", "finite"),
        ("[acceptance.rehearsal]\ninterval_coverage = [0.9, 0.1]", "interval_coverage: the lower"),
    ],
)
def test_a_limit_that_cannot_be_meant_is_refused_by_name(
    experiment_file: ExperimentWriter, section: str, said: str
) -> None:
    with pytest.raises(ExperimentRefused, match=r"acceptance") as refused:
        read_experiment(experiment_file(sections=f"[acceptance]\n{section}\n"))
    assert said in str(refused.value)
