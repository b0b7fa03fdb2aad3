"""Frames of skysurvey: read back and observed; skysurvey 1.3.0 itself takes and makes them."""

import warnings

import numpy as np
import pandas as pd
import pytest
import sncosmo

import chandelle as ch
from chandelle.core.errors import InputError
from chandelle.core.units import ZP_NJY
from chandelle.instrument.passbands import list_passbands, load_passband
from chandelle.physics.salt import load_salt
from chandelle.simulate.curves import SaltSample, true_fluxes
from chandelle.simulate.logs.coverage import rectangle
from chandelle.simulate.observing import Observing, observe_targets
from chandelle.simulate.sample import simulate_lightcurves
from chandelle.simulate.skysurvey_frames import from_skysurvey, to_skysurvey

# It opens files that it does not close, and that is told when they are collected.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")


@pytest.fixture(scope="module")
def sample():
    return simulate_lightcurves(seed=6, n={"ZTF": 8, "DEEP": 0})


def test_a_sample_goes_out_and_is_read_as_it_was(sample):
    data, targets = to_skysurvey(sample.lightcurves, sample.truth)
    assert targets.index.tolist() == sample.lightcurves.targets["sn"].tolist()
    known = targets.rename_axis("sn").reset_index().rename(columns={"z": "z_hel"})
    back = ch.read_lightcurves(data, targets=known[["sn", "z_hel", "mwebv"]], origin="simulated")
    own = sample.lightcurves
    for sn in targets.index:
        for name in ("mjd", "flux", "flux_err"):
            assert np.allclose(
                back.of(sn)[name].to_numpy(), own.of(sn)[name].to_numpy(), rtol=1e-12
            )
    with pytest.raises(InputError, match="8 targets have no truth"):
        to_skysurvey(own, sample.truth.select(np.arange(0)))


def test_targets_come_in_and_are_observed_alike(sample):
    _, frame = to_skysurvey(sample.lightcurves, sample.truth)
    targets, truth = from_skysurvey(frame, survey="ZTF")
    observing = Observing(exposures=sample.exposures["ZTF"], view=rectangle(7.4, 7.4))
    found = observe_targets(targets, truth, observing, seed=6, survey="ZTF")[0]
    names = frame.index.to_numpy()
    rows = [np.flatnonzero(sample.truth["sn"] == name)[0] for name in names]
    same = observe_targets(
        sample.lightcurves.targets, sample.truth.select(rows), observing, seed=6, survey="ZTF"
    )[0]
    assert np.allclose(found["flux"], same["flux"], rtol=1e-10)
    assert found["exposure"].tolist() == same["exposure"].tolist()


def test_frames_that_cannot_be():
    frame = pd.DataFrame({name: [0.1, 0.2] for name in ("z", "t0", "x0", "x1", "c", "ra")})
    with pytest.raises(InputError, match="no column dec; expected z, t0"):
        from_skysurvey(frame)
    frame["dec"] = 0.0
    assert from_skysurvey(frame)[0]["sn"].tolist() == ["SN000000", "SN000001"]
    with pytest.raises(InputError, match="names of the index must differ"):
        from_skysurvey(frame.set_index(pd.Index([3, 3])))


@pytest.fixture(scope="module")
def skysurvey():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(
            "skysurvey", reason="not among the extras of tests: pip install -e '.[peers]'"
        )


@pytest.fixture(scope="module")
def source(salt_folder):
    for name in list_passbands():
        band = load_passband(name)
        sncosmo.register(sncosmo.Bandpass(band.wave, band.transmission, name=name), force=True)
    return sncosmo.SALT3Source(modeldir=str(salt_folder), name="salt3-f22")


