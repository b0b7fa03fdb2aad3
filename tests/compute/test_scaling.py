"""Measuring how functions scale: known laws, memory, failures, budgets, files."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

import chandelle as ch
from chandelle.compute.scaling_result import Scaling
from chandelle.core.errors import InputError

SCALED = Path(__file__).parents[1] / "helpers" / "scaled.py"
SIZES = [100, 300, 1000]


def measure(name: str, sizes=SIZES, **options) -> Scaling:
    setup = options.pop("setup", None)
    setup = f"{SCALED}:{setup}" if setup else None
    return ch.measure_scaling(f"{SCALED}:{name}", sizes, setup=setup, **options)


def statuses(scaling: Scaling) -> list[str]:
    return [one.status for one in scaling.measurements]


@pytest.mark.parametrize(
    ("name", "power", "sizes"),
    [("linear", 1.0, [1000, 3000, 10_000, 30_000]), ("quadratic", 2.0, [300, 600, 1200, 2400])],
)
def test_the_power_of_known_work(name, power, sizes):
    found = measure(name, sizes)
    law = found.law("cpu_s")
    assert statuses(found) == ["ok"] * 4
    assert abs(law.power.median - power) < max(4 * law.power.err, 0.1)
    again = measure(name, [20 * sizes[0]], repeats=1).measurements[0]
    assert law.predict(again.n).low95 / 1.5 < again.cpu_s < 1.5 * law.predict(again.n).high95


def test_the_power_of_cholesky_is_that_of_an_independent_timing():
    """Timed by the system, in processes that know nothing of chandelle."""
    sizes = [500, 1000, 2000]
    law = measure("cholesky", sizes).law("cpu_s")
    calls = [64, 16, 8]  # so that each takes much longer than a process takes to start
    cpu = [
        (_independent("cholesky", n, calls=1 + more)[0] - _independent("cholesky", n)[0]) / more
        for n, more in zip(sizes, calls, strict=True)
    ]
    slope = np.polyfit(np.log(sizes), np.log(cpu), 1)[0]
    assert law.power.low95 - 0.15 < slope < law.power.high95 + 0.15


def test_memory_is_that_which_the_system_counts():
    sizes = [500, 1000, 2000, 4000]
    found = measure("matrix", sizes, repeats=1)
    peaks = np.array([one.peak_gb for one in found.measurements])
    others = np.array([_independent("matrix", n)[1] for n in sizes])
    np.testing.assert_allclose(np.diff(peaks), np.diff(others), atol=0.001)
    np.testing.assert_allclose(peaks[-1] - peaks[0], 8e-9 * (4000**2 - 500**2), rtol=0.02)
    law = found.law("peak_gb")
    assert law.power.median == pytest.approx(2.0, abs=0.1)
    assert law.predict(40_000).low95 < 8e-9 * 40_000**2 + peaks[0] < law.predict(40_000).high95
    base = found.measurements[0].base_gb
    assert law.constant.median == pytest.approx(base, abs=0.005)


def _independent(name: str, n: int, *, calls: int = 1) -> tuple[float, float]:
    """CPU seconds and largest memory [GB] of a process that calls a function, as the system says.

    Between this process and that one stands a small one: Linux hands the largest memory down to
    what a process starts.
    """
    code = f"import scaled\nfor _ in range({calls}): scaled.{name}({n})"
    watch = (
        "import os, resource, sys\n"
        "pid = os.posix_spawn(sys.executable, [sys.executable, '-c', sys.argv[1]], os.environ)\n"
        "assert os.waitpid(pid, 0)[1] == 0\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(used.ru_utime + used.ru_stime, used.ru_maxrss)"
    )
    threads = {"OPENBLAS_NUM_THREADS": "1", "MALLOC_TRIM_THRESHOLD_": "65536"}
    environment = {**os.environ, **threads, "PYTHONPATH": str(SCALED.parent)}
    command = [sys.executable, "-S", "-c", watch, code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    cpu, kilobytes = done.stdout.split()
    return float(cpu), float(kilobytes) * 1024 / 1e9


def test_the_setup_is_not_counted_and_its_data_are_made_afresh():
    found = measure("sort_in_place", [100_000, 300_000, 1_000_000], setup="numbers")
    assert statuses(found) == ["ok"] * 3
    last = found.measurements[-1]
    assert last.setup_s > last.cpu_s
    # The 8 MB of the data, not the 160 MB on the way to them.
    assert 0.008 < last.data_gb < 0.03
    assert last.peak_gb - last.base_gb < 0.06


def test_the_first_call_is_apart():
    found = measure("slow_first", [300, 1000, 3000])
    assert all(one.first_s > 0.2 for one in found.measurements)
    assert found.measurements[0].cpu_s < 0.01
    power = found.law("cpu_s").power
    # Calls of milliseconds scatter; with the first call in them they would not grow at all.
    assert power.median > 0.7
    assert power.low95 < 1.0 < power.high95
    assert "the first call takes" in str(found)


def test_what_is_compiled_and_kept_is_no_cost_of_the_smallest_size(monkeypatch, tmp_path):
    monkeypatch.setenv("SCALED_CACHE", str(tmp_path / "cache"))
    found = measure("compiles_once", [300, 1000, 3000], repeats=1)
    assert found.cold_s > 0.5
    assert all(one.first_s < 0.3 for one in found.measurements)


def test_results_that_are_kept_are_told():
    assert "if the function keeps its results" in str(measure("remembers", [10, 100, 1000]))


def test_children_count_in_time_and_memory():
    found = measure("in_children", [1000, 10_000, 100_000], repeats=1)
    last = found.measurements[-1]
    assert last.cpu_s > 0.1
    assert 0.1 < last.peak_gb - last.base_gb < 0.2


@pytest.mark.parametrize(
    ("name", "status", "reason"),
    [
        ("fails_at_300", "error", r"ValueError: 300 is no good (scaled.py:"),
        ("no_memory_at_300", "memory", "MemoryError"),
        ("killed_at_300", "killed", "its process died by signal 9 (SIGKILL)"),
        ("exits_at_300", "killed", "with exit code 7; it last printed: a library gave up"),
    ],
)
def test_a_size_that_fails_loses_no_other(name, status, reason):
    found = measure(name, [100, 300, 1000, 3000], repeats=1)
    assert statuses(found) == ["ok", status, "ok", "ok"]
    assert reason in found.measurements[1].reason
    assert found.law("cpu_s").is_growing
    assert reason in str(found)


def test_too_few_sizes_make_no_law():
    found = measure("fails_at_300", repeats=1)
    with pytest.raises(InputError, match="3 sizes or more that were measured, got 2"):
        found.project(40_000)
    assert "no law: it takes 3 sizes that were measured, there are 2" in str(found)


def test_a_size_that_takes_too_long_is_ended_with_what_it_has():
    begun = time.perf_counter()
    found = measure("sleeps", [10, 100, 1000, 4000], limit_s=4.0)
    assert statuses(found) == ["ok", "ok", "time", "not run"]
    assert time.perf_counter() - begun < 30
    third = found.measurements[2]
    assert third.wall_runs
    assert min(third.wall_runs) == pytest.approx(1.0, rel=0.2)
    assert third.reason == f"ended after 4 s, with {len(third.wall_runs)} repeats done"
    assert found.measurements[3].reason == "N = 1000 took too long already"
    assert found.law("wall_s").power.median == pytest.approx(1.0, abs=0.1)


def test_the_budget_stops_before_a_size_that_would_exceed_it():
    found = measure("sleeps", [100, 1000, 20_000], repeats=1, budget_s=30.0)
    assert statuses(found) == ["ok", "ok", "not run"]
    assert "of the budget are left" in found.measurements[2].reason
    assert sum(one.total_s for one in found.measurements) < 30.0


def test_a_size_may_take_no_more_memory_than_it_is_given():
    before = {process.pid for process in psutil.Process().children()}
    found = measure("greedy", [10, 30, 1000], repeats=1, memory_gb=0.4)
    assert statuses(found) == ["ok", "ok", "memory"]
    assert "may take 0.40 GB" in found.measurements[2].reason
    assert {process.pid for process in psutil.Process().children()} <= before


def test_one_thread_and_what_is_printed():
    assert statuses(measure("threads", repeats=1)) == ["ok"] * 3
    assert statuses(measure("threads", [1], repeats=1, threads=2)) == ["error"]
    assert statuses(measure("prints", repeats=1)) == ["ok"] * 3


def test_functions_of_a_notebook_go_along():
    factor = 100

    def closure(n: int) -> int:
        return sum(range(factor * n))

    closure.__module__ = "__main__"
    found = ch.measure_scaling(closure, [10, 20, 40], repeats=1)
    assert statuses(found) == ["ok"] * 3
    assert found.function.endswith("closure")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none.py:f", "none.py: expected a Python file, found none"),
        ("scaled", "expected FILE.py:FUNCTION or PACKAGE.MODULE:FUNCTION"),
        (f"{SCALED}:nothing", "no function nothing in it; functions there: linear, quadratic"),
        (f"{SCALED}:_UNIT", "expected a function, it is of type int"),
        (f"{SCALED}:two", r"called with one argument, the size, but takes \(n: int, m: int\)"),
        ("no.such.module:f", "no.such.module: cannot be imported, ModuleNotFoundError"),
        ("math:nothing", "math: no function nothing in it"),
    ],
)
def test_functions_that_cannot_be_used(name, message):
    with pytest.raises(InputError, match=message):
        ch.measure_scaling(name, SIZES)


def test_a_file_that_fails_is_told_with_its_line(tmp_path):
    (tmp_path / "broken.py").write_text("import numpy\n1 / 0\n")
    with pytest.raises(InputError, match=r"cannot be imported, ZeroDivisionError.*broken.py:2"):
        ch.measure_scaling(f"{tmp_path / 'broken.py'}:f", SIZES)


def test_a_file_may_import_its_neighbors_and_be_called_like_a_library(tmp_path):
    (tmp_path / "neighbor.py").write_text("def work(n): return n\n")
    (tmp_path / "json.py").write_text("from neighbor import work\ndef f(n): return work(n)\n")
    found = ch.measure_scaling(f"{tmp_path / 'json.py'}:f", [1, 2, 3], repeats=1)
    assert statuses(found) == ["ok"] * 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sizes": []}, "sizes must be"),
        ({"sizes": [1, 1]}, "sizes must be different"),
        ({"sizes": [0, 1]}, "sizes must be"),
        ({"sizes": [1], "repeats": 0}, "repeats must be"),
        ({"sizes": [1], "threads": 0}, "threads must be"),
    ],
)
def test_arguments_that_cannot_be(options, message):
    with pytest.raises(InputError, match=message):
        measure("linear", **options)
