"""A drawn run: light curves, their fits, a diagram, a posterior and the truth.

The model is no SALT: one bell in time for all bands, so that the report is tested alone.
"""

from dataclasses import dataclass
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pyarrow as pa
import pytest

from chandelle.numerics.covariance import BlockLowRank
from chandelle.physics.distance import Cosmology, distance_modulus
from chandelle.products.diagram import Diagram
from chandelle.products.lightcurves import LightCurves
from chandelle.products.posterior import Posterior
from chandelle.products.product import Meta
from chandelle.products.saltfits import SaltFits
from chandelle.products.targets import Targets

HOSTILE = 'SN<img src=x onerror="window.hacked=1">&</script>\'"'
BANDS = {"ZTF": ("ztfg", "ztfr", "ztfi"), "SNLS": ("lsstg", "lsstr", "lssti", "lsstz")}
SIMULATED = Meta(origin="simulated")


def bell(fits: SaltFits, band: str, mjd: np.ndarray) -> np.ndarray:
    """Model flux [nJy], shape (sn, time)."""
    phase = (mjd - fits["t0"][:, None]) / (1.0 + fits["z"][:, None])
    width = np.where(phase < 0, 6.0, 14.0 + 2.0 * fits["x1"][:, None])
    color = {"g": 1.0, "r": 0.9, "i": 0.75, "z": 0.7}[band[-1]]
    return 1e9 * fits["x0"][:, None] * color * np.exp(-0.5 * (phase / width) ** 2)


