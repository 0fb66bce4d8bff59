"""An experiment file says what is wanted; what it may not say is named, all at once."""

from collections.abc import Callable
from pathlib import Path

import pytest

from training.experiment import Experiment, ExperimentRefused, TogetherSection, read_experiment

SHIPPED = sorted((Path(__file__).parents[2] / "experiments").glob("*.toml"))
OWN = """
predictors = ["age", "crp"]
seed = 1
[outcome]
name = "hlh"
label = "HLH-like syndrome"
definition = "IEC-HS by consensus criteria within 60 days"
horizon_days = 60
reference = "Hines MR, Transplant Cell Ther 2023;29:438"
[anchor]
evidence = false
"""


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_experiment_is_allowed(path: Path) -> None:
    experiment = read_experiment(path)
    assert experiment.name == path.stem
    assert experiment.outcome.outcome().definition


def test_the_manual_lists_every_key() -> None:
    """It says that a key which it does not list is an error."""
    manual = (SHIPPED[0].parent / "README.md").read_text("utf-8")
    table = manual.partition("## What an experiment may say")[2].partition("\n## ")[0]
    for section, field in Experiment.model_fields.items():
        keys = getattr(field.annotation, "model_fields", None)
        if section in ("name", "acceptance"):
            continue
        wanted = [section] if keys is None else [f".{key}`" for key in keys]
        if section == "together":
            wanted = [f".{key}`" for key in TogetherSection.model_fields]
        assert [key for key in wanted if key not in table] == []


def test_the_file_name_is_the_name_of_the_experiment(experiment_file: Callable[..., Path]) -> None:
    experiment = read_experiment(experiment_file(name="ward_7"))
    assert experiment.name == "ward_7"
    assert experiment.outcome.outcome().grade_column == "icans_grade"


def test_an_outcome_of_ones_own_defines_itself(experiment_file: Callable[..., Path]) -> None:
    outcome = read_experiment(experiment_file(OWN)).outcome.outcome()
    assert (outcome.name, outcome.horizon_days) == ("hlh", 60)
    assert outcome.flag_column == "outcome_hlh"
    assert outcome.grade_column is None


def refusal(path: Path) -> str:
    with pytest.raises(ExperimentRefused) as refused:
        read_experiment(path)
    return str(refused.value)


def test_unknown_keys_are_refused_by_name_at_every_level(
    experiment_file: Callable[..., Path],
) -> None:
    said = refusal(experiment_file(top="colour = 1", sections="[anchor]\nslope = 2\n"))
    assert "colour" in said
    assert "anchor.slope" in said
    assert said.count("  - ") == 2


def test_everything_wrong_is_named_at_once(experiment_file: Callable[..., Path]) -> None:
    text = """
    predictors = ["age", "il_7"]
    seed = -3
    typo = 1
    [outcome]
    name = "severe_crs"
    [learner]
    name = "oracle"
    [validation]
    folds = 1
    """
    said = refusal(experiment_file(text, name="wrong"))
    for named in ("wrong.toml", "il_7", "seed", "typo", "learner.name", "validation.folds"):
        assert named in said


@pytest.mark.parametrize("folds", [1, 21, 1000])
def test_folds_are_two_to_twenty(experiment_file: Callable[..., Path], folds: int) -> None:
    text = experiment_file().read_text("utf-8").replace("folds = 2", f"folds = {folds}")
    assert "validation.folds" in refusal(experiment_file(text))


@pytest.mark.parametrize("predictor", ["product", "disease", "ldh_uln", "il_7"])
def test_what_is_no_predictor_of_a_model_is_refused(
    experiment_file: Callable[..., Path], predictor: str
) -> None:
    assert predictor in refusal(experiment_file(predictors=("age", predictor)))


@pytest.mark.parametrize(
    ("predictors", "said"), [((), "at least one"), (("age", "age"), "listed twice")]
)
def test_a_list_of_predictors_has_each_once(
    experiment_file: Callable[..., Path], predictors: tuple[str, ...], said: str
) -> None:
    assert said in refusal(experiment_file(predictors=predictors))


@pytest.mark.parametrize("line", ["label", "definition", "horizon_days", "reference"])
def test_an_outcome_of_ones_own_needs_its_whole_definition(
    experiment_file: Callable[..., Path], line: str
) -> None:
    text = "\n".join(t for t in OWN.splitlines() if not t.startswith(line))
    assert "label, definition, horizon_days, reference" in refusal(experiment_file(text))


def test_an_outcome_of_the_contract_may_not_be_redefined(
    experiment_file: Callable[..., Path],
) -> None:
    text = OWN.replace('"hlh"', '"severe_crs"')
    assert "give its name only" in refusal(experiment_file(text))


def test_no_evidence_can_be_asked_for_an_unpublished_outcome(
    experiment_file: Callable[..., Path],
) -> None:
    assert "anchor.evidence = false" in refusal(experiment_file(OWN.replace("false", "true")))


def test_only_the_two_outcomes_of_the_figure_are_joined(
    experiment_file: Callable[..., Path],
) -> None:
    joined = '[together]\nother = "severe_crs"\n'
    path = experiment_file(outcome="severe_icans", sections=joined)
    assert read_experiment(path).together is not None
    assert "together joins" in refusal(experiment_file(outcome="severe_crs", sections=joined))
    assert "together joins" in refusal(experiment_file(OWN + joined))


@pytest.mark.parametrize("key", ["predictors", "seed", "outcome"])
def test_a_missing_key_is_named(experiment_file: Callable[..., Path], key: str) -> None:
    text = "\n".join(line for line in OWN.splitlines() if not line.startswith(key))
    if key == "outcome":
        text = 'predictors = ["age"]\nseed = 1\n'
    assert key in refusal(experiment_file(text))


@pytest.mark.parametrize("seed", ["-1", "2147483648", "1.5", '"x"'])
def test_a_seed_that_no_library_takes_is_refused(
    experiment_file: Callable[..., Path], seed: str
) -> None:
    assert "seed" in refusal(experiment_file(OWN.replace("seed = 1", f"seed = {seed}")))


@pytest.mark.parametrize("content", [b"seed = = 1", b"\xff\xfe broken", b"predictors = ["])
def test_what_is_not_toml_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    assert "broken.toml is not TOML" in refusal(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert "nowhere.toml cannot be read" in refusal(tmp_path / "nowhere.toml")


def test_an_experiment_cannot_be_changed_after_reading(
    experiment_file: Callable[..., Path],
) -> None:
    experiment: Experiment = read_experiment(experiment_file())
    with pytest.raises(ValueError, match="frozen"):
        experiment.seed = 2  # type: ignore[misc]
