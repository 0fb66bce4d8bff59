"""Artefacts that a test may spoil."""

import shutil
from pathlib import Path

import pytest

from data_schemas.model_manifest import MANIFEST_FILE
from serving.model.artefact import MODEL_FILE, SELF_TEST_FILE, Artefact, load_artefact
from tests.conftest import Store

OUTCOME = "severe_crs"
FILES = [MANIFEST_FILE, MODEL_FILE, SELF_TEST_FILE, "prior.json", "model_card.md", "booster.ubj"]


@pytest.fixture
def artefact(fitted_store: Store, tmp_path: Path) -> Artefact:
    """A copy that a test may spoil, outside any store."""
    source = fitted_store.artefacts[OUTCOME]
    folder = tmp_path / "copy" / source.version
    shutil.copytree(source.folder, folder)
    return load_artefact(folder, source.sha256)


@pytest.fixture
def other(evidence_store: Store) -> Artefact:
    """Another version of the same outcome."""
    return evidence_store.artefacts[OUTCOME]


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(bytes(content))
