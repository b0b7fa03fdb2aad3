"""`ch.map`: results in order, kept, resumed; failures told; values as they were."""

import numpy as np
import pytest
from distributed import Client, LocalCluster

import chandelle as ch
from chandelle.compute.drive import Policy
from chandelle.compute.maps import Failure, MapError
from chandelle.compute.values import read_value, write_value
from chandelle.core.errors import InputError

FAST = Policy(retries=0, backoff_s=0.01)
calls: list[float] = []


def halve(x: float) -> float:
    calls.append(x)
    if x < 0:
        raise ValueError("negative")
    return x / 2


@pytest.fixture(autouse=True)
def _no_calls():
    calls.clear()


def test_results_come_in_order_and_are_kept(tmp_path):
    items = [3, 1.5, np.float64(8.0), 3]
    assert ch.map(halve, items, on="serial", folder=tmp_path) == [1.5, 0.75, 4.0, 1.5]
    assert calls == [3, 1.5, 8.0]
    assert ch.map(halve, [8.0, 20], on="serial", folder=tmp_path) == [4.0, 10.0]
    assert calls == [3, 1.5, 8.0, 20]


def test_items_that_fail_are_named_and_the_others_kept(tmp_path):
    how = {"on": "serial", "folder": tmp_path, "policy": FAST}
    with pytest.raises(MapError, match=r"1 of 3 items have no result, first -1: ValueError: nega"):
        ch.map(halve, [2, -1, 4], **how)
    kept = ch.map(halve, [2, -1, 4], keep_failures=True, **how)
    assert kept[::2] == [1.0, 2.0]
    assert isinstance(kept[1], Failure)
    assert (kept[1].item, kept[1].reason) == (-1, "data")
    assert calls == [2, -1, 4]


def test_a_function_that_changed_runs_again(tmp_path):
    def one(x: int) -> int:
        return x + 1

    def two(x: int) -> int:
        return x + 2

    how = {"on": "serial", "folder": tmp_path, "name": "add"}
    assert ch.map(one, [1, 2], **how) == [2, 3]
    assert ch.map(two, [1, 2], **how) == [3, 4]


def test_functions_of_a_notebook_go_to_the_workers_of_dask(tmp_path):
    offset = 10
    found = ch.map(lambda x: x + offset, range(6), on="local:2", folder=tmp_path, name="shift")
    assert found == list(range(10, 16))


class Dask4in2p3:
    """As the class of CC-IN2P3: it starts jobs that are workers and hands out a client to them."""

    def __init__(self, virtual_env: str = "") -> None:
        self.cluster: LocalCluster | None = None

    def new_client(self, dask_worker_cores: int = 1, dask_worker_jobs: int = 1) -> Client:
        self.cluster = LocalCluster(
            n_workers=dask_worker_jobs,
            threads_per_worker=dask_worker_cores,
            dashboard_address=None,
        )
        return Client(self.cluster)


def test_a_client_of_the_site_is_used_and_stays_open(tmp_path):
    site = Dask4in2p3(virtual_env="chandelle")
    client = site.new_client(dask_worker_jobs=2)
    try:
        how = {"on": client, "folder": tmp_path, "name": "square"}
        assert ch.map(lambda x: x * x, range(8), **how) == [x * x for x in range(8)]
        assert client.status == "running"
        assert client.submit(sum, [1, 2]).result() == 3
        with pytest.raises(MapError, match="1 of 2 items"):
            ch.map(lambda x: 1 / x, [1, 0], on=client, folder=tmp_path, name="inverse")
        assert client.status == "running"
        assert len(client.scheduler_info()["workers"]) == 2
    finally:
        client.close()
        site.cluster.close()


def test_a_job_cannot_get_a_function_that_has_no_file(tmp_path):
    with pytest.raises(InputError, match="functions of files it can import"):
        ch.map(lambda x: x, [1], on="slurm-array:cc-in2p3", folder=tmp_path, name="same")


def test_items_that_cannot_be_written_down_are_refused(tmp_path):
    with pytest.raises(InputError, match="numbers, words, lists"):
        ch.map(halve, [object()], on="serial", folder=tmp_path)


VALUES = [
    None,
    True,
    7,
    0.1,
    float("inf"),
    "a",
    (1, [2.5, "b"], {"c": (None,)}),
    np.arange(6.0).reshape(2, 3),
    {"x": np.array(["u", "v"]), "y": [np.arange(2), 1 + 0]},
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_values_come_back_as_they_were(tmp_path, value):
    write_value(tmp_path / "value.npz", value)
    found = read_value(tmp_path / "value.npz")
    np.testing.assert_equal(found, value)
    assert type(found) is type(value)


def test_values_of_other_kinds_and_other_files_are_refused(tmp_path):
    with pytest.raises(InputError, match="a result of set cannot be kept; return numbers"):
        write_value(tmp_path / "value.npz", {1, 2})
    with pytest.raises(InputError, match="cannot be kept"):
        write_value(tmp_path / "value.npz", np.array([object()]))
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "value.npz").write_bytes(b"PK cut")
    with pytest.raises(InputError, match=r"value.npz: expected a value that ch.map wrote"):
        read_value(tmp_path / "value.npz")
