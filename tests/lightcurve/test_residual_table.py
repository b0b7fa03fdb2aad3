"""Residuals of epochs and their means by phase and wavelength, against numpy and sncosmo."""

import numpy as np
import pandas as pd
import pytest

from chandelle.core.errors import InputError
from chandelle.core.units import ZP_NJY
from chandelle.instrument.passbands import load_passband
from chandelle.lightcurve.ingest import read_lightcurves
from chandelle.lightcurve.residual_bins import bin_residuals
from chandelle.lightcurve.residuals import residual_table
from chandelle.lightcurve.stage import fit_salt


@pytest.fixture(scope="module")
def fitted(draw):
    epochs, targets = draw(10, seed=11)
    lcs = read_lightcurves(epochs, targets=targets, origin="simulated")
    return fit_salt(lcs), lcs


@pytest.fixture(scope="module")
def table(fitted):
    return residual_table(*fitted)


def drawn_table(n=4000, *, seed=3):
    """Epochs of sixty supernovae with a model 5 % too bright in one corner."""
    rng = np.random.default_rng(seed)
    phase, wave = rng.uniform(-20, 50, n), rng.uniform(3000, 9000, n)
    model, err = rng.uniform(10, 200, n), rng.uniform(2, 20, n)
    true = model * np.where((phase >= 0) & (wave >= 6000), 0.95, 1.0)
    residual = true + err * rng.normal(size=n) - model
    return pd.DataFrame(
        {
            "sn": np.array([f"sn{i:02d}" for i in rng.integers(0, 60, n)]),
            "phase": phase,
            "wave": wave,
            "flux_err": err,
            "model": model,
            "residual": residual,
            "pull": residual / err,
            "in_fit": rng.random(n) < 0.8,
        }
    )


def test_model_is_that_of_sncosmo(fitted, table, salt3_in_sncosmo):
    fits, lcs = fitted
    assert len(table) == len(lcs)
    for fit in fits.to_pandas().iloc[[0, 1]].itertuples():
        rows = table[(table["sn"] == fit.Index) & table["phase"].between(-15, 45)]
        mwebv = float(fit.mwebv)
        salt3_in_sncosmo.set(z=fit.z, t0=fit.t0, x0=fit.x0, x1=fit.x1, c=fit.c, mwebv=mwebv)
        theirs = salt3_in_sncosmo.bandflux(
            rows["band"].to_numpy(), rows["mjd"].to_numpy(), zp=ZP_NJY, zpsys="ab"
        )
        # 2e-4 of the peak: sncosmo samples bands on another grid of wavelengths.
        assert np.abs(rows["model"] - theirs).max() < 2e-4 * theirs.max()
        assert np.allclose(rows["residual"], rows["flux"] - rows["model"], rtol=1e-12)
        assert np.allclose(rows["pull"], rows["residual"] / rows["flux_err"], rtol=1e-12)
        wave = [load_passband(band).mean_wave / (1 + fit.z) for band in rows["band"]]
        assert np.allclose(rows["wave"], wave)


def test_epochs_in_the_fit_add_up_to_its_chi2(fitted, table):
    fits, _ = fitted
    use = table[table["in_fit"]]
    groups = use.groupby("sn")["pull"]
    assert groups.size().loc[fits["sn"]].tolist() == (fits["ndof"] + 4).tolist()
    chi2 = groups.apply(lambda pull: np.sum(pull**2)).loc[fits["sn"]]
    assert np.allclose(chi2, fits["chi2"], rtol=1e-6)
    assert 0 < (~table["in_fit"]).sum() < len(table)


def test_some_fits_have_the_rows_of_their_own(fitted, table):
    fits, lcs = fitted
    few = residual_table(fits.select(np.array([7, 2])), lcs)
    assert set(few["sn"]) == {fits["sn"][7], fits["sn"][2]}
    one = fits["sn"][7]
    assert np.allclose(few.loc[few["sn"] == one, "model"], table.loc[table["sn"] == one, "model"])
    with pytest.raises(InputError, match=f"1 of 10 fits have no light curve, first {one}"):
        residual_table(fits, lcs.select_targets(np.arange(10) != 7))


