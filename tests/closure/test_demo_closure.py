"""Three full demos, light curves and all: fitted against true."""

import numpy as np
import pytest

from chandelle.cli.walkthrough import compare, run_chain
from chandelle.cosmology.stage import fit_cosmology
from chandelle.products.diagram import Diagram
from chandelle.products.saltfits import SaltFits
from chandelle.simulate.truth import Truth

SEEDS = (11, 12, 13)
N = 500


@pytest.mark.closure
@pytest.mark.parametrize("seed", SEEDS)
def test_a_demo_returns_its_truth(seed, tmp_path):
    chain = run_chain(tmp_path, seed=seed, n={"ZTF": N, "DEEP": N})
    rows = compare(chain.posterior, chain.truth)
    for row in rows:
        print(f"seed {seed} {row.name:10} {row.fitted:.4f} +- {row.error:.4f} {row.pull:+.2f}")  # noqa: T201
        assert abs(row.pull) < 4, row
    # Six pulls, nearly independent: their squares sum to 6 +- 3.5.
    assert sum(row.pull**2 for row in rows) < 6 + 5 * np.sqrt(12)
    assert next(row for row in rows if row.name == "Om").error < 0.98 / 3

    # The diagram leads where the fits lead: a bias between the two ways is no noise.
    by_fits = next(row for row in rows if row.name == "Om")
    by_diagram = fit_cosmology(Diagram.read(tmp_path / "diagram")).summary().loc["Om"]
    print(f"seed {seed} Om of the diagram {by_diagram['mean']:.4f} +- {by_diagram['sd']:.4f}")  # noqa: T201
    assert abs(by_diagram["mean"] - by_fits.fitted) < 0.2 * by_fits.error
    assert abs(by_diagram["sd"] / by_fits.error - 1) < 0.1

    fits = SaltFits.read(tmp_path / "saltfits" / "fits.parquet").to_pandas()
    truth = Truth.read(tmp_path / "truth.parquet").to_pandas().set_index("sn")
    assert (fits["status"] == "ok").mean() > 0.99
    good = fits[fits["status"] == "ok"]
    for name in ("t0", "mb", "x1", "c"):
        pull = (good[name] - truth.loc[good.index, f"{name}_true"]) / good[f"{name}_err"]
        n = len(pull)
        print(f"seed {seed} {name:10} mean {pull.mean():+.3f}, std {pull.std():.3f}, n {n}")  # noqa: T201
        assert abs(pull.mean()) < 5 / np.sqrt(n), name
        assert abs(pull.std() - 1) < 5 / np.sqrt(2 * n), name
