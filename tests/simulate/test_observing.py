"""Light curves of a log: whatever is observed beside them, with the noise, modes and selection that
they say they have.
"""

from dataclasses import replace

import numpy as np
import pytest

from chandelle.core.errors import InputError
from chandelle.core.units import ZP_NJY
from chandelle.instrument.camera_files import load_camera
from chandelle.simulate.chromatic import SCATTER_NODES
from chandelle.simulate.contaminants import CLASSES
from chandelle.simulate.draw_targets import draw_targets
from chandelle.simulate.footprint import Rectangle
from chandelle.simulate.logs.coverage import camera_view, rectangle
from chandelle.simulate.logs.make import log_clouds, make_log
from chandelle.simulate.logs.ztf import ZTF_LOG
from chandelle.simulate.modes import CalibrationModes
from chandelle.simulate.observing import Observing, observe_targets
from chandelle.simulate.selection import Detection, Spectroscopy
from chandelle.simulate.supernovae import supernova_population

SEED, N = 4, 400
EPOCHS = ["mjd", "band", "flux", "flux_err", "exposure"]
ALL = Detection(epochs=0)


@pytest.fixture(scope="module")
def log():
    return make_log(ZTF_LOG, seed=SEED, nights=80)


@pytest.fixture(scope="module")
def drawn():
    where = Rectangle(120.0, 240.0, 10.0, 70.0)
    season = {"mjd_start": 58225.0, "years": 30 / 365.25}
    return draw_targets(z_max=0.1, n=N, footprint=where, seed=SEED, **season)


@pytest.fixture(scope="module")
def observing(log):
    clouds = log_clouds(log, ZTF_LOG, seed=SEED)
    return Observing(exposures=log, view=rectangle(7.4, 7.4), clouds=clouds, detection=ALL)


@pytest.fixture(scope="module")
def whole(drawn, observing):
    return observe_targets(*drawn, observing, seed=SEED)


def rows_of(lcs, sn):
    return lcs.to_pandas().reset_index().query("sn == @sn")[EPOCHS].reset_index(drop=True)


def test_a_light_curve_is_the_same_whatever_is_observed_beside_it(drawn, observing, whole):
    targets, truth = (part.select(np.arange(100, 103)) for part in drawn)
    few = observe_targets(targets, truth, observing, seed=SEED, threads=1)
    for sn in targets["sn"]:
        assert rows_of(few[0], sn).equals(rows_of(whole[0], sn))
    assert few[1].to_pandas().equals(whole[1].select(np.arange(100, 103)).to_pandas())
    # Half of the log: the exposures that stay give the same fluxes.
    half = np.arange(0, len(observing.exposures), 2)
    part = replace(
        observing, exposures=observing.exposures.select(half), clouds=observing.clouds[half]
    )
    seen = rows_of(observe_targets(targets, truth, part, seed=SEED)[0], targets["sn"][0])
    full = rows_of(whole[0], targets["sn"][0])
    assert 0 < len(seen) < len(full)
    both = full[full["exposure"].isin(seen["exposure"])].reset_index(drop=True)
    assert both.equals(seen)


def test_another_seed_gives_other_noise(drawn, observing, whole):
    other = observe_targets(*drawn, observing, seed=SEED + 1)[0]
    assert np.array_equal(other["exposure"], whole[0]["exposure"])
    assert np.array_equal(other["flux_err"], whole[0]["flux_err"])
    assert not np.any(other["flux"] == whole[0]["flux"])


def test_epochs_are_those_of_the_log_within_the_phases(drawn, observing, whole):
    lcs, log = whole[0], observing.exposures
    row = dict(zip(log["exposure"], range(len(log)), strict=True))
    rows = np.array([row[name] for name in lcs["exposure"]])
    assert np.array_equal(lcs["mjd"], log["mjd"][rows])
    assert np.array_equal(lcs["band"], log["band"][rows])
    of = {sn: k for k, sn in enumerate(drawn[0]["sn"])}
    owner = np.array([of[sn] for sn in lcs["sn"]])
    assert np.all(np.diff(owner) >= 0)
    phase = (lcs["mjd"] - drawn[1]["t0_true"][owner]) / (1 + drawn[0]["z_hel"][owner])
    assert phase.min() >= -18
    assert phase.max() <= 45
    assert len(np.unique(owner)) > 0.9 * N


