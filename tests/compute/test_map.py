"""`ch.map`: results in order, kept, resumed; failures told; values as they were."""

import threading
from collections import defaultdict
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from astropy import units as u
from distributed import Client, LocalCluster

import chandelle as ch
from chandelle.compute.drive import Policy
from chandelle.compute.ledger import stages_in
from chandelle.compute.maps import Failure, MapError
from chandelle.compute.values import read_value, write_value
from chandelle.core.errors import InputError
from chandelle.pipeline.verify import verify

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


class Scale:
    def __init__(self, k):
        self.k = k

    def __call__(self, x):
        calls.append(x)
        return self.k * x

    def times(self, x):
        calls.append(x)
        return self.k * x


def _scaled(k, x):
    calls.append(x)
    return k * x


def _scaling(k):
    return lambda x: _scaled(k, x)


HOLDERS = {
    "method": lambda k: Scale(k).times,
    "instance": Scale,
    "closure": _scaling,
    "partial": lambda k: partial(_scaled, k),
}


@pytest.mark.parametrize("holder", HOLDERS.values(), ids=HOLDERS)
def test_results_of_a_function_that_holds_other_values_are_others(tmp_path, holder):
    how = {"on": "serial", "folder": tmp_path}
    assert ch.map(holder(2), [1, 2], **how) == [2, 4]
    assert ch.map(holder(3), [1, 2], **how) == [3, 6]
    calls.clear()
    assert ch.map(holder(2), [1, 2, 3], **how) == [2, 4, 6]
    assert calls == [3], "what was done is not done again"


def test_lambdas_are_told_by_what_they_do_and_not_by_the_line_around_them(tmp_path):
    how = {"on": "serial", "folder": tmp_path}
    assert ch.map(lambda x: calls.append(x) or x, range(2), **how) == [0, 1]
    assert ch.map(lambda x: calls.append(x) or x, range(3), **how) == [0, 1, 2]
    assert calls == [0, 1, 2]
    pair = [lambda x: x + 1, lambda x: x - 1]
    assert [ch.map(one, [1], **how) for one in pair] == [[2], [0]]
    assert stages_in(tmp_path) == ["lambda"]


def test_a_version_is_the_word_of_the_user(tmp_path):
    lock = threading.Lock()

    def locked(x):
        with lock:
            return halve(x)

    how = {"on": "serial", "folder": tmp_path}
    with pytest.raises(InputError, match="lock; give version="):
        ch.map(locked, [1.0], **how)
    assert ch.map(locked, [1.0], version="1", **how) == [0.5]
    assert ch.map(locked, [1.0], version="1", **how) == [0.5]
    assert calls == [1.0]
    assert ch.map(lambda x: 7, [1.0], name="locked", version="1", **how) == [0.5]
    assert ch.map(lambda x: 7, [1.0], name="locked", version="2", **how) == [7]


def seen(item):
    """Say of what an item is made, in order."""
    if isinstance(item, dict):
        return [[repr(key), seen(part)] for key, part in item.items()]
    return [type(item).__name__, repr(item)]


ITEMS = [
    (1, (2, "a")),
    {1: 2, (1, 2): None},
    {"b": 1, "a": 2},
    {"__tuple__": [1, 2]},
    {"__dict__": [1, 2], "x": [(), float("inf")]},
    Path("a"),
]


def test_items_are_the_same_at_every_place(tmp_path):
    serial, local = (
        ch.map(seen, ITEMS, on=on, folder=tmp_path / on) for on in ("serial", "local:1")
    )
    assert serial == local
    assert serial == [seen(item) for item in [*ITEMS[:2], {"a": 2, "b": 1}, *ITEMS[3:]]]
    apart = ch.map(seen, ITEMS, on="serial", folder=tmp_path / "apart", isolated=True)
    assert apart == serial
    failed = ch.map(halve, [(1, 2)], on="serial", folder=tmp_path, keep_failures=True, policy=FAST)
    assert failed[0].item == (1, 2)