@dataclass(frozen=True, kw_only=True)
class DrawnRun:
    lightcurves: LightCurves
    fits: SaltFits
    diagram: Diagram
    posterior: Posterior
    truth: pa.Table
    config: dict

    def arguments(self) -> dict:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def draw_run(n: int = 60, *, n_epochs: int = 60, seed: int = 1, hostile: bool = True) -> DrawnRun:
    rng = np.random.default_rng(seed)
    is_ztf = np.arange(n) < n // 2
    z = np.where(is_ztf, rng.uniform(0.02, 0.1, n), rng.uniform(0.1, 0.8, n))
    names = np.array([f"sn{i:04d}" for i in range(n)], dtype=object)
    if hostile:
        names[0] = HOSTILE
    survey = np.where(is_ztf, "ZTF", "SNLS")
    true = {"t0": 59000 + rng.uniform(0, 800, n), "x1": rng.normal(0, 0.9, n)}
    true["c"] = rng.normal(-0.02, 0.08, n)
    mu = np.asarray(distance_modulus(jnp.asarray(z), jnp.asarray(z), Cosmology(Om=0.3)))
    true["mb"] = mu - 19.3 - 0.15 * true["x1"] + 3.1 * true["c"] + rng.normal(0, 0.1, n)
    true["x0"] = 10 ** (-0.4 * (true["mb"] - 10.5))
    fits = _fits(rng, names, z, survey, true)
    lightcurves = _lightcurves(rng, fits, n_epochs)
    diagram = _diagram(fits, mu, rng)
    truth = pa.table({"sn": names.tolist()} | {f"{k}_true": v for k, v in true.items()})
    config = {"seed": seed, "surveys": {"ZTF": {"n": n // 2}, "SNLS": {"n": n - n // 2}}}
    return DrawnRun(
        lightcurves=lightcurves,
        fits=fits,
        diagram=diagram,
        posterior=draw_posterior(len(diagram), rng=rng),
        truth=truth,
        config=config,
    )


def _fits(rng, names, z, survey, true) -> SaltFits:
    n = len(names)
    err = {"t0": 0.2, "x1": 0.2, "c": 0.03, "mb": 0.04}
    columns = {"sn": names, "z": z, "z_hel": z, "z_hd": z, "survey": survey}
    for name, sigma in err.items():
        columns[name] = true[name] + rng.normal(0, sigma, n)
        columns[f"{name}_err"] = np.full(n, sigma)
    columns["x0"] = 10 ** (-0.4 * (columns["mb"] - 10.5))
    columns["x0_err"] = 0.4 * np.log(10) * columns["x0"] * 0.04
    columns["ndof"] = np.full(n, 50)
    columns["chi2"] = rng.chisquare(50, n)
    columns["status"] = np.where(np.arange(n) % 17 == 3, "too few epochs", "ok")
    columns["status"][np.arange(n) % 23 == 5] = "no epochs"
    columns["flags"] = np.where(columns["chi2"] > 75, 1, 0)
    return SaltFits.from_columns(columns, meta=SIMULATED)


def _lightcurves(rng, fits: SaltFits, n_epochs: int) -> LightCurves:
    parts = {"sn": [], "mjd": [], "band": [], "flux": [], "flux_err": []}
    for i, survey in enumerate(fits["survey"]):
        if i % 23 == 5:  # a target without epochs
            continue
        one, bands = fits.select(np.array([i])), BANDS[survey]
        mjd = fits["t0"][i] + (1 + fits["z"][i]) * rng.uniform(-25, 60, n_epochs)
        band = rng.choice(bands, n_epochs)
        flux = np.array(
            [bell(one, b, np.array([[t]]))[0, 0] for b, t in zip(band, mjd, strict=True)]
        )
        err = np.hypot(0.02 * flux, 0.02 * flux.max())
        parts["sn"] += [fits["sn"][i]] * n_epochs
        parts["mjd"] += mjd.tolist()
        parts["band"] += band.tolist()
        parts["flux"] += (flux + rng.normal(0, err)).tolist()
        parts["flux_err"] += err.tolist()
    targets = Targets.from_columns(
        {"sn": fits["sn"], "z_hel": fits["z"], "z_hd": fits["z"], "survey": fits["survey"]}
    )
    rejected = pa.table(
        {
            "sn": fits["sn"][:3].tolist(),
            "reason": ["not finite", "not finite", "flux_err <= 0"],
            "count": [3, 1, 2],
        }
    )
    return LightCurves.from_columns(parts, meta=SIMULATED, targets=targets, rejected=rejected)


def _diagram(fits: SaltFits, mu: np.ndarray, rng) -> Diagram:
    keep = fits.is_ok & (np.abs(fits["x1"]) < 2)
    meta = SIMULATED.with_provenance(
        standardization={
            "rejected": {
                "too few epochs": int((~fits.is_ok).sum()),
                "x1": int((fits.is_ok & ~keep).sum()),
            }
        }
    )
    n = int(keep.sum())
    columns = {
        "sn": fits["sn"][keep],
        "z_hel": fits["z"][keep],
        "z_hd": fits["z"][keep],
        "mu": mu[keep] + rng.normal(0, 0.15, n),
        "survey": fits["survey"][keep],
    }
    covariance = BlockLowRank(diagonal=np.full(n, 0.15**2))
    return Diagram.from_columns(columns, meta=meta, covariance=covariance)


def draw_posterior(n: int, *, rng, status: str = "ok") -> Posterior:
    om = rng.normal(0.3, 0.02, (4, 1000))
    w = -1 - 4 * (om - 0.3) + rng.normal(0, 0.05, om.shape)
    draws = {"Om": om, "w": w, "M": rng.normal(0, 0.01, om.shape)}
    return Posterior(
        model="flat-wcdm",
        draws=draws,
        best_fit={"Om": 0.302, "w": -1.01, "M": 0.001},
        chi2=float(n),
        n_data=n,
        ess=dict.fromkeys(draws, 3900.0),
        r_hat=dict.fromkeys(draws, 1.001),
        priors={"Om": "uniform(0, 1)", "w": "uniform(-3, 1)", "M": "flat"},
        status=status,
        reason="" if status == "ok" else "r-hat of Om is 1.3",
        meta=SIMULATED,
    )


@pytest.fixture(scope="session")
def drawing() -> SimpleNamespace:
    """What draws: `run`, `posterior`, `bell`, and the `hostile` name."""
    return SimpleNamespace(run=draw_run, posterior=draw_posterior, bell=bell, hostile=HOSTILE)


@pytest.fixture(scope="session")
def run() -> DrawnRun:
    """Sixty supernovae, one of a hostile name, four fits that failed, three without epochs."""
    return draw_run()
