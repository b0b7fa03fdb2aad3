"""What every test shares: float64, strict promotion, the real data folder."""

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import jax
import pytest

if "PYTEST_XDIST_WORKER" not in os.environ:
    # All processes of one run share what XLA and numba compiled, and leave nothing among what the
    # user keeps: those that this one starts learn it from the environment.
    _cache = tempfile.mkdtemp(prefix="chandelle-cache-")
    atexit.register(shutil.rmtree, _cache, ignore_errors=True)
    os.environ["CHANDELLE_CACHE"] = _cache
    os.environ["JAX_COMPILATION_CACHE_DIR"] = f"{_cache}/programs"
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    jax.config.update("jax_compilation_cache_dir", f"{_cache}/programs")
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")

_MAPS = Path("/proc/self/maps")
_MOST_MAPS = 25_000
"""Linux allows a process 65 530; each compiled program takes some, and without XLA crashes."""
DATA = Path(os.environ.get("CHANDELLE_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real data; the test skips where it is absent, fails under `make test-real`."""
    if not DATA.is_dir():
        message = f"no real data at {DATA}; set CHANDELLE_TEST_DATA"
        if os.environ.get("CHANDELLE_REQUIRE_DATA"):
            pytest.fail(message)
        pytest.skip(message)
    return DATA


@pytest.fixture(scope="module", autouse=True)
def _room_for_programs() -> Iterator[None]:
    """Drop the compiled programs of the modules before where they have become many."""
    yield
    if _MAPS.exists() and _MAPS.read_bytes().count(b"\n") > _MOST_MAPS:
        jax.clear_caches()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what uses the real data, so that `make test-real` finds it."""
    for item in items:
        if "real_data" in getattr(item, "fixturenames", ()):
            item.add_marker("real")


@pytest.fixture(scope="session")
def f22_texts() -> dict[str, str]:
    """The text files SALT3-F22 was shipped as, written from our arrays byte for byte.

    tests/instrument/test_salt_files.py holds them against the SHA-256 of the originals.
    """
    from importlib.resources import files

    import numpy as np

    with (files("chandelle.instrument") / "data" / "salt3-f22.npz").open("rb") as file:
        arrays = dict(np.load(file, allow_pickle=False))
    texts = {}
    for name in ("template_0", "template_1", "lc_variance_0", "lc_variance_1", "lc_covariance_01"):
        phase, wave = np.meshgrid(arrays["phase"], arrays["wave"], indexing="ij")
        rows = zip(phase.ravel(), wave.ravel(), arrays[name].ravel(), strict=True)
        texts[f"salt3_{name}.dat"] = "".join(f"{p:.1f} {w:.2f} {v:.15e}\n" for p, w, v in rows)
    rows = arrays["color_dispersion"]
    texts["salt3_color_dispersion.dat"] = "".join(f"{w:.2f} {v:.15e}\n" for w, v in rows)
    law, (low, high) = arrays["color_law"], arrays["color_law_range"]
    key = "Salt2ExtinctionLaw."
    lines = [f"{len(law)}", *(f"{a:.10e}" for a in law), f"{key}version 1"]
    lines += [f"{key}min_lambda {low:.0f}", f"{key}max_lambda {high:.0f}", ""]
    texts["salt3_color_correction.dat"] = "\n".join(lines)
    return texts
