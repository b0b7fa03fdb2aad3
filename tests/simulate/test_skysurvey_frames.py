"""Frames of skysurvey: what goes out is read back, what comes in is observed."""

import numpy as np
import pandas as pd
import pytest

import chandelle as ch
from chandelle.core.errors import InputError
from chandelle.simulate.logs.coverage import rectangle
from chandelle.simulate.observing import Observing, observe_targets
from chandelle.simulate.sample import simulate_lightcurves
from chandelle.simulate.skysurvey_frames import from_skysurvey, to_skysurvey


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
