"""Which model answers: a pointer that moves at once, to a folder that is whole."""

import json
import os
import shutil
from pathlib import Path

import pytest

from data_schemas.model_manifest import MANIFEST_FILE
from data_schemas.outcomes import OUTCOMES
from serving.model import store as under_test
from serving.model.artefact import MODEL_FILE, Artefact, ArtefactRefused, load_artefact
from serving.model.store import (
    CURRENT_FILE,
    current_version,
    load_current,
    make_current,
    save_artefact,
    withdraw_current,
    withdrawn,
)
from tests.conftest import Store
from tests.serving.model.conftest import FILES, OUTCOME, flip


def test_an_empty_store_has_no_models(tmp_path: Path) -> None:
    assert load_current(tmp_path) == {}
    assert load_current(tmp_path / "nowhere") == {}


def test_making_a_model_current_copies_it_whole_and_points_at_it(
    artefact: Artefact, tmp_path: Path
) -> None:
    make_current(tmp_path / "store", artefact)
    current = load_current(tmp_path / "store")[OUTCOME]
    assert (current.version, current.sha256) == (artefact.version, artefact.sha256)
    assert current.folder != artefact.folder
    assert current.files == artefact.files


def test_the_pointer_moves_forth_and_back(
    artefact: Artefact, other: Artefact, tmp_path: Path
) -> None:
    for version in (artefact, other, artefact, artefact):
        make_current(tmp_path, version)
        assert load_current(tmp_path)[OUTCOME].version == version.version


def test_what_is_withdrawn_is_no_more_current_and_told_from_what_was_never_there(
    artefact: Artefact, tmp_path: Path
) -> None:
    make_current(tmp_path, artefact)
    assert current_version(tmp_path, OUTCOME) == artefact.version
    withdraw_current(tmp_path, OUTCOME)
    assert load_current(tmp_path) == {}
    assert withdrawn(tmp_path) == {OUTCOME}
    assert current_version(tmp_path, OUTCOME) is None
    make_current(tmp_path, artefact)
    assert list(load_current(tmp_path)) == [OUTCOME]
    assert withdrawn(tmp_path) == set()


@pytest.mark.parametrize("failing", ["load_artefact", "_have", "canonical_json"])
def test_a_failure_before_the_pointer_moves_leaves_the_old_model_answering(
    artefact: Artefact,
    other: Artefact,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    failing: str,
) -> None:
    make_current(tmp_path, other)

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(under_test, failing, fail)
        with pytest.raises(KeyboardInterrupt):
            make_current(tmp_path, artefact)
    assert load_current(tmp_path)[OUTCOME].version == other.version
    make_current(tmp_path, artefact)
    assert load_current(tmp_path)[OUTCOME].version == artefact.version


