"""Programs that XLA compiled: kept by kind of processor, found again by every kind of worker."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from small_tasks import drive, task

from chandelle.compute import programs
from chandelle.compute.ledger import Ledger
from chandelle.compute.places import open_engine

ALONE = """
import os, sys
from chandelle.compute.programs import keep_programs
keep_programs()
assert "jax" not in sys.modules
print(os.environ.get("JAX_COMPILATION_CACHE_DIR", "none"))
if sys.argv[1:]:
    import jax
    keep_programs()
    print(jax.config.jax_compilation_cache_dir)
    jax.config.update("jax_compilation_cache_dir", sys.argv[1])
    keep_programs()
    print(jax.config.jax_compilation_cache_dir)
"""


def alone(*arguments: object, **environment: object) -> list[str]:
    """What a process of its own says."""
    command = [sys.executable, "-c", ALONE, *map(str, arguments)]
    own = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    given = own | {name: str(value) for name, value in environment.items()}
    return subprocess.check_output(command, text=True, env=given).splitlines()


def test_each_kind_of_processor_has_a_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("CHANDELLE_CACHE", str(tmp_path))
    signature_of, folders = programs.processor_signature, {}
    for name, model, flags, speed in (
        ("login", "EPYC 7302", "avx avx2", 1500),
        ("node", "EPYC 9654", "avx avx2 avx512f", 2400),
        ("twin", "EPYC 9654", "avx avx2 avx512f", 3100),
    ):
        cpuinfo = tmp_path / name
        cpuinfo.write_text(f"model name: {model}\ncpu MHz: {speed}\nflags: {flags}\n" * 2)
        signature = signature_of(cpuinfo)
        monkeypatch.setattr(programs, "processor_signature", lambda found=signature: found)
        folders[name] = programs.programs_folder()
    assert folders["login"] != folders["node"] == folders["twin"]
    assert all(folder.is_dir() for folder in folders.values())


def test_each_jaxlib_has_a_folder(tmp_path, monkeypatch):
    found = []
    for version in ("0.10.2", "0.12.0"):
        monkeypatch.setattr(programs, "versions", lambda v=version: {"jaxlib": v})
        found.append(programs.processor_signature(tmp_path / version))
    assert found[0] != found[1]


def test_the_folder_is_known_before_jax_is_imported_and_after(tmp_path):
    own = str(tmp_path / "xla" / programs.processor_signature())
    assert alone(CHANDELLE_CACHE=tmp_path) == [own]
    assert alone(CHANDELLE_CACHE="off") == ["none"]
    mine = tmp_path / "mine"
    assert alone(mine, CHANDELLE_CACHE=tmp_path) == [own, own, str(mine)]


def test_what_the_user_chose_stays_and_what_another_machine_chose_does_not(tmp_path):
    own = tmp_path / "xla" / programs.processor_signature()
    for given, used in ((tmp_path / "mine", tmp_path / "mine"), (own.with_name("login"), own)):
        found = alone(CHANDELLE_CACHE=tmp_path, JAX_COMPILATION_CACHE_DIR=given)
        assert found == [str(used)]


@pytest.fixture
def kept(tmp_path, monkeypatch) -> Path:
    """Folder of the programs of workers that are started in the test."""
    monkeypatch.setenv("CHANDELLE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("JAX_ENABLE_COMPILATION_CACHE", "1")
    monkeypatch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    return tmp_path / "cache" / "xla" / programs.processor_signature()


def on_dask(folder: Path, number: int) -> None:
    engine = open_engine("local:1", folder)
    try:
        assert drive(folder, [task(number, "compiles")], engine=engine).done == 1
    finally:
        engine.close()


def in_a_child(folder: Path, number: int) -> None:
    assert drive(folder, [task(number, "compiles", is_isolated=True)]).done == 1


def in_a_driver(folder: Path, number: int) -> None:
    body = f"from small_tasks import *; import pathlib; drive(pathlib.Path({str(folder)!r}), "
    subprocess.run([sys.executable, "-c", f"{body}[task({number}, 'compiles')])"], check=True)


def in_an_element(folder: Path, number: int) -> None:
    array = folder / f"array-{number}"
    array.mkdir(parents=True)
    (array / "0.tasks").write_text(json.dumps([1, None, task(number, "compiles").to_json()]))
    command = [sys.executable, "-m", "chandelle.compute.slurm_array", str(folder), str(array)]
    subprocess.run(command, check=True, env=os.environ | {"SLURM_ARRAY_TASK_ID": "0"})


@pytest.mark.parametrize("run", [on_dask, in_a_child, in_a_driver, in_an_element])
def test_a_second_worker_compiles_nothing(run, kept, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    facts, files = [], []
    for number in (2, 3):
        run(tmp_path, number)
        facts.append(Ledger(tmp_path, "squares").read(task(number, "compiles").id).facts)
        files.append({path.name for path in kept.iterdir()})
    assert facts[0]["kept"] == 0
    assert facts[1]["kept"] == facts[1]["asked"] == facts[0]["asked"] > 0
    assert files[0] == files[1] != set()
