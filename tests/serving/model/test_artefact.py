"""A model is read only if every byte is as trained, and a killed run harms nothing."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost

from data_schemas.cohort_table import Cohort
from data_schemas.model_manifest import MANIFEST_FILE
from data_schemas.predictors import PREDICTORS, Category
from serving.model.artefact import (
    MODEL_FILE,
    SELF_TEST_FILE,
    VERSION_LENGTH,
    Artefact,
    ArtefactRefused,
    canonical_json,
    load_artefact,
    model_from_json,
    model_to_json,
    self_test,
    sha256,
)
from serving.model.soundness import faults
from serving.model.store import save_artefact
from tests.conftest import Store, first
from tests.serving.model.conftest import FILES, OUTCOME, flip


def refusal(folder: Path, digest: str | None = None) -> str:
    with pytest.raises(ArtefactRefused) as refused:
        load_artefact(folder, digest)
    return str(refused.value)


# --- the same model again ---------------------------------------------------------------------


def test_a_saved_model_answers_to_the_last_bit(fitted_store: Store, cohort: Cohort) -> None:
    for artefact in fitted_store.artefacts.values():
        copy = model_from_json(canonical_json(model_to_json(artefact.model)))
        ours, theirs = (m.predict(cohort.columns()) for m in (artefact.model, copy))
        for name in ("logit", "low", "high", "base", "contributions", "missing_weight"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))


def test_a_model_is_written_in_the_same_bytes_each_time(fitted_store: Store) -> None:
    model = fitted_store.models[OUTCOME]
    once = canonical_json(model_to_json(model))
    assert once == canonical_json(model_to_json(model_from_json(once)))


def test_the_folder_is_named_by_its_content(fitted_store: Store, evidence_store: Store) -> None:
    for store in (fitted_store, evidence_store):
        for artefact in store.artefacts.values():
            digest = sha256((artefact.folder / MANIFEST_FILE).read_bytes())
            assert artefact.sha256 == digest
            assert artefact.folder.name == artefact.version == digest[:VERSION_LENGTH]


def test_saving_twice_gives_the_same_folder_untouched(artefact: Artefact, tmp_path: Path) -> None:
    files = {name: content for name, content in artefact.files.items() if name != MANIFEST_FILE}
    once = save_artefact(tmp_path, artefact.model, artefact.manifest, files)
    before = {path.name: path.stat().st_mtime_ns for path in once.iterdir()}
    again = save_artefact(tmp_path, artefact.model, artefact.manifest, files)
    assert once == again
    assert before == {path.name: path.stat().st_mtime_ns for path in again.iterdir()}
    assert once.name == artefact.version


def test_other_content_is_another_version(artefact: Artefact, tmp_path: Path) -> None:
    files = {name: content for name, content in artefact.files.items() if name != MANIFEST_FILE}
    changed = files | {"model_card.md": b"# Another card\n"}
    folder = save_artefact(tmp_path, artefact.model, artefact.manifest, changed)
    assert folder.name != artefact.version


def test_every_file_is_json_ubj_or_markdown_by_content(fitted_store: Store) -> None:
    readers = {
        ".json": json.loads,
        ".md": lambda content: content.decode("utf-8").index("#"),
        ".ubj": lambda content: xgboost.Booster(model_file=bytearray(content)),
    }
    for artefact in fitted_store.artefacts.values():
        assert sorted(path.name for path in artefact.folder.iterdir()) == sorted(FILES)
        for path in artefact.folder.iterdir():
            readers[path.suffix](path.read_bytes())
            assert not path.read_bytes().startswith(b"\x80"), "a pickle"


# --- refused ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("at", [0, -2])
def test_one_flipped_bit_is_refused_by_name(artefact: Artefact, name: str, at: int) -> None:
    flip(artefact.folder / name, at)
    assert name in refusal(artefact.folder, artefact.sha256)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_refused_by_name(artefact: Artefact, name: str) -> None:
    (artefact.folder / name).unlink()
    assert name in refusal(artefact.folder, artefact.sha256)


@pytest.mark.parametrize("name", ["extra.json", ".hidden", "sub"])
def test_an_additional_file_or_folder_is_refused_by_name(artefact: Artefact, name: str) -> None:
    if name == "sub":
        (artefact.folder / name).mkdir()
    else:
        (artefact.folder / name).write_bytes(b"")
    assert name in refusal(artefact.folder, artefact.sha256)


def test_a_folder_in_place_of_a_file_is_refused(artefact: Artefact) -> None:
    (artefact.folder / "prior.json").unlink()
    (artefact.folder / "prior.json").mkdir()
    assert "prior.json" in refusal(artefact.folder)


def test_an_edited_manifest_is_not_the_one_promoted(artefact: Artefact) -> None:
    path = artefact.folder / MANIFEST_FILE
    said = json.loads(path.read_bytes())
    said["validated_on_real_patients"] = 5000
    path.write_bytes(canonical_json(said))
    assert "not the one that was promoted" in refusal(artefact.folder, artefact.sha256)


@pytest.mark.parametrize("key", ["cohort", "files", "outcome"])
def test_a_manifest_that_says_too_little_is_refused_by_field(artefact: Artefact, key: str) -> None:
    path = artefact.folder / MANIFEST_FILE
    said = json.loads(path.read_bytes())
    del said[key]
    path.write_bytes(canonical_json(said))
    assert f"does not say: {key}" in refusal(artefact.folder)


def test_a_manifest_that_does_not_list_the_model_is_refused(artefact: Artefact) -> None:
    path = artefact.folder / MANIFEST_FILE
    said = json.loads(path.read_bytes())
    del said["files"][MODEL_FILE]
    path.write_bytes(canonical_json(said))
    assert f"does not list {MODEL_FILE}" in refusal(artefact.folder)
    (artefact.folder / MODEL_FILE).unlink()
    assert f"lacks {MODEL_FILE}" in refusal(artefact.folder)


def test_a_model_that_does_not_reproduce_its_self_test_is_refused(
    fitted_store: Store, other: Artefact, cohort: Cohort, tmp_path: Path
) -> None:
    files = dict(other.files)
    del files[MANIFEST_FILE]
    of_another = self_test(fitted_store.models[OUTCOME], first(cohort.columns(), 5))
    files[SELF_TEST_FILE] = canonical_json(of_another)
    folder = save_artefact(tmp_path, other.model, other.manifest, files)
    assert "self-test is not reproduced" in refusal(folder)


@pytest.mark.parametrize("key", ["cells", "trees", "misfit_sd"])
def test_a_model_in_the_format_of_another_release_is_refused(
    other: Artefact, tmp_path: Path, key: str
) -> None:
    files = {name: content for name, content in other.files.items() if name != MANIFEST_FILE}
    without = json.loads(files[MODEL_FILE])
    del without[key]
    files[MODEL_FILE] = canonical_json(without)
    folder = save_artefact(tmp_path, other.model, other.manifest, files)
    assert f"{MODEL_FILE} was written in the format of another release" in refusal(folder)


def saved(artefact: Artefact, root: Path, **changed: bytes) -> Path:
    """The artefact with other files, and hashes that agree with them."""
    files = {name: content for name, content in artefact.files.items() if name != MANIFEST_FILE}
    files |= {name.replace("__", "."): content for name, content in changed.items()}
    return save_artefact(root, artefact.model, artefact.manifest, files)


def with_model(artefact: Artefact, root: Path, path: str, value: Any) -> Path:
    """The artefact with one element of its model set, or changed by a function."""
    data = json.loads(artefact.files[MODEL_FILE])
    *way, last = [int(step) if step.isdecimal() else step for step in path.split(".")]
    place = data
    for step in way:
        place = place[step]
    place[last] = value(place[last]) if callable(value) else value
    return saved(artefact, root, model__json=json.dumps(data).encode())


def times(factor: float) -> Callable[[Any], Any]:
    return lambda numbers: (np.array(numbers) * factor).tolist()


UNSOUND = {
    "misfit_sd": {
        "misfit_sd": [-5, math.nan, math.inf, 1e300, "x", None, True, [1]],
    },
    "covariance": {
        "posterior.covariance": [
            times(-1), times(1e300), times(math.nan), [], [[1.0]], [[1.0], [1.0, 2.0]], 5, "x",
        ],
        "posterior.covariance.0.0": [math.nan, -1.0, "x"],
        "posterior.covariance.0.1": [1.0],
    },
    "posterior": {"posterior": [[], None], "posterior.mean": [[], times(1e300)]},
    "base rate": {
        "cells.0.base_rate": [0, 1, -0.1, 1.5],
        "cells.0.low": [0.99, -0.5],
        "cells.0.high": [0.0001, 2],
    },
    "cells": {"cells.0.base_rate": [math.nan, "x"], "cells": [7, {}], "cells.0": [7, None]},
    "the contract does not know": {"cells.0.disease": ["plague"], "cells.0.product": [""]},
    "beyond any measurement": {
        "terms.0.centre": [{"*": 1e300}],
        "terms.0.scale": [1e300],
        "terms.0.spread": [1e300],
    },
    "no product in any disease": {"cells": [[]]},
    "stands twice": {"cells": [lambda cells: cells[:1] * len(cells)]},
    "no term": {"terms": [[]]},
    "scale": {"terms.0.scale": [0, -1, math.inf]},
    "spread": {"terms.0.spread": [-1]},
    "centre": {"terms.0.centre": [{}, {"*": math.nan}]},
    "transform": {"terms.0.transform": ["cube"]},
    "does not know": {"terms.0.predictor": ["shoe_size"]},
    "burden": {"terms.0.predictor": ["tumour_burden"], "burden_scale.values.mtv": [[], [3, 2, 1]]},
    "percentile of mtv": {"burden_scale.percentiles.mtv": [times(9)]},
    "association exceeds log-odds of 100": {
        "association": [{"other": "severe_icans", "log_odds_ratio": 100.5, "sd": 1.0,
                         "patients": 0, "sources": []}],
    },
    "recalibration": {"recalibration.slope": [math.nan, 1e300, "1"]},
    "trees": {"trees.term.0.0": [99, -1, 0.5], "trees.leaf.0.0": [1e9], "trees.leaf": [[]]},
}  # fmt: skip


@pytest.mark.parametrize(
    ("named", "path", "value"),
    [(n, p, v) for n, paths in UNSOUND.items() for p, values in paths.items() for v in values],
)
def test_a_model_that_no_training_writes_is_refused_by_what_it_cannot_be(
    artefact: Artefact, tmp_path: Path, named: str, path: str, value: Any
) -> None:
    said = refusal(with_model(artefact, tmp_path, path, value))
    assert said.startswith(MODEL_FILE)
    assert named in said


def test_every_word_that_a_cohort_may_hold_for_product_and_disease_may_stand_in_a_model(
    artefact: Artefact,
) -> None:
    for predictor in ("product", "disease"):
        declared = PREDICTORS[predictor]
        assert isinstance(declared, Category)
        for word in declared.choices:
            first_cell, *others = artefact.model.cells
            elsewhere = [c for c in others if getattr(c, predictor) != word]
            cells = (replace(first_cell, **{predictor: word}), *elsewhere)
            said = faults(replace(artefact.model, cells=cells))
            assert not [fault for fault in said if "contract" in fault]


def test_what_rounding_does_to_a_covariance_is_accepted(artefact: Artefact, tmp_path: Path) -> None:
    load_artefact(with_model(artefact, tmp_path, "posterior.covariance.0.1", lambda x: x + 1e-14))


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"null", b"[]", b"{}", b"[" * 100_000, b"\xff", b'{"a": NaN}', b'["\\ud800"]'],
    ids=range(9),
)
@pytest.mark.parametrize(
    "name", [MODEL_FILE, SELF_TEST_FILE, "prior.json", "verdict.json", MANIFEST_FILE]
)
def test_a_file_that_is_not_what_it_must_be_is_refused_by_name(
    artefact: Artefact, tmp_path: Path, name: str, content: bytes
) -> None:
    if name == MANIFEST_FILE:
        folder = artefact.folder
        (folder / name).write_bytes(content)
    else:
        folder = saved(artefact, tmp_path, **{name.replace(".", "__"): content})
    assert refusal(folder).startswith(name)


def test_a_prior_that_could_not_be_shown_is_refused(artefact: Artefact, tmp_path: Path) -> None:
    deep = b'{"effects": [], "deep": ' + b"[" * 300 + b"]" * 300 + b"}"
    assert "prior.json cannot be shown" in refusal(saved(artefact, tmp_path, prior__json=deep))


def test_a_model_card_that_is_no_text_is_refused(artefact: Artefact, tmp_path: Path) -> None:
    folder = saved(artefact, tmp_path, model_card__md=b"# Card \xff\xfe")
    assert "model_card.md cannot be shown" in refusal(folder)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"logit": []}, "one answer for each patient"),
        ({"logit": [1.0]}, "one answer for each patient"),
        ({"logit": "x"}, "at: logit"),
        ({"patients": {}}, "lacks"),
        ({"patients": {"age": ["x"] * 3}}, "where age is a number"),
        ({"patients": {"age": [[1]] * 3}}, "at: patients.age"),
    ],
)
def test_a_self_test_that_is_none_is_refused(
    artefact: Artefact, tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    told = canonical_json(json.loads(artefact.files[SELF_TEST_FILE]) | change)
    found = refusal(saved(artefact, tmp_path, self_test__json=told))
    assert found.startswith(SELF_TEST_FILE)
    assert said in found


def test_a_self_test_without_what_the_model_reads_is_refused(
    artefact: Artefact, tmp_path: Path
) -> None:
    told = json.loads(artefact.files[SELF_TEST_FILE])
    del told["patients"]["age"]
    found = refusal(saved(artefact, tmp_path, self_test__json=canonical_json(told)))
    assert found == f"{SELF_TEST_FILE} lacks age"
