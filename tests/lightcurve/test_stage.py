"""The fit of many: a row for every target, the same whatever the order, exact at the minimum."""

import dataclasses
import logging

import jax
import numpy as np
import pandas as pd
import pytest

from chandelle.core.errors import InputError
from chandelle.core.flags import Flag
from chandelle.core.units import ZP_NJY
from chandelle.lightcurve.fitting.constraints import constraints_of
from chandelle.lightcurve.ingest import read_lightcurves
from chandelle.lightcurve.residuals import model_curve, model_light_curves, residuals
from chandelle.lightcurve.stage import PHASE_RANGE, FitConfig, fit_salt
from chandelle.physics.salt import load_salt
from chandelle.products.lightcurves import LightCurves

COMPARED = ["t0", "x0", "x1", "c", "t0_err", "x0_err", "x1_err", "c_err", "cov_x1_c", "chi2"]


@pytest.fixture(scope="module")
def sample(draw):
    return draw(12, seed=5)


@pytest.fixture(scope="module")
def lcs(sample) -> LightCurves:
    epochs, targets = sample
    return read_lightcurves(epochs, targets=targets, origin="simulated")


@pytest.fixture(scope="module")
def fits(lcs):
    return fit_salt(lcs)


def add(epochs, targets, name, *, z=0.05, rows):
    """One more target with the given epochs (mjd, band, flux, flux_err)."""
    extra = pd.DataFrame(rows, columns=["mjd", "band", "flux", "flux_err"])
    extra = extra.assign(sn=name, zp=ZP_NJY, zpsys="ab")
    target = pd.DataFrame([{"sn": name, "z": z, "mwebv": 0.0}])
    return pd.concat([epochs, extra]), pd.concat([targets, target])


def noise(n, *, seed, level=0.0):
    rng = np.random.default_rng(seed)
    return [
        (59000.0 + i, "ztfg" if i % 2 else "ztfr", level + 100 * rng.normal(), 100.0)
        for i in range(n)
    ]


def test_what_is_free_is_checked(lcs):
    assert FitConfig.of("fit_salt", free="z").free == ("z",)
    with pytest.raises(InputError, match="free names a parameter twice: z, z"):
        fit_salt(lcs, free=("z", "z"))
    with pytest.raises(InputError, match="fitted by JAX alone"):
        fit_salt(lcs, free="z", engine="cpu")
    with pytest.raises(InputError, match="free"):
        FitConfig.of("fit_salt", free="dust")


def test_a_color_at_its_bound_has_the_width_of_what_falls_off_there(lcs, fits):
    """Slope and bend of half the chi2 along the bound, from fits at bounds nearby."""
    free = fits.to_pandas()
    for sigmas in (2.0, 8.0):
        high = (free.c - sigmas * free.c_err).to_numpy()
        step = 0.02 * free.c_err.to_numpy()
        at = [
            fit_salt(lcs, bounds={"c": (-1.5, high + side * step)}).to_pandas()
            for side in (-1.0, 0.0, 1.0)
        ]
        assert (at[1].status == "ok").all()
        assert ((at[1]["flags"] & int(Flag.AT_BOUND)) > 0).all()
        np.testing.assert_array_equal(at[1].c, high)
        slope = (at[2].chi2 - at[0].chi2) / (4 * step)
        bend = (at[2].chi2 - 2 * at[1].chi2 + at[0].chi2) / (2 * step**2)
        same = (at[0].n_used == at[1].n_used) & (at[2].n_used == at[1].n_used)
        assert same.sum() > 8
        expected = 1 / np.sqrt(slope**2 + bend)
        np.testing.assert_allclose(at[1].c_err[same], expected[same], rtol=1e-3)


