"""Simulated light curves: fluxes against sncosmo, names against chunking, noise against truth."""

import dataclasses
import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import sncosmo

from chandelle.core.errors import InputError
from chandelle.core.rng import key_for
from chandelle.core.units import C_KM_S, ZP_NJY
from chandelle.instrument.passbands import load_passband
from chandelle.physics.salt import load_salt
from chandelle.products.lightcurves import LightCurves
from chandelle.simulate.cadence import DEEP, ZTF
from chandelle.simulate.observing import make_sky, observe_all
from chandelle.simulate.population import Nature
from chandelle.simulate.survey import simulate_lightcurves
from chandelle.simulate.truth import Truth

N_LOW, N_HIGH = 60, 60


@pytest.fixture(scope="module")
def survey():
    return simulate_lightcurves(seed=3, n_low=N_LOW, n_high=N_HIGH)


@pytest.fixture(scope="module")
def model(salt_folder):
    source = sncosmo.SALT3Source(modeldir=str(salt_folder))
    dust = sncosmo.F99Dust()
    return sncosmo.Model(source, effects=[dust], effect_names=["mw"], effect_frames=["obs"])


def bandpass(name):
    band = load_passband(name)
    return sncosmo.Bandpass(band.wave, band.transmission, name=name)


@pytest.mark.parametrize("observer", [ZTF, DEEP])
def test_noiseless_flux_is_that_of_sncosmo(observer, model):
    nature = Nature()
    root = key_for(11, observer.name)
    sky = make_sky(observer, nature, load_salt("salt3-f22"), key=key_for(root, "weather"))
    observed = observe_all(sky, nature, ["a", "b", "c"], root=root)
    bands = [bandpass(band.band) for band in observer.bands]
    for i in range(3):
        state = {
            name: float(getattr(observed.state, name)[i]) for name in ("z", "t0", "x0", "x1", "c")
        }
        model.set(**state, mwebv=float(observed.state.mwebv[i]))
        # Not at the very ends, where sncosmo's own model range cuts by rounding.
        taken = observed.visits.is_taken[i]
        mjd, band = observed.visits.mjd[i][taken], observed.visits.band[i][taken]
        expected = np.array(
            [
                model.bandflux(bands[row], time, zp=ZP_NJY, zpsys="ab")
                for time, row in zip(mjd, band, strict=True)
            ]
        )
        found = observed.flux_true[i][taken]
        assert len(found) > 20
        # 1e-10 of the peak: fluxes near zero have no relative meaning.
        assert np.abs(found - expected).max() < 1e-10 * np.abs(expected).max()


def test_a_supernova_does_not_depend_on_the_others(survey):
    fewer = simulate_lightcurves(seed=3, n_low=7, n_high=53)
    for name in ("ZTF0000", "ZTF0006", "DEEP0000", "DEEP0051"):
        assert fewer.lightcurves.of(name).equals(survey.lightcurves.of(name))
    rows = np.isin(survey.truth["sn"], fewer.truth["sn"])
    assert survey.truth.table.filter(rows).equals(fewer.truth.table)


def test_seeds_differ(survey):
    other = simulate_lightcurves(seed=4, n_low=1, n_high=1)
    assert other.truth["x1_true"][0] != survey.truth["x1_true"][0]


def test_fluxes_scatter_about_the_truth_by_their_errors(survey):
    salt = load_salt("salt3-f22")
    truth, lcs = survey.truth, survey.lightcurves
    pulls = []
    for i in range(0, N_LOW + N_HIGH, 12):
        epochs = lcs.of(truth["sn"][i])
        exact = salt.bandflux(
            epochs["band"].to_pylist(),
            epochs["mjd"].to_numpy(),
            z=lcs.targets["z_hel"][i],
            t0=truth["t0_true"][i],
            x0=truth["x0_true"][i],
            x1=truth["x1_true"][i],
            c=truth["c_true"][i],
            mwebv=lcs.targets["mwebv"][i],
            zp=ZP_NJY,
        )
        pulls.append(
            (epochs["flux"].to_numpy() - np.asarray(exact)) / epochs["flux_err"].to_numpy()
        )
    pulls = np.concatenate(pulls)
    n = len(pulls)
    assert n > 500
    assert abs(pulls.mean()) < 5 / np.sqrt(n)
    assert abs(pulls.std() - 1) < 5 / np.sqrt(2 * n)


def test_truth_hangs_together(survey):
    truth, targets = survey.truth, survey.lightcurves.targets
    assert truth["sn"].tolist() == targets["sn"].tolist()
    z = (1 + truth["z_cos_true"]) * (1 + truth["vpec_true"] / C_KM_S) - 1
    assert np.allclose(z, targets["z_hel"], rtol=1e-12)
    low = truth["survey"] == "ZTF"
    assert low.sum() == N_LOW
    assert (truth["z_cos_true"][low] < 0.1).all()
    assert (truth["z_cos_true"][~low] > 0.1).all()
    measured = targets["host_logmass"] - truth["host_logmass_true"]
    assert abs(measured.std() / Nature().logmass_err - 1) < 5 / np.sqrt(2 * len(truth))
    assert survey.lightcurves.meta.origin == "simulated"


def test_every_supernova_is_seen_about_maximum(survey):
    # What makes selection negligible: epochs before and after, signal in two bands.
    for name, t0, z in zip(
        survey.truth["sn"],
        survey.truth["t0_true"],
        survey.lightcurves.targets["z_hel"],
        strict=True,
    ):
        epochs = survey.lightcurves.of(name).to_pandas()
        epochs["phase"] = (epochs.mjd - t0) / (1 + z)
        epochs["weight"] = epochs.flux_err**-2.0
        near = epochs[epochs.phase.between(-10, 20)]
        sums = near.assign(signal=near.flux * near.weight).groupby("band")[["signal", "weight"]]
        sums = sums.sum()
        assert (sums.signal / np.sqrt(sums.weight) > 5).sum() >= 2, name
        assert epochs.phase.between(-12, 0).sum() >= 2
        assert epochs.phase.between(0, 20).sum() >= 4


def test_files(survey, tmp_path):
    survey.write(tmp_path)
    lcs = LightCurves.read(tmp_path / "lightcurves")
    truth = Truth.read(tmp_path / "truth.parquet")
    assert lcs.table.equals(survey.lightcurves.table)
    assert truth.table.equals(survey.truth.table)
    raw = pq.read_table(tmp_path / "truth.parquet").schema.metadata[b"chandelle"]
    nature = json.loads(raw)["provenance"]["nature"]
    assert nature == dataclasses.asdict(survey.nature)


def test_another_nature():
    brighter = simulate_lightcurves(n_low=1, n_high=0, nature=Nature(M=-20.3))
    usual = simulate_lightcurves(n_low=1, n_high=0)
    assert np.allclose(brighter.truth["mb_true"], usual.truth["mb_true"] - 1.0)
    assert np.allclose(brighter.truth["x0_true"] / usual.truth["x0_true"], 10**0.4)


@pytest.mark.parametrize("numbers", [(0, 0), (-1, 5)])
def test_numbers_that_make_no_survey(numbers):
    with pytest.raises(InputError, match="n_low and n_high"):
        simulate_lightcurves(n_low=numbers[0], n_high=numbers[1])
