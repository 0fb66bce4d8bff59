"""The metrics of one service are its own, whatever else is started on the machine."""

import os
from pathlib import Path

import psutil
import pytest
from bentoml._internal.configuration.containers import BentoMLContainer

from serving.doors import metrics_folder
from serving.doors.metrics_folder import OF_WORKERS, count_apart
from tests.running_service import Running


def test_workers_count_in_a_folder_that_no_other_service_empties(running: Running) -> None:
    workers = psutil.Process(running.process.pid).children(recursive=True)
    folders = {worker.environ()[OF_WORKERS] for worker in workers}
    (folder,) = map(Path, folders)
    assert folder.name.startswith("cart-risk-metrics-")
    assert any(folder.glob("*.db"))
    assert "cart_risk_requests_total" in running.client.get("/metrics").text


def test_bentoml_still_lets_all_services_of_a_user_count_in_one_folder() -> None:
    """With a release that keeps them apart, ``metrics_folder`` can go."""
    BentoMLContainer.prometheus_multiproc_dir.reset()
    shared = Path(BentoMLContainer.bentoml_home.get()) / "prometheus_multiproc_dir"
    assert BentoMLContainer.prometheus_multiproc_dir.get() == str(shared)


def test_a_folder_that_an_operator_names_is_the_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(OF_WORKERS, str(tmp_path))
    count_apart()
    try:
        assert BentoMLContainer.prometheus_multiproc_dir.get() == str(tmp_path)
    finally:
        BentoMLContainer.prometheus_multiproc_dir.reset()


def test_metrics_lie_in_memory_where_there_is_some(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a disk that is full, a file that is mapped into memory kills whoever counts."""
    assert metrics_folder._place() == ("/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
    monkeypatch.setattr(metrics_folder, "_IN_MEMORY", "/nowhere")
    assert metrics_folder._place() is None