def test_every_bad_target_has_its_row_and_reason(sample):
    epochs, targets = sample
    epochs, targets = epochs[epochs.sn < "sn002"], targets[:2]
    one = epochs[epochs.sn == "sn000"][["mjd", "band", "flux", "flux_err"]].to_numpy().tolist()
    bad = {
        "no_data": {"rows": []},
        "z_invalid": {"rows": one, "z": -9.0},
        "underconstrained": {"rows": one[:3]},
        "no_detection": {"rows": noise(40, seed=1)},
        "negative": {"rows": noise(40, seed=2, level=-300.0)},
        "no_band_in_range": {"rows": [(m, "ztfg", f, e) for m, _, f, e in one], "z": 2.0},
        "an hour": {"rows": [(59000 + 1e-2 * k, "ztfr", 1e5, 1e3) for k in range(5)]},
    }
    for name, what in bad.items():
        epochs, targets = add(epochs, targets, name, **what)
    fits = fit_salt(read_lightcurves(epochs, targets=targets))
    assert fits["sn"].tolist() == targets.sn.tolist()
    table = fits.to_pandas()
    status = table.status.copy()
    assert (status[:2] == "ok").all()
    # Epochs of one hour do not tell the parameters apart: a Hessian that is singular, or nearly.
    assert status.pop("an hour") in ("singular_covariance", "underconstrained")
    for name in status.index[2:]:
        assert status[name] == ("no_detection" if name == "negative" else name)
    failed = table[table["status"] != "ok"]
    assert failed[["t0", "x0", "x1", "c", "mb", "chi2", "x1_err"]].isna().all(axis=None)
    assert table["flags"]["no_detection"] & Flag.UPPER_LIMIT
    assert fits.meta.provenance["status"]["ok"] == 2


def test_order_and_company_are_irrelevant(sample, fits):
    epochs, targets = sample
    rng = np.random.default_rng(0)
    mixed = epochs.iloc[rng.permutation(len(epochs))]
    order = rng.permutation(len(targets))
    other = fit_salt(read_lightcurves(mixed, targets=targets.iloc[order])).to_pandas()
    same = fits.to_pandas()
    sigma = same[[f"{n}_err" for n in ("t0", "x0", "x1", "c")]].to_numpy()
    shuffled = other.loc[same.index]
    for name in COMPARED:
        np.testing.assert_allclose(shuffled[name], same[name], rtol=1e-7, atol=1e-9, err_msg=name)
    few = fit_salt(read_lightcurves(mixed, targets=targets).select_targets(np.array([3, 7])))
    moved = (
        few.to_pandas()[["t0", "x0", "x1", "c"]].to_numpy()
        - same[["t0", "x0", "x1", "c"]].iloc[[3, 7]].to_numpy()
    )
    assert np.abs(moved / sigma[[3, 7]]).max() < 1e-5


def test_the_answer_is_a_minimum_of_an_independent_chi2(lcs, fits):
    """Central differences of a chi2 made of `SaltModel.bandflux` vanish at the answer."""
    salt, table = load_salt("salt3-f22"), fits.to_pandas()
    for sn in ("sn000", "sn001"):
        rows, fit = lcs.of(sn).to_pandas(), table.loc[sn]
        phase = (rows.mjd - fit.t0) / (1 + fit.z)
        rows = rows[phase.between(*PHASE_RANGE)]

        def chi2(rows=rows, fit=fit, **shift):
            theta = {k: fit[k] + shift.get(k, 0.0) for k in ("t0", "x0", "x1", "c")}
            flux = salt.bandflux(
                rows.band.tolist(),
                rows.mjd.to_numpy(),
                z=fit.z,
                mwebv=fit.mwebv,
                zp=ZP_NJY,
                **theta,
            )
            return float((((rows.flux - np.asarray(flux)) / rows.flux_err) ** 2).sum())

        assert chi2() == pytest.approx(fit.chi2, rel=1e-9)
        for name in ("t0", "x0", "x1", "c"):
            step = 0.05 * fit[f"{name}_err"]
            slope = (chi2(**{name: step}) - chi2(**{name: -step})) / (2 * step)
            # A slope of 2 delta / sigma^2 is an answer delta away: ask delta < 1e-3 sigma.
            assert abs(slope * fit[f"{name}_err"]) < 2e-3, name


def test_errors_are_the_scatter_of_the_answers(fits, sample):
    truth = sample[1].set_index("sn")
    table = fits.to_pandas()
    pulls = np.concatenate(
        [((table[n] - truth[n]) / table[f"{n}_err"]).to_numpy() for n in ("t0", "x0", "x1", "c")]
    )
    assert abs(pulls.std() - 1) < 5 / np.sqrt(2 * len(pulls))
    assert abs(pulls.mean()) < 5 / np.sqrt(len(table))


def test_peak_magnitude_and_its_covariances_follow_from_x0(fits):
    table = fits.to_pandas()
    np.testing.assert_allclose(
        table.mb, fits.meta.provenance["mb_offset"] - 2.5 * np.log10(table.x0), atol=1e-12
    )
    rate = -2.5 / np.log(10) / table.x0
    np.testing.assert_allclose(table.mb_err, -rate * table.x0_err)
    np.testing.assert_allclose(table.cov_mb_x1, rate * table.cov_x0_x1)
    assert np.linalg.eigvalsh(fits.distance_covariance()).min() > 0


