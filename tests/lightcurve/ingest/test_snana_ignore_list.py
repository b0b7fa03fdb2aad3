"""Times of an IGNORE list went through 32 bits: an epoch is found, its neighbor is not."""

import numpy as np
import pytest

from chandelle.lightcurve.ingest import read_lightcurves
from chandelle.lightcurve.ingest.snana_release import _in_list


def test_a_time_written_from_32_bits_is_found():
    # As in Pantheon+: 56608.4 in the light curve, 56608.398 in the list.
    mjd = np.array([56608.4, 56608.42, 56608.4, 56608.4])
    columns = {
        "sn": np.array(["a", "a", "b", "a"]),
        "mjd": mjd,
        "band": np.array(["z", "z", "z", "i"]),
    }
    written = round(float(np.float32(56608.4)), 3)
    assert written == 56608.398
    found = _in_list(columns, [("a", written, "z")])
    assert found.tolist() == [True, False, False, False]


def test_every_time_of_the_epoch_is_within_the_tolerance():
    mjd = np.random.default_rng(1).uniform(48000, 60000, 5000)
    written = np.round(mjd.astype(np.float32).astype(float), 3)
    columns = {"sn": np.full(5000, "a"), "mjd": mjd, "band": np.full(5000, "g")}
    for time in written[:50]:
        assert _in_list(columns, [("a", float(time), "g")]).any()
    assert np.abs(written - mjd).max() < 2.5e-3


@pytest.mark.real
@pytest.mark.parametrize(
    ("archive", "kcor", "ignored"),
    [
        ("Pantheon_PS1MD", "kcor_PS1_v6_1", 144),
        ("Foundation_DJ17", "kcor_Foundation_v6_1", 132),
    ],
)
def test_epochs_that_the_release_rejects(real_data, archive, kcor, ignored):
    # With these the table's NDOF are met for 259 of 269 supernovae of PS1MD; 240 without.
    folder = real_data / "lightcurves" / "pantheonplus_snana"
    lcs = read_lightcurves(
        folder / f"{archive}.tar.gz", kcor=folder / "kcor" / f"{kcor}.fits.gz", origin="real"
    )
    rejected = lcs.rejected.to_pandas()
    assert rejected.loc[rejected["reason"] == "ignore_list", "count"].sum() == ignored
