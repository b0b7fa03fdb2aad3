"""Fits with dust of the host or a free redshift: against sncosmo 2.13.0 and against scans."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sncosmo
from astropy.table import Table

from chandelle.core.flags import Flag
from chandelle.core.units import ZP_NJY
from chandelle.lightcurve.ingest import read_lightcurves
from chandelle.lightcurve.stage import fit_salt
from chandelle.products.lightcurves import LightCurves
from chandelle.products.schema import table_from_columns

# sncosmo takes a tenth of a start value as first step, negative for a negative x1 or c.
pytestmark = pytest.mark.filterwarnings("ignore:Assigned errors must be positive")

NAMES = ["t0", "x0", "x1", "c"]
LAWS = {"f99": sncosmo.F99Dust, "ccm89": sncosmo.CCM89Dust}
WIDE = ("lsstu", "lsstg", "lsstr", "lssti", "lsstz", "lssty")


def behind_dust(salt3_in_sncosmo: sncosmo.Model, law: str) -> sncosmo.Model:
    """sncosmo's SALT3 behind dust of the Milky Way and of the host."""
    return sncosmo.Model(
        salt3_in_sncosmo.source,
        effects=[LAWS[law](), LAWS[law]()],
        effect_names=["mw", "host"],
        effect_frames=["obs", "rest"],
    )


def draw_dusty(model: sncosmo.Model, host_ebv: list[float], *, seed: int):
    """Supernovae seen from u to y, so that dust and color can be told apart."""
    rng = np.random.default_rng(seed)
    epochs, targets = [], []
    for k, ebv in enumerate(host_ebv):
        theta = {
            "z": rng.uniform(0.05, 0.25),
            "t0": 59000.0 + rng.uniform(0.0, 10.0),
            "x0": 1e-3,
            "x1": rng.normal(),
            "c": 0.1 * rng.normal(),
            "mwebv": 0.08,
        }
        model.set(hostebv=ebv, **theta)
        mjd = np.sort(theta["t0"] + (1 + theta["z"]) * rng.uniform(-12.0, 40.0, 120))
        band = rng.permutation(np.resize(WIDE, len(mjd)))
        flux = model.bandflux(band, mjd, zp=ZP_NJY, zpsys="ab")
        error = np.hypot(0.005 * flux.max(), 0.01 * flux)
        table = {"mjd": mjd, "band": band, "flux": flux + error * rng.normal(size=len(mjd))}
        table |= {"sn": f"sn{k}", "flux_err": error, "zp": ZP_NJY, "zpsys": "ab"}
        epochs.append(pd.DataFrame(table))
        targets.append({"sn": f"sn{k}", **theta, "host_ebv": ebv})
    return pd.concat(epochs, ignore_index=True), pd.DataFrame(targets)


def inverse_hessian(model, photometry, names, at, sigma) -> np.ndarray:
    """Inverse of half the second derivatives of sncosmo's chi2, by central differences.

    Minuit's errors are of no use here: x0 goes exponentially with the dust, so that its larger
    steps see another curvature, 13 % in the error of x0.
    """
    n, step = len(names), 0.02 * np.asarray(sigma)
    hessian = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            for a, b in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
                theta = np.array(list(at.values()))
                theta[i] += a * step[i]
                theta[j] += b * step[j]
                model.set(**dict(zip(names, theta, strict=True)))
                hessian[i, j] += a * b * sncosmo.chisq(photometry, model)
    return np.linalg.inv(hessian / (8.0 * np.outer(step, step)))