def test_bins_are_those_of_plain_numpy():
    table = drawn_table()
    phases, waves = np.array([-10.0, 0.0, 20.0]), np.array([4000.0, 6000.0, 8000.0])
    bins = bin_residuals(table, phase_bins=phases, wave_bins=waves)
    seen = 0
    assert bins["wave_low"].tolist() == [4000.0, 6000.0] * 2
    for row in bins.itertuples():
        part = table[
            table["in_fit"]
            & (table["phase"] >= row.phase_low)
            & (table["phase"] < row.phase_high)
            & (table["wave"] >= row.wave_low)
            & (table["wave"] < row.wave_high)
        ]
        pull, n = part["pull"].to_numpy(), len(part)
        seen += n
        weight = (part["model"] / part["flux_err"]) ** 2
        factor = np.average(part["residual"] / part["model"], weights=weight)
        scores = (weight * (part["residual"] / part["model"] - factor)).groupby(part["sn"]).sum()
        between = np.sqrt(len(scores) / (len(scores) - 1) * (scores**2).sum()) / weight.sum()
        slope = 2.5 / np.log(10) / (1 + factor)
        expected = {
            "n": n,
            "n_sn": part["sn"].nunique(),
            "phase": part["phase"].mean(),
            "wave": part["wave"].mean(),
            "pull_mean": pull.mean(),
            "pull_mean_err": pull.std(ddof=1) / np.sqrt(n),
            "pull_scatter": pull.std(ddof=1),
            "pull_scatter_err": pull.std(ddof=1) / np.sqrt(2 * (n - 1)),
            "chi2_per_n": np.mean(pull**2),
            "chi2_per_n_err": np.std(pull**2, ddof=1) / np.sqrt(n),
            "residual_mag": -2.5 * np.log10(1 + factor),
            "residual_mag_err": slope / np.sqrt(weight.sum()),
            "residual_mag_err_sn": slope * between,
        }
        for name, value in expected.items():
            assert getattr(row, name) == pytest.approx(value, rel=1e-9), name
    assert seen + bins.attrs["outside"] == table["in_fit"].sum()


def test_a_defect_of_the_model_is_found_where_it_is():
    bins = bin_residuals(
        drawn_table(20_000), phase_bins=[-20, 0, 50], wave_bins=[3000, 6000, 9000], in_fit=False
    )
    expected = np.array([0.0, 0.0, 0.0, -2.5 * np.log10(0.95)])
    far = (bins["residual_mag"] - expected) / bins["residual_mag_err"]
    assert np.abs(far).max() < 4.0
    assert bins["residual_mag"].iloc[3] > 10 * bins["residual_mag_err_sn"].iloc[3]
    # Epochs are independent here, so both errors are the same but for their own scatter.
    ratio = bins["residual_mag_err_sn"] / bins["residual_mag_err"]
    assert ratio.between(0.7, 1.3).all()


def test_empty_bins_stay_and_bad_edges_are_named():
    bins = bin_residuals(drawn_table(50), wave_bins=[1000, 2000, 10_000], phase_bins=[-20, 50])
    assert bins["n"].tolist() == [0, drawn_table(50)["in_fit"].sum()]
    assert np.isnan(bins["pull_mean"].iloc[0])
    with pytest.raises(InputError, match="phase_bins must be two or more growing edges"):
        bin_residuals(drawn_table(50), phase_bins=[10, 0])


def test_supernovae_that_share_an_error_widen_the_mean():
    table = drawn_table(20_000)
    shift = dict(
        zip(table["sn"].unique(), np.random.default_rng(1).normal(0, 0.1, 60), strict=True)
    )
    shared = table["model"] * table["sn"].map(shift).to_numpy(dtype=float)
    table["residual"] += shared
    table["pull"] = table["residual"] / table["flux_err"]
    bins = bin_residuals(table, phase_bins=[-20, 0], wave_bins=[3000, 6000])
    assert bins["residual_mag_err_sn"].iloc[0] == pytest.approx(1.0857 * 0.1 / np.sqrt(60), rel=0.3)
    assert bins["residual_mag_err_sn"].iloc[0] > 3 * bins["residual_mag_err"].iloc[0]