def true_of(drawn, observing):
    """Fluxes of the same epochs without noise: exposures of next to infinite depth."""
    log = observing.exposures
    columns = {name: log[name] for name in log.table.column_names}
    columns |= {"depth": np.full(len(log), 60.0), "zp": np.full(len(log), 80.0)}
    deep = type(log).from_columns(columns)
    return observe_targets(*drawn, replace(observing, exposures=deep), seed=SEED)[0]["flux"]


def test_noise_is_what_the_errors_say(drawn, observing, whole):
    lcs, exact = whole[0], true_of(drawn, observing)
    pull = (lcs["flux"] - exact) / lcs["flux_err"]
    n = len(pull)
    assert n > 10_000
    assert abs(pull.mean()) < 5 / np.sqrt(n)
    assert abs(pull.std() - 1) < 5 / np.sqrt(2 * n)
    assert np.abs(np.corrcoef(pull[:-1], pull[1:])[0, 1]) < 5 / np.sqrt(n)


def test_errors_are_those_of_depth_photons_and_clouds(drawn, observing, whole):
    clear = observe_targets(*drawn, replace(observing, clouds=None), seed=SEED)[0]
    exact = true_of(drawn, observing)
    log = observing.exposures
    row = dict(zip(log["exposure"], range(len(log)), strict=True))
    rows = np.array([row[name] for name in clear["exposure"]])
    limit = 10 ** (-0.4 * (log["depth"][rows] - ZP_NJY))
    electron = 10 ** (-0.4 * (log["zp"][rows] - ZP_NJY))
    expected = np.sqrt((limit / 5) ** 2 + (np.maximum(exact, 0) - limit) * electron)
    assert np.allclose(clear["flux_err"], expected, rtol=1e-6)
    # Where clouds are thicker than their mean the error is larger, and it is equal without any.
    ratio = whole[0]["flux_err"] / clear["flux_err"]
    is_clear = log["cloud_mag"][rows] == 0
    assert 0.2 < is_clear.mean() < 1
    assert np.allclose(ratio[is_clear], 1, rtol=1e-12)
    cloudy = ratio[~is_clear]
    assert cloudy.min() < 0.99 < 1.01 < cloudy.max()
    assert abs(np.median(cloudy) - 1) < 0.01


def test_modes_move_what_they_say(drawn, observing):
    modes = CalibrationModes(
        shifts={"zp_ztfg": {"ztfg": 0.02}, "tilt": {"ztfg": -0.01, "ztfi": 0.01}}
    )
    plain = true_of(drawn, observing)
    moved = true_of(drawn, replace(observing, modes=modes))
    lcs, truth = observe_targets(*drawn, replace(observing, modes=modes), seed=SEED)
    drawn_modes = truth.meta.provenance["modes_true"]
    assert lcs.modes == ("zp_ztfg", "tilt")
    shift = {
        "ztfg": 0.02 * drawn_modes["zp_ztfg"] - 0.01 * drawn_modes["tilt"],
        "ztfr": 0.0,
        "ztfi": 0.01 * drawn_modes["tilt"],
    }
    expected = np.array([shift[band] for band in lcs["band"]])
    assert np.allclose(moved, plain * 10 ** (-0.4 * expected), rtol=1e-9)
    slope = -0.4 * np.log(10) * lcs["flux"]
    in_g, in_i = lcs["band"] == "ztfg", lcs["band"] == "ztfi"
    assert np.allclose(lcs["dflux_dmode"][:, 0], 0.02 * slope * in_g)
    assert np.allclose(lcs["dflux_dmode"][:, 1], 0.01 * slope * (in_i.astype(float) - in_g))
    assert "modes_true" not in str(lcs.meta.provenance), "who fits must not see what was drawn"


