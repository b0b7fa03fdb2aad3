"""What the keeper of jobs makes of the queue; the cluster and the queue are played."""

import asyncio
from types import SimpleNamespace

import pytest

from chandelle.compute import slurm, slurm_engine
from chandelle.compute.slurm_engine import Keeper


class PlayedCluster:
    """Three jobs, none of whose workers is there."""

    loop = SimpleNamespace(add_callback=lambda _: None)

    def __init__(self) -> None:
        self.closed: list[str] = []
        self.workers = {f"w{k}": SimpleNamespace(job_id=k, close=self._closer(k)) for k in "123"}
        self.observed: set[str] = set()
        self.has_lost = False

    @property
    def requested(self) -> set[str]:
        return set(self.workers)

    def _closer(self, job: str):
        async def close() -> None:
            self.closed.append(job)

        return close


@pytest.fixture
def keeper(monkeypatch) -> Keeper:
    monkeypatch.setattr(slurm_engine, "_LOOK_S", 0.0)
    return Keeper(PlayedCluster(), needed=lambda: 3, idle_s=1.0, maximum=3)


def look(keeper: Keeper, monkeypatch, states) -> int:
    monkeypatch.setattr(slurm, "own_jobs", states if callable(states) else lambda: states)
    asyncio.run(keeper._look())
    return keeper.queued


def test_jobs_that_have_not_ended_come_until_their_worker_is_there(keeper, monkeypatch):
    states = {"1": "PENDING", "2": "CONFIGURING", "3": "RUNNING"}
    assert look(keeper, monkeypatch, states) == 3
    keeper.cluster.observed = {"w3"}
    assert look(keeper, monkeypatch, states) == 2
    assert look(keeper, monkeypatch, {"1": "PENDING", "2": "COMPLETING"}) == 1
    assert keeper.cluster.closed == []
    look(keeper, monkeypatch, {"1": "PENDING"})
    assert keeper.cluster.closed == ["2"]
    assert keeper.cluster.has_lost


def test_a_queue_that_does_not_answer_leaves_what_was_known(keeper, monkeypatch, caplog):
    assert look(keeper, monkeypatch, {"1": "PENDING", "2": "RUNNING"}) == 2

    def hangs() -> dict[str, str]:
        raise slurm.SlurmError("squeue: no answer in 60 s")

    assert look(keeper, monkeypatch, hangs) == 2
    assert keeper.cluster.closed == []
    assert "squeue: no answer in 60 s" in caplog.text
