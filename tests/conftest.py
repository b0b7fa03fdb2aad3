"""What every test shares: float64, strict promotion, the real data folder."""

import os
from pathlib import Path

import jax
import pytest

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")

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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what uses the real data, so that `make test-real` finds it."""
    for item in items:
        if "real_data" in getattr(item, "fixturenames", ()):
            item.add_marker("real")