def test_amplitudes_of_modes_are_unit_normal_and_each_its_own():
    modes = CalibrationModes.of_bands({f"band{k}": 0.01 for k in range(400)})
    drawn = modes.draw(3)
    assert abs(drawn.mean()) < 5 / np.sqrt(400)
    assert abs(drawn.std() - 1) < 5 / np.sqrt(800)
    assert CalibrationModes.of_bands({"band7": 1.0}).draw(3)[0] == drawn[7]


def test_who_is_selected(drawn, observing, whole):
    strict = replace(
        observing, detection=Detection(epochs=5), spectroscopy=Spectroscopy(bands=("ztfr",))
    )
    lcs, truth = observe_targets(*drawn, strict, seed=SEED)
    frame = truth.to_pandas()
    kept = frame.loc[frame["is_selected"], "sn"]
    assert lcs.targets["sn"].tolist() == kept.tolist()
    assert set(lcs["sn"]) == set(kept), "five detections are epochs"
    counts = whole[0].to_pandas().eval("flux >= 5 * flux_err").groupby(whole[0]["sn"]).sum()
    assert np.array_equal(frame["n_detections"], counts.reindex(frame["sn"]).fillna(0).astype(int))
    found = frame["n_detections"] >= 5
    chance = 1 - 1 / (1 + np.exp(-3.8 * (frame["peak_mag_true"] - 18.55)))
    assert np.allclose(frame["p_spectrum"], chance)
    assert (frame["is_found"] == found).all()
    # Complete, the chance is still told, and the peak is the same.
    everyone = replace(strict, needs_spectrum=False)
    complete = observe_targets(*drawn, everyone, seed=SEED)[1].to_pandas()
    assert (complete["is_selected"] == found).all()
    for name in ("p_spectrum", "peak_mag_true"):
        assert complete[name].equals(frame[name])
    # What was observed once may be observed again.
    again = observe_targets(drawn[0], truth, strict, seed=SEED)[1]
    assert again.to_pandas().equals(frame)
    expected, scatter = chance[found].sum(), np.sqrt((chance * (1 - chance))[found].sum())
    assert abs(len(kept) - expected) < 5 * scatter
    assert 20 < len(kept) < found.sum()


def test_peaks_are_those_of_the_light_curves(drawn, observing, whole):
    exact = true_of(drawn, observing)
    lcs, truth = whole
    in_r = lcs["band"] == "ztfr"
    best = {sn: exact[in_r & (lcs["sn"] == sn)].max(initial=0) for sn in truth["sn"][:40]}
    strict = replace(observing, spectroscopy=Spectroscopy(bands=("ztfr",)))
    peak = observe_targets(*drawn, strict, seed=SEED)[1]["peak_mag_true"][:40]
    seen = ZP_NJY - 2.5 * np.log10(np.array(list(best.values())))
    # No epoch is brighter than the maximum; some epoch is near it.
    assert (seen - peak).min() > -0.003
    assert np.median(seen - peak) < 0.02


def test_scatter_in_color_is_that_of_the_truth(observing):
    population = supernova_population(chromatic=True)
    where = {"footprint": Rectangle(120.0, 240.0, 10.0, 70.0), "mjd_start": 58225.0}
    targets, truth = draw_targets(population, z_max=0.05, n=20, years=0.08, seed=2, **where)
    with_it = true_of((targets, truth), observing)
    columns = [f"{name}_true" for name in SCATTER_NODES]
    without = replace(truth, table=truth.table.drop_columns(columns))
    plain = true_of((targets, without), observing)
    moved = 2.5 * np.log10(plain / with_it)
    assert 0.01 < moved.std() < 0.1