def test_very_red_supernovae_are_fitted_with_the_longer_series():
    salt = load_salt("salt3-f22")
    mjd = np.tile(np.arange(58985.0, 59040.0, 3.0), 3)
    band = np.repeat(["ztfg", "ztfr", "ztfi"], len(mjd) // 3)
    theta = {"z": 0.03, "t0": 59000.0, "x0": 1e-2, "x1": 0.5, "c": 0.8}
    flux = np.asarray(salt.bandflux(band.tolist(), mjd, zp=ZP_NJY, **theta))
    frame = pd.DataFrame(
        {
            "sn": "red",
            "mjd": mjd,
            "band": band,
            "flux": flux,
            "flux_err": 0.01 * flux.max(),
            "zp": ZP_NJY,
        }
    )
    fit = (
        fit_salt(read_lightcurves(frame, targets=pd.DataFrame({"sn": ["red"], "z": [0.03]})))
        .to_pandas()
        .loc["red"]
    )
    # Noiseless: the answer is the truth to the tolerance of the descent, 1e-5 sigma.
    for name in ("t0", "x0", "x1", "c"):
        assert abs(fit[name] - theta[name]) < 2e-5 * fit[f"{name}_err"], name
    assert fit.chi2 < 1e-9


def test_phase_and_wave_ranges_cut_what_they_say(lcs, fits):
    cut = fit_salt(lcs, phase_range=(-10.0, 30.0), wave_range=(3000.0, 7000.0)).to_pandas()
    frame, z = lcs.to_pandas(), lcs.targets.to_pandas().set_index("sn").z_hel
    for sn, rows in frame.groupby("sn"):
        if cut.status[sn] != "ok":
            continue
        phase = (rows.mjd - cut.t0[sn]) / (1 + z[sn])
        bands = rows.band.map(lambda b: MEAN[b]) / (1 + z[sn])
        inside = (phase > -10) & (phase < 30) & (bands > 3000) & (bands < 7000)
        assert cut.ndof[sn] == inside.sum() - 4
    assert (cut.ndof < fits.to_pandas().ndof).any()


MEAN = {}


@pytest.fixture(autouse=True)
def mean_waves():
    from chandelle.instrument.passbands import list_passbands, load_passband

    MEAN.update({name: load_passband(name).mean_wave for name in list_passbands()})


def test_a_band_beyond_the_model_is_dropped_and_flagged(sample):
    epochs, targets = sample
    one = epochs[epochs.sn == "sn001"]
    extra = one[:5].assign(band="lsstu")
    target = targets[targets.sn == "sn001"].assign(z=0.7)
    lcs = read_lightcurves(pd.concat([one, extra]), targets=target)
    fit = fit_salt(lcs).to_pandas().iloc[0]
    assert fit["flags"] & Flag.BAND_DROPPED
    model = load_salt("salt3-f22")
    assert np.isnan(
        model_light_curves(fit_salt(lcs), lcs, model=model)[lcs["band"] == "lsstu"]
    ).all()


def test_residuals_and_curves_are_the_model(lcs, fits):
    found = residuals(fits, lcs)
    salt, table = load_salt("salt3-f22"), fits.to_pandas()
    fitted = (found["phase"] > PHASE_RANGE[0]) & (found["phase"] < PHASE_RANGE[1])
    chi2 = [(found["pull"][fitted & (lcs["sn"] == sn)] ** 2).sum() for sn in table.index]
    np.testing.assert_allclose(chi2, table.chi2, rtol=1e-8)
    rows = (lcs["sn"] == "sn003") & (lcs["band"] == "lsstr")
    curve = model_curve(table.loc["sn003"], "lsstr", lcs["mjd"][rows], model=salt)
    np.testing.assert_allclose(found["model_flux"][rows], curve, rtol=1e-9, atol=1e-6)
    with pytest.raises(InputError, match="same targets"):
        residuals(fits.select(np.arange(3)), lcs)


def test_bounds_that_exclude_the_data_are_named(lcs):
    for bounds in ({"t0": (1000.0, 2000.0)}, {"x0": (10.0, 20.0)}):
        fits = fit_salt(lcs, bounds=bounds)
        assert (fits["status"] == "bounds_exclude_data").all()
        assert not (fits["flags"] & Flag.UPPER_LIMIT).any()


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ({"priors": {"x1": (np.nan, 1.0)}}, "got NaN"),
        ({"bounds": {"c": (np.nan, 1.0)}}, "got NaN"),
        ({"priors": {"x1": (np.zeros((12, 2)), 1.0)}}, r"got shape \(12, 2\)"),
        ({"bounds": {"x1": (np.zeros(3), 1.0)}}, r"got shape \(3,\)"),
    ],
)
def test_pairs_that_are_none_are_refused(lcs, what, message):
    with pytest.raises(InputError, match=message):
        fit_salt(lcs, **what)