@pytest.mark.parametrize("law", ["f99", pytest.param("ccm89", marks=pytest.mark.slow)])
def test_host_dust_is_that_of_sncosmo(salt3_in_sncosmo, same_passbands, law: str) -> None:
    model = behind_dust(salt3_in_sncosmo, law)
    epochs, targets = draw_dusty(model, [0.15, 0.3, 0.3, 0.6, 0.9], seed=1)
    lcs = read_lightcurves(epochs, targets=targets)
    fits = fit_salt(lcs, free=("host_ebv",), dust=law, phase_range=None).to_pandas()
    assert (fits.status == "ok").all()
    pulls = (fits.host_ebv - targets.set_index("sn").host_ebv) / fits.host_ebv_err
    assert (pulls.abs() < 4).all()
    assert (fits.host_ebv_err < 0.2 * fits.host_ebv).all(), "dust that the data do not see"
    ours, theirs = [*NAMES, "host_ebv"], [*NAMES, "hostebv"]
    for sn, group in epochs.groupby("sn"):
        fit = fits.loc[sn]
        start = dict(zip(theirs, fit[ours].to_numpy(float), strict=True))
        model.set(z=fit.z, mwebv=fit.mwebv, **start)
        table = Table.from_pandas(group[["mjd", "band", "flux", "flux_err", "zp", "zpsys"]])
        photometry = sncosmo.photdata.photometric_data(table)
        assert sncosmo.chisq(photometry, model) == pytest.approx(fit.chi2, rel=1e-9)
        result, _ = sncosmo.fit_lc(
            table, model, theirs, guess_t0=False, guess_amplitude=False, warn=False
        )
        assert fit.chi2 <= result.chisq + 1e-3
        found = dict(zip(result.param_names, result.parameters, strict=True))
        for own, name in zip(ours, theirs, strict=True):
            assert abs(fit[own] - found[name]) < 0.02 * fit[f"{own}_err"], (sn, own)
        model.set(**start)
        sigma = fit[[f"{name}_err" for name in ours]].to_numpy(float)
        cov = inverse_hessian(model, photometry, theirs, start, sigma)
        np.testing.assert_allclose(sigma, np.sqrt(np.diagonal(cov)), rtol=1e-4)
        for i, name in enumerate(ours):
            for j in range(i):
                off = fit[f"cov_{ours[j]}_{name}"] - cov[j, i]
                assert abs(off) < 1e-4 * sigma[i] * sigma[j], (ours[j], name)


def test_dust_and_color_that_are_nearly_alike_come_to_rest(salt3_in_sncosmo, draw) -> None:
    """With three bands the sum of both is known alone: x0 follows it exponentially."""
    model = behind_dust(salt3_in_sncosmo, "ccm89")
    rng = np.random.default_rng(3)
    epochs, targets = draw(12, seed=21)
    lcs = read_lightcurves(epochs, targets=targets.assign(z_err=0.01))
    fits = fit_salt(lcs, free=("host_ebv",), dust="ccm89", phase_range=None).to_pandas()
    assert (fits.status == "ok").all()
    assert fits.host_ebv_err.max() > 0.3
    for sn, group in epochs.groupby("sn"):
        fit = fits.loc[sn]
        table = Table.from_pandas(group[["mjd", "band", "flux", "flux_err", "zp", "zpsys"]])
        photometry = sncosmo.photdata.photometric_data(table)
        for _ in range(20):
            ebv = max(fit.host_ebv + rng.normal() * fit.host_ebv_err, 0.0)
            # Along the valley: colors, hence x0, follow the dust.
            step = (ebv - fit.host_ebv) / fit.host_ebv_err**2
            theta = {n: fit[n] + step * fit[f"cov_{n}_host_ebv"] for n in NAMES}
            theta["x0"] = max(theta["x0"], 0.1 * fit.x0)
            model.set(z=fit.z, mwebv=fit.mwebv, hostebv=ebv, **theta)
            assert sncosmo.chisq(photometry, model) > fit.chi2 - 1e-6
        assert (fit.host_ebv > 0) or fit["flags"] & Flag.AT_BOUND


def test_an_answer_at_zero_dust_is_that_without(salt3_in_sncosmo) -> None:
    epochs, targets = draw_dusty(behind_dust(salt3_in_sncosmo, "f99"), [0.0] * 8, seed=2)
    lcs = read_lightcurves(epochs, targets=targets)
    dusty = fit_salt(lcs, free=("host_ebv",), phase_range=None).to_pandas()
    plain = fit_salt(lcs, phase_range=None).to_pandas()
    at_zero = dusty.host_ebv == 0.0
    assert 0 < at_zero.sum() < len(dusty)
    assert ((dusty["flags"][at_zero] & int(Flag.AT_BOUND)) > 0).all()
    for name in NAMES:
        moved = (dusty[name] - plain[name]).abs() / plain[f"{name}_err"]
        assert (moved[at_zero] < 1e-4).all()
    assert (dusty.chi2[~at_zero] < plain.chi2[~at_zero]).all()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["plain", "factor"])