def test_the_pointer_is_replaced_in_one_step(
    artefact: Artefact, other: Artefact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_current(tmp_path, other)
    pointer = tmp_path / OUTCOME / CURRENT_FILE
    replace, seen = Path.replace, []

    def watched(self: Path, target: Path) -> Path:
        if target != pointer:
            return replace(self, target)
        seen.append(json.loads(pointer.read_bytes())["version"])
        done = replace(self, target)
        seen.append(json.loads(pointer.read_bytes())["version"])
        return done

    monkeypatch.setattr(Path, "replace", watched)
    make_current(tmp_path, artefact)
    assert seen == [other.version, artefact.version]


@pytest.mark.parametrize("same_process_id", [True, False])
def test_a_leftover_draft_is_never_loaded_and_never_in_the_way(
    artefact: Artefact, tmp_path: Path, same_process_id: bool
) -> None:
    number = os.getpid() if same_process_id else 1
    draft = tmp_path / OUTCOME / f".{artefact.version}.{number}.draft"
    draft.mkdir(parents=True)
    (draft / MODEL_FILE).write_bytes(b"half a mod")
    (draft / CURRENT_FILE).write_bytes(b"half a poi")
    assert load_current(tmp_path) == {}
    make_current(tmp_path, artefact)
    assert list(load_current(tmp_path)) == [OUTCOME]
    assert sorted(load_current(tmp_path)[OUTCOME].files) == sorted(FILES)


def test_a_write_that_fails_leaves_no_draft(
    artefact: Artefact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        make_current(tmp_path / "store", artefact)
    assert list((tmp_path / "store" / OUTCOME).iterdir()) == []


@pytest.mark.parametrize("spoil", ["flip", "empty", "add", "remove"])
def test_a_copy_spoilt_in_the_store_is_replaced_by_what_was_trained(
    artefact: Artefact, other: Artefact, tmp_path: Path, spoil: str
) -> None:
    """As a power failure leaves it, that takes the content of files whose names it kept."""
    make_current(tmp_path, artefact)
    make_current(tmp_path, other)
    file = tmp_path / OUTCOME / artefact.version / MODEL_FILE
    if spoil == "flip":
        flip(file, 100)
    elif spoil == "empty":
        file.write_bytes(b"")
    elif spoil == "add":
        file.with_name("more.json").write_bytes(b"{}")
    else:
        file.unlink()
    make_current(tmp_path, artefact)
    assert load_current(tmp_path)[OUTCOME].files == artefact.files
    names = {path.name for path in (tmp_path / OUTCOME).iterdir()}
    assert names == {artefact.version, other.version, CURRENT_FILE}


def test_a_model_saved_again_replaces_what_was_spoilt_of_it(
    artefact: Artefact, tmp_path: Path
) -> None:
    files = {name: content for name, content in artefact.files.items() if name != MANIFEST_FILE}
    folder = save_artefact(tmp_path, artefact.model, artefact.manifest, files)
    (folder / MANIFEST_FILE).write_bytes(b"")
    assert save_artefact(tmp_path, artefact.model, artefact.manifest, files) == folder
    assert load_artefact(folder, artefact.sha256).files == artefact.files


def test_a_refusal_names_the_outcome_and_the_remedy(artefact: Artefact, tmp_path: Path) -> None:
    make_current(tmp_path, artefact)
    flip(tmp_path / OUTCOME / artefact.version / MODEL_FILE, 100)
    with pytest.raises(ArtefactRefused, match=f"^{OUTCOME}: {MODEL_FILE} .*cart-risk promote"):
        load_current(tmp_path)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"null", b"7", b'{"version": "x"}', b'{"sha256": "x"}', b"\xff\xfe{"]
)
def test_a_pointer_that_cannot_be_read_is_refused(
    artefact: Artefact, tmp_path: Path, content: bytes
) -> None:
    make_current(tmp_path, artefact)
    (tmp_path / OUTCOME / CURRENT_FILE).write_bytes(content)
    with pytest.raises(ArtefactRefused, match=f"{OUTCOME}/{CURRENT_FILE}"):
        load_current(tmp_path)


def test_a_pointer_to_a_version_that_is_gone_is_refused(artefact: Artefact, tmp_path: Path) -> None:
    make_current(tmp_path, artefact)
    shutil.rmtree(tmp_path / OUTCOME / artefact.version)
    with pytest.raises(ArtefactRefused, match=f"{MANIFEST_FILE} cannot be read"):
        load_current(tmp_path)


def test_a_model_may_not_answer_for_another_outcome(artefact: Artefact, tmp_path: Path) -> None:
    make_current(tmp_path, artefact)
    (tmp_path / OUTCOME).rename(tmp_path / "severe_icans")
    with pytest.raises(ArtefactRefused, match="another outcome"):
        load_current(tmp_path)


def test_each_outcome_has_its_own_current_model(fitted_store: Store) -> None:
    assert list(fitted_store.artefacts) == list(OUTCOMES)
    for name, model in fitted_store.models.items():
        assert model.outcome == name