def test_a_number_is_no_prior():
    with pytest.raises(InputError, match=r"x1 must be \(mean, sigma\), got 0.0"):
        constraints_of(3, extra=(), c_max=1.0, bounds={}, priors={"x1": 0.0})


def test_answers_rest_under_the_model_covariance(draw):
    """One more round moves nothing by more than a thousandth of an error, or it is flagged."""
    epochs, targets = draw(200, seed=7)
    lcs = read_lightcurves(epochs, targets=targets)
    fits = fit_salt(lcs, model_cov=True, phase_range=None).to_pandas()
    starts = {"t0": (fits["t0"].to_numpy() - 1e-9, fits["t0"].to_numpy() + 1e-9)}
    held = fit_salt(lcs, model_cov=True, phase_range=None, bounds=starts).to_pandas()
    at_rest = (fits["status"] == "ok") & ((fits["flags"] & int(Flag.NOT_AT_REST)) == 0)
    assert at_rest.mean() > 0.98
    assert (held["status"] == "ok").all()
    for name in ("x0", "x1", "c"):
        moved = ((held[name] - fits[name]) / fits[f"{name}_err"]).abs()
        assert moved[at_rest].max() < 1e-3


@pytest.mark.slow
def test_few_kernels_are_compiled(lcs, caplog):
    """Any number of supernovae of one padded shape costs one compilation of each kernel."""
    kernels = ("descend", "scan_starts", "make_tables")

    def compiled(n: int) -> list[str]:
        caplog.clear()
        with jax.log_compiles(), caplog.at_level(logging.WARNING):
            fit_salt(lcs.select_targets(np.arange(n)), engine="jax")
        lines = [r.getMessage() for r in caplog.records]
        lines = [line for line in lines if line.startswith("Finished XLA compilation")]
        return [line for line in lines if any(kernel in line for kernel in kernels)]

    jax.clear_caches()
    assert len(compiled(9)) >= len(kernels)
    assert compiled(11) == []
    assert compiled(10) == []


def test_progress_is_told_and_settings_are_recorded(lcs):
    told = []
    fits = fit_salt(lcs, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (12, 12)
    assert fits.meta.origin == "simulated"
    assert fits.meta.provenance["model"] == "salt3-f22"
    assert FitConfig(**fits.meta.provenance["fit"]) == FitConfig()


def test_impossible_settings_are_refused(lcs):
    with pytest.raises(InputError, match="low < high"):
        fit_salt(lcs, phase_range=(40.0, -10.0))
    with pytest.raises(InputError, match="no SALT model"):
        fit_salt(lcs, model="salt9")


def test_tables_are_taken_directly(sample):
    epochs, targets = sample
    merged = epochs.merge(targets[["sn", "z", "mwebv"]], on="sn")
    fits = fit_salt(merged[merged.sn == "sn000"])
    assert fits["status"].tolist() == ["ok"]
    assert jax.config.read("jax_enable_x64")


def test_bad_epochs_of_light_curves_made_by_hand_do_not_cost_the_target(lcs, caplog):
    sn = lcs.targets["sn"][0]
    mine = lcs.select(lcs["sn"] == sn).select_targets(lcs.targets["sn"] == sn)
    good = np.arange(len(mine)) % 5 > 0
    expected = fit_salt(mine.select(good)).to_pandas().loc[sn]
    for column, value in (("flux", np.nan), ("flux_err", 0.0), ("mjd", np.inf)):
        values = np.where(good, mine[column], value)
        at = mine.table.column_names.index(column)
        table = mine.table.set_column(at, mine.table.schema.field(at), [values])
        fit = fit_salt(dataclasses.replace(mine, table=table)).to_pandas().loc[sn]
        assert fit.status == "ok"
        assert (fit[COMPARED] == expected[COMPARED]).all()
        assert fit["flags"] == expected["flags"] | Flag.POINTS_REJECTED
    assert "are left out" in caplog.text


@pytest.mark.parametrize("setting", [{"c_max": -1.0}, {"r_v": 0.0}])
def test_impossible_settings_are_refused_by_name(lcs, setting):
    with pytest.raises(InputError, match=f"fit_salt: {next(iter(setting))}"):
        fit_salt(lcs, **setting)