@pytest.mark.parametrize("item", [np.arange(2), {1, 2}, [object()], pd.Series([1]), b"a"])
def test_items_that_json_does_not_hold_are_refused(tmp_path, item):
    with pytest.raises(InputError, match="cannot be written down; give numbers, words, lists"):
        ch.map(halve, [item], on="serial", folder=tmp_path)


@pytest.mark.parametrize(
    "name", ["../../out", "a/b", "", ".", "..", ".a", "-a", "arrays", "é", "a b"]
)
def test_names_that_are_no_folder_of_their_own_are_refused(tmp_path, name):
    with pytest.raises(InputError, match="expected letters, digits"):
        ch.map(abs, [1], on="serial", folder=tmp_path, name=name)

    def function(x):
        return x

    function.__name__ = name
    with pytest.raises(InputError, match=r"the function's name .* give name="):
        ch.map(function, [1], on="serial", folder=tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert ch.map(function, [1], on="serial", folder=tmp_path, name="a.b-c_1") == [1]


def test_a_damaged_result_is_told_with_the_way_to_make_it_again(tmp_path):
    how = {"on": "serial", "folder": tmp_path}
    ch.map(halve, [1.0, 2.0], **how)
    whole = next((tmp_path / "results").rglob("*.npz"))
    whole.write_bytes(whole.read_bytes()[:40])
    with pytest.raises(InputError, match=f"chandelle verify {tmp_path} --forget, then the same"):
        ch.map(halve, [1.0, 2.0], **how)
    assert len(verify(tmp_path, forget=True).broken) == 1
    assert ch.map(halve, [1.0, 2.0], **how) == [0.5, 1.0]
    assert len(calls) == 3


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
            dashboard_address="127.0.0.1:0",
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
    {"__tuple__": [1, 2]},
    {"__array__": "array_0", "__dict__": {"__path__": "a"}},
    {1: "a", (1, 2): {None: 2.0}},
    Path("a") / "b",
    np.float32(0.1),
    np.float64("nan"),
    np.int64(3),
    np.bool_(True),
    np.complex128(1j),
    np.datetime64("2020-01-01T00:00:00", "ns"),
    np.zeros(2, "i4,f8"),
    np.array(1.0),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_values_come_back_as_they_were(tmp_path, value):
    write_value(tmp_path / "value.npz", value)
    found = read_value(tmp_path / "value.npz")
    np.testing.assert_equal(found, value)
    assert type(found) is type(value)


class Pair(NamedTuple):
    a: int


REFUSED = [
    ("DataFrame", pd.DataFrame({"a": [1.0]}), "return {name: table"),
    ("Series", pd.Series([1.0]), r"return its to_numpy\(\)"),
    ("Quantity", np.ones(2) * u.Mpc, "return its to_value"),
    ("MaskedArray", np.ma.masked_array([1.0, 2.0], [True, False]), "return .values.filled"),
    ("defaultdict", defaultdict(int), "return dict"),
    ("Pair", Pair(1), "return numbers"),
    ("HTTPStatus", HTTPStatus.OK, "return numbers"),
    ("numpy's bfloat16", jnp.ones(2, jnp.bfloat16), "return numbers"),
]


def test_arrays_of_jax_come_back_as_those_of_numpy(tmp_path):
    write_value(tmp_path / "value.npz", [jnp.arange(3.0)])
    [found] = read_value(tmp_path / "value.npz")
    np.testing.assert_array_equal(found, np.arange(3.0), strict=True)


def test_values_of_other_kinds_and_other_files_are_refused(tmp_path):
    with pytest.raises(InputError, match="a result of set cannot be kept; return numbers"):
        write_value(tmp_path / "value.npz", {1, 2})
    with pytest.raises(InputError, match="cannot be kept"):
        write_value(tmp_path / "value.npz", np.array([object()]))
    for kind, value, mend in REFUSED:
        with pytest.raises(InputError, match=f"a result of {kind} cannot be kept; {mend}"):
            write_value(tmp_path / "value.npz", [value])
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "value.npz").write_bytes(b"PK cut")
    with pytest.raises(InputError, match=r"value.npz: expected a value that ch.map wrote"):
        read_value(tmp_path / "value.npz")