def test_free_redshift_is_the_minimum_of_a_scan(draw, kind: str) -> None:
    """Fits at fixed redshifts, one target a redshift: their chi2 with the prior is the profile."""
    epochs, targets = draw(4, seed=9)
    sigma = np.where(targets.z < 0.1, 0.01, 0.03)
    prior = targets.z.to_numpy() + 0.5 * sigma
    lcs = read_lightcurves(epochs, targets=targets)
    if kind == "factor":
        shared = 0.7 * lcs["flux_err"] * np.cos(lcs["mjd"])
        lcs = lcs.with_covariance(factor=shared[:, None])
    how: Any = {"free": ("z",), "priors": {"z": (prior, sigma)}, "phase_range": None}
    free = fit_salt(lcs, **how).to_pandas()
    assert (free.status == "ok").all()
    for k, sn in enumerate(targets.sn):
        fit = free.loc[sn]
        assert fit.z_fit_err < sigma[k]
        # Far away no redshift is better; near by, the minimum and its curvature are those of the
        # free fit. The model's second derivatives jump where a phase or a wavelength enters another
        # cell, up to 8 % of the curvature within 0.1 sigma: hence the small steps.
        far, near = np.linspace(-3.0, 3.0, 25), 3e-4 * np.linspace(-1.0, 1.0, 11)
        off = np.concatenate([far, near])
        grid = fit.z + fit.z_fit_err * off
        scan = fit_salt(copies(lcs, sn, grid), phase_range=None).to_pandas()
        assert (scan.ndof == fit.ndof + 1).all(), "the same epochs are fitted"
        total = scan.chi2.to_numpy() + ((grid - prior[k]) / sigma[k]) ** 2
        own = fit.chi2 + ((fit.z - prior[k]) / sigma[k]) ** 2
        assert total.min() > own - 1e-6
        line = np.polynomial.Polynomial.fit
        curve = line(near, total[25:], 2).convert()
        assert abs(curve.deriv().roots()[0]) < 1e-4
        assert curve.deriv(2)(0.0) / 2.0 == pytest.approx(1.0, rel=0.01)
        for name in NAMES:
            value, slope = line(near, scan[name].to_numpy()[25:], 1).convert().coef
            error, fixed = fit[f"{name}_err"], scan[f"{name}_err"].iloc[-6]
            assert abs(value - fit[name]) < 1e-4 * error, (sn, name)
            assert abs(slope - fit[f"cov_{name}_z"] / fit.z_fit_err) < 0.01 * error, (sn, name)
            # The free redshift adds to the error what the others move with it.
            assert error == pytest.approx(np.hypot(slope, fixed), rel=0.01), (sn, name)


def copies(lcs: LightCurves, sn: str, z: np.ndarray) -> LightCurves:
    """One supernova at many redshifts, a target each."""
    row = lcs.targets.to_pandas().reset_index()
    row = row[row.sn == sn].iloc[0]
    rows = lcs["sn"] == sn
    one = lcs.to_pandas()[rows].drop(columns="cov_factor", errors="ignore")
    names = [f"copy{i:03d}" for i in range(len(z))]
    epochs = pd.concat([one.assign(sn=name) for name in names], ignore_index=True)
    targets = pd.DataFrame({"sn": names, "z": z, "mwebv": row.mwebv})
    many = read_lightcurves(epochs, targets=targets)
    factor = lcs.covariance_factor[rows]
    return many.with_covariance(factor=np.tile(factor, (len(z), 1))) if factor.size else many


@pytest.mark.slow
def test_a_prior_stands_for_an_unknown_redshift(at_the_ends) -> None:
    """A photometric sample: no z_hel, or a z_err of zero, in one batch with others."""
    lcs, _ = at_the_ends
    z = lcs.targets["z_hel"].copy()
    columns = {name: lcs.targets[name] for name in lcs.targets.table.column_names}
    columns["z_hel"] = np.where(np.arange(len(z)) == 0, np.nan, z)
    columns["z_err"] = np.zeros(len(z))
    blind = replace(lcs, targets=replace(lcs.targets, table=table_from_columns(columns)))
    fits = fit_salt(blind, free=("z",), priors={"z": (z, np.full(len(z), 0.01))})
    assert fits["status"][0] == "ok"
    assert abs(fits["z"][0] - z[0]) < 0.05
    held = fit_salt(blind, free=("z",))
    assert held["status"][0] == "z_invalid"
    ok = held["status"] == "ok"
    assert ok[1:].any()
    np.testing.assert_allclose(held["z"][ok], z[ok], atol=1e-3)
