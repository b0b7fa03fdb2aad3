"""Tasks on the workers of dask: the same answers, workers that die, clients of one's own."""

import os
import re
import subprocess
import sys
import time

import pytest
from distributed import Client
from small_tasks import begun, drive, task

import chandelle as ch
from chandelle.cli import console
from chandelle.compute.clients import new_client, tunnel
from chandelle.compute.dask_engine import DaskEngine
from chandelle.compute.places import open_engine
from chandelle.core.errors import InputError


@pytest.fixture(scope="module")
def client():
    made = new_client(2)
    yield made
    made.shutdown()


def test_any_place_gives_the_same(client, tmp_path):
    class Dask4in2p3:
        """As the site's class: its method gives a client."""

        def new_client(self, dask_worker_jobs: int) -> Client:
            assert dask_worker_jobs == 2
            return client

    answers = {}
    for name, on in (
        ("serial", "serial"),
        ("local", "local:2"),
        ("client", client),
        ("site", Dask4in2p3().new_client(dask_worker_jobs=2)),
    ):
        folder = tmp_path / name
        engine = open_engine(on, folder)
        try:
            assert drive(folder, [task(k) for k in range(12)], engine=engine).done == 12
        finally:
            engine.close()
        answers[name] = {p.name: p.read_bytes() for p in (folder / "out").iterdir()}
        assert begun(folder) == 12
    assert len(answers["serial"]) == 12
    assert all(found == answers["serial"] for found in answers.values())


def test_map_on_a_client_of_the_site_leaves_it_open(client, tmp_path):
    class Dask4in2p3:
        """As the site's class: it keeps a cluster, its method gives a client to it."""

        cluster = client.cluster

        def new_client(self, dask_worker_jobs: int) -> Client:
            self.cluster.scale(dask_worker_jobs)
            return Client(self.cluster, set_as_default=False)

    with Dask4in2p3().new_client(dask_worker_jobs=2) as own:
        how = {"on": own, "folder": tmp_path, "name": "doubled"}
        assert ch.map(_doubled, range(4), **how) == [0, 2, 4, 6]
        assert ch.map(_doubled, range(5), **how) == [0, 2, 4, 6, 8]
        assert own.status == "running"
        assert own.submit(sum, [1, 2]).result() == 3
    assert len(list((tmp_path / "results").rglob("*.npz"))) == 5
    assert client.submit(sum, [1, 3]).result() == 4


def _doubled(x: int) -> int:
    return 2 * x


def test_one_client_serves_two_folders_at_once(client, tmp_path):
    same = task(3)
    engines = [open_engine(client, tmp_path / name) for name in "ab"]
    for engine in engines:
        engine.submit(same, attempt=1)
    for engine, name in zip(engines, "ab", strict=True):
        assert [outcome.is_done for outcome in engine.wait(20.0)] == [True]
        assert (tmp_path / name / "out" / "3.txt").read_text() == "9"


def test_a_task_that_is_handed_out_again_runs_again(client, tmp_path):
    engine, one = DaskEngine(client, tmp_path), task(1, "flaky")
    for _ in range(2):
        engine.submit(one, attempt=1)
        found = []
        while not found:
            found = engine.wait(10.0)
        assert found[0].reason == "transient"
    assert begun(tmp_path) == 2
    engine.close()


def test_slots_beyond_the_cores_are_threads():
    # The first cell of the talk: ten calls that wait a second, on two cores.
    client = new_client(10)
    try:
        assert sum(client.nthreads().values()) >= 10
        began = time.perf_counter()
        futures = client.map(_slow, range(10))
        assert client.gather(futures) == [2 * x for x in range(10)]
        assert time.perf_counter() - began < 5.0
    finally:
        client.shutdown()


def _slow(x: int) -> int:
    time.sleep(1.0)
    return 2 * x


def test_connections_are_encrypted_and_the_dashboard_is_for_this_machine(client):
    assert client.scheduler.address.startswith("tls://")
    assert client.security.require_encryption
    assert client.dashboard_link.startswith("http://127.0.0.1:")
    assert "ssh -N -L" in tunnel(client)


@pytest.mark.parametrize("level", ["WARNING", "ERROR"])
def test_the_way_to_the_dashboard_is_said_where_no_log_is_set_up(level):
    script = (
        "import logging, chandelle as ch\n"
        f"logging.getLogger('chandelle').setLevel('{level}')\n"
        "if __name__ == '__main__':\n"
        "    ch.new_client(1).shutdown()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
    said = re.findall(
        r"^dashboard: http://127\.0\.0\.1:(\d+)/status .*ssh -N -L (\d+):", done.stderr, re.M
    )
    assert len(said) == (level == "WARNING")
    assert all(ours == theirs != "0" for ours, theirs in said)


def test_commands_show_the_way_to_the_dashboard_unless_quiet(tmp_path, capfd):
    for quiet in (False, True):
        with console.session(quiet=quiet, verbose=False):
            open_engine("local:1", tmp_path).close()
        assert ("ssh -N -L" in capfd.readouterr().err) is not quiet


def test_a_worker_has_one_thread_and_one_core(client):
    pinned = client.run(lambda: sorted(os.sched_getaffinity(0)))
    assert all(len(own) == 1 for own in pinned.values())
    assert set(client.run(lambda: os.environ["OMP_NUM_THREADS"]).values()) == {"1"}
    assert set(client.nthreads().values()) == {1}


@pytest.mark.parametrize(
    ("on", "says"),
    [
        ("moon", "expected one of serial, local"),
        ("local:none", "local:N"),
        ("local:0", "local:N"),
        ("slurm:laptop", "of kind local"),
        ("slurm:nowhere", "expected one of cc-in2p3, gpu, laptop"),
    ],
)
def test_places_that_are_none_are_named(tmp_path, on, says):
    with pytest.raises(InputError, match=says):
        open_engine(on, tmp_path)
