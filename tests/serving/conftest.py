"""One running service for all tests that need another process."""

from collections.abc import Iterator

import pytest

from tests.conftest import Store
from tests.running_service import Running, served


@pytest.fixture(scope="session")
def running(evidence_store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with served(evidence_store.root, tmp_path_factory.mktemp("service")) as running:
        yield running
