"""Every number can be computed again from the scored cohort, by formulas of another hand."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.evaluation.conftest import asked, scored
from tests.training.evaluation.recompute import differences, main, numbers
from tests.training.evaluation.recompute_views import Table, read
from training.evaluation.evaluate import evaluate
from training.judging.scored_file import save

HERE = Path(__file__).parent
QUESTION = asked(thresholds=(0.12, 0.25), parameters=4, smallest_cell=5)


def written(folder: Path, **parts: Any) -> tuple[dict[str, Any], Table]:
    cohort = scored(420, seed=3, **parts)
    path = save(cohort, folder)
    said = json.loads(evaluate(cohort, QUESTION).model_dump_json())
    return said, read(path, cohort.fitted_here)


@pytest.mark.parametrize("fitted_here", [True, False])
def test_every_number_is_computed_again(tmp_path: Path, fitted_here: bool) -> None:
    said, table = written(tmp_path, fitted_here=fitted_here)
    assert differences(said, table) == []
    assert len(list(numbers(said))) > 700


def test_with_holes_and_ties_too(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    cohort = scored(420, seed=3)
    holed = {name: np.round(getattr(cohort, name), 1) for name in ("model", "left_out", "refits")}
    for z in holed.values():
        z[..., rng.integers(0, 420, 6)] = np.nan
    holed["left_out"][1, :60] = np.nan
    holed["refits"][4] = np.nan
    said, table = written(tmp_path, **holed)
    assert said["cross_validated"]["repeats"] == 2
    assert said["optimism_corrected"]["refits"] == 24
    assert differences(said, table) == []


@pytest.mark.parametrize(
    "place",
    [
        ("cross_validated", "measures", "auroc", "low"),
        ("cross_validated", "measures", "ici", "value"),
        ("optimism_corrected", "brier", "optimism"),
        ("across", 0, "auroc", "mean", "high"),
        ("instability", "bands", 3, "centile_75"),
        ("comparisons", 1, "log_loss_difference", "value"),
    ],
)
def test_a_changed_number_is_found(tmp_path: Path, place: tuple[str | int, ...]) -> None:
    said, table = written(tmp_path)
    part: Any = said
    for key in place[:-1]:
        part = part[key]
    part[place[-1]] += 1e-7
    found = differences(said, table)
    assert [line.split(":")[0] for line in found] == [".".join(map(str, place))]


def test_the_script_says_how_many_agree(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said, _ = written(tmp_path, fitted_here=False)
    record = tmp_path / "evaluation.json"
    record.write_text(json.dumps(said), "utf-8")
    assert main(tmp_path / "scored.parquet", record) == 0
    assert "numbers agree to 1e-09" in capsys.readouterr().out
    said["events"] += 1
    record.write_text(json.dumps(said), "utf-8")
    assert main(tmp_path / "scored.parquet", record) == 1
    assert capsys.readouterr().out.startswith("events: ")


def test_the_other_hand_imports_nothing_of_what_it_checks() -> None:
    files = [*HERE.glob("recompute*.py"), HERE / "plain_formulas.py"]
    assert len(files) == 5
    for file in files:
        assert "import training" not in file.read_text("utf-8")
        assert "from training" not in file.read_text("utf-8")
