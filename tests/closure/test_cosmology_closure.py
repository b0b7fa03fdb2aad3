"""Closure of the hierarchical model: simulate SALT fits, fit, compare with the truth.

200 supernovae below z = 0.1 and 200 above: without both, Om is not constrained. The same sample is
cut as real data are (380 of the 400 kept, so that one compiled program serves all samples).
"""

import time

import jax
import numpy as np
import pyarrow as pa
import pytest

from chandelle.core.rng import key_for
from chandelle.cosmology import fit_cosmology
from chandelle.inference import nuts
from chandelle.physics.sample import SaltCuts, select_fits
from chandelle.products.saltfits import SaltFits
from chandelle.simulate.saltfits import TRUE_POPULATION, TRUE_TRIPP, simulate_salt_fits

ROOT = 20261124
N_USED = 190
CHAINS = {"n_warmup": 200, "n_draws": 1000, "target_acceptance": 0.8}
TRUTH = {"Om": 0.3, **TRUE_TRIPP, **TRUE_POPULATION}
TESTED = ("Om", "M", "alpha", "beta", "sigma_int")


def draw_sample(index: int) -> SaltFits:
    """Draw one sample, cut, of a fixed size."""
    tables, meta = [], None
    for survey, low, high, power in (("low", 0.015, 0.1, 3.0), ("high", 0.1, 0.9, 2.0)):
        key = key_for(ROOT, "closure", survey, index)
        key_z, key_fits = jax.random.split(key)
        z = jax.random.uniform(key_z, (200,), minval=low**power, maxval=high**power)
        fits = simulate_salt_fits(z ** (1 / power), key=key_fits, survey=survey)
        kept, _ = select_fits(fits, SaltCuts())
        tables.append(kept.select(np.arange(N_USED)).table)
        meta = fits.meta
    return SaltFits(table=pa.concat_tables(tables), meta=meta)


def pulls_of(n_samples: int) -> dict[str, np.ndarray]:
    pulls = {name: np.zeros(n_samples) for name in TRUTH}
    start = time.perf_counter()
    for i in range(n_samples):
        posterior = fit_cosmology(draw_sample(i), seed=i, **CHAINS)
        assert posterior.status == "ok", f"sample {i}: {posterior.reason}"
        for name, values in posterior.draws.items():
            pulls[name][i] = (values.mean() - TRUTH[name]) / values.std(ddof=1)
    wall = time.perf_counter() - start
    lines = [f"{n_samples} samples of {2 * N_USED} supernovae: {wall:.1f} s"]
    for name, values in pulls.items():
        error = 1 / np.sqrt(n_samples)
        spread = f"std {values.std(ddof=1):.3f}"
        lines.append(f"{name:10s} mean {values.mean():+.3f} +- {error:.3f}, {spread}")
    print("\n" + "\n".join(lines))  # noqa: T201
    return pulls


def check(pulls: dict[str, np.ndarray], n: int) -> None:
    for name in TESTED:
        mean, std = pulls[name].mean(), pulls[name].std(ddof=1)
        assert abs(mean) < 5 / np.sqrt(n), f"{name}: mean pull {mean:.3f}"
        assert abs(std - 1) < 5 / np.sqrt(2 * n), f"{name}: std of pulls {std:.3f}"


@pytest.mark.slow
def test_twenty_samples_recover_the_truth_and_compile_once(monkeypatch):
    traces = []
    build = nuts.nuts.build_kernel
    monkeypatch.setattr(nuts.nuts, "build_kernel", lambda: traces.append(1) or build())
    check(pulls_of(20), 20)
    assert len(traces) == 1


@pytest.mark.closure
def test_two_hundred_samples_recover_the_truth():
    check(pulls_of(200), 200)