def ours(table, mjd, band, mwebv):
    """Fluxes of our own loops for the epochs of one table after the other, at zero point 25."""
    bands = sorted(set(np.concatenate(band)))
    sample = {name: table[name].to_numpy(float) for name in ("z", "t0", "x0", "x1", "c")}
    flux = true_fluxes(
        load_salt("salt3-f22"),
        [load_passband(name) for name in bands],
        SaltSample(**sample, mwebv=mwebv),
        mjd=np.concatenate(mjd).astype(float),
        band=np.searchsorted(bands, np.concatenate(band)),
        first=np.cumsum([0, *map(len, mjd)]),
    )
    return flux * 10 ** (0.4 * (25.0 - ZP_NJY))


def test_a_dataset_of_our_frames(skysurvey, source, sample):
    data, frame = to_skysurvey(sample.lightcurves, sample.truth)
    targets = skysurvey.SNeIa.from_data(frame.copy(), template=source)
    dataset = skysurvey.DataSet(data, targets=targets)
    assert dataset.obs_index.tolist() == frame.index.tolist()
    counts = dataset.get_ndetection()
    by_us = dict(zip(sample.truth["sn"], sample.truth["n_detections"], strict=True))
    assert [counts.get(sn, 0) for sn in frame.index] == [by_us[sn] for sn in frame.index]
    assert len(dataset.get_data(join_bandday=True)) <= len(data)
    phases = dataset.get_data(add_phase=True)["phase"]
    assert phases.notna().all()
    assert phases.between(-18.0, 45.0).all()
    # Its amplitudes are those of magabs at its own distance: put the truth's in its place.
    epochs = [data.loc[sn] for sn in frame.index]
    mjd, band = ([one[name].to_numpy() for one in epochs] for name in ("mjd", "band"))
    nearer = (frame["magobs"] - frame["magabs"]) - targets.cosmology.distmod(frame["z"]).value
    their = [
        targets.get_target_template(sn, as_model=True, set_magabs=True).bandflux(b, m, 25.0, "ab")
        * 10 ** (-0.4 * nearer[sn])
        for sn, m, b in zip(frame.index, mjd, band, strict=True)
    ]
    flux = ours(frame, mjd, band, np.zeros(len(frame)))
    np.testing.assert_allclose(flux, np.concatenate(their), rtol=5e-5, atol=1e-6 * flux.max())


def test_targets_that_it_draws_have_its_fluxes(skysurvey, source, monkeypatch):
    import shapely.geometry

    one, size = np.random.default_rng(3), 6
    monkeypatch.setattr(np.random, "default_rng", lambda *_: one)
    targets = skysurvey.SNeIa.from_draw(
        size=size, zmax=0.06, tstart=58300, tstop=58330, template=source
    )
    places = targets.data[["ra", "dec"]].to_numpy()
    n = 40
    pointings = {
        "mjd": np.tile(np.linspace(58280.0, 58380.0, n), size),
        "band": np.tile(["ztfg", "ztfr"], size * n // 2),
        "ra": np.repeat(places[:, 0], n),
        "dec": np.repeat(places[:, 1], n),
        **{"skynoise": 100.0, "gain": 6.0, "zp": 25.0},
    }
    box = shapely.geometry.box(-0.1, -0.1, 0.1, 0.1)
    survey = skysurvey.Survey.from_pointings(pd.DataFrame(pointings), footprint=box)
    made = skysurvey.DataSet.from_targets_and_survey(
        targets, survey, phase_range=[-18.0, 45.0], incl_error=False
    )
    assert "x0" not in targets.data
    _, truth = from_skysurvey(targets.data)
    frame = targets.data.assign(x0=truth["x0_true"]).loc[made.obs_index]
    epochs = [made.data.loc[i] for i in frame.index]
    mjd, band = ([one[name].to_numpy() for one in epochs] for name in ("mjd", "band"))
    their = made.data["flux"].to_numpy()
    flux = ours(frame, mjd, band, np.zeros(len(frame)))
    assert len(flux) > 10 * len(frame) > 30
    # Both look for the maximum on a grid, each within 0.05 mmag of it.
    np.testing.assert_allclose(flux, their, rtol=5e-5, atol=1e-6 * flux.max())