def test_what_cannot_be_observed_is_refused(drawn, observing):
    targets, truth = drawn
    with pytest.raises(InputError, match="cut both with the same mask"):
        observe_targets(targets.select(np.arange(3)), truth, observing)
    with pytest.raises(InputError, match="calibration mode zp_lsstq: no passband lsstq"):
        modes = CalibrationModes.of_bands({"lsstq": 0.01})
        observe_targets(targets, truth, replace(observing, modes=modes))
    with pytest.raises(InputError, match="spectroscopy: no band lsstr"):
        wrong = Spectroscopy(bands=("lsstr",))
        observe_targets(targets, truth, replace(observing, spectroscopy=wrong))
    far = draw_targets(z_min=3.0, z_max=3.1, n=2, seed=1)
    with pytest.raises(
        InputError, match=r"SN000000: z = 3\.\d+ is beyond the model .* lower z_max"
    ):
        observe_targets(*far, observing)
    mixed = draw_targets(supernova_population(contaminant_fraction=0.5), z_max=0.1, n=20, seed=1)
    assert set(mixed[0]["class"]) - {CLASSES[0]}
    with pytest.raises(InputError, match="core-collapse supernovae have none"):
        observe_targets(*mixed, observing)
    with pytest.raises(InputError, match="epochs must be >= 0"):
        Detection(epochs=-1)


def test_an_exposure_deeper_than_its_photons_is_refused(drawn, observing):
    log = observing.exposures
    columns = {name: log[name] for name in log.table.column_names}
    columns["zp"] = np.full(len(log), 22.0)
    wrong = replace(observing, exposures=type(log).from_columns(columns))
    with pytest.raises(
        InputError, match=r"exposure ZTF-.*deeper than its photons allow .* mend zp"
    ):
        observe_targets(*drawn, wrong)


def test_order_of_the_log_is_of_no_consequence(drawn, observing, whole):
    order = np.random.default_rng(1).permutation(len(observing.exposures))
    mixed = replace(
        observing, exposures=observing.exposures.select(order), clouds=observing.clouds[order]
    )
    found = observe_targets(*drawn, mixed, seed=SEED)[0]
    assert found.table.equals(whole[0].table)


def test_nothing_seen_is_no_error(drawn, log):
    elsewhere = log.select(np.flatnonzero(log["dec"] < -20))
    lcs, truth = observe_targets(*drawn, Observing(exposures=elsewhere, view=rectangle(7.0, 7.0)))
    assert (len(lcs), len(lcs.targets), len(truth)) == (0, 0, N)
    assert not truth["is_selected"].any()


def test_a_camera_has_gaps(drawn, observing):
    camera = camera_view(load_camera("ztf"))
    gaps = observe_targets(*drawn, replace(observing, view=camera), seed=SEED)[0]
    full = observe_targets(*drawn, replace(observing, view=rectangle(7.7, 7.7)), seed=SEED)[0]
    assert set(gaps["exposure"]) <= set(full["exposure"])
    # 47 deg2 of detectors in a square of 59.
    assert abs(len(gaps) / len(full) - 47 / 59.3) < 0.06


def test_bright_epochs_scatter_by_a_floor(drawn, observing, whole):
    share = 0.05
    floored = observe_targets(*drawn, replace(observing, floor={"ztfg": share}), seed=SEED)[0]
    is_g, plain = whole[0]["band"] == "ztfg", whole[0]
    np.testing.assert_array_equal(plain["flux"][~is_g], floored["flux"][~is_g])
    # What the floor adds to the variance is that part of the true flux, squared.
    error = floored["flux_err"][is_g]
    true = np.sqrt(error**2 - plain["flux_err"][is_g] ** 2) / share
    bright = true > 20.0 * plain["flux_err"][is_g]
    pull = ((floored["flux"][is_g] - true) / error)[bright]
    assert len(pull) > 1000
    assert abs(pull.mean()) < 5.0 / np.sqrt(len(pull))
    assert abs(pull.std() - 1.0) < 5.0 / np.sqrt(2.0 * len(pull))
