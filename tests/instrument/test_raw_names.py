"""Names of raw files: as the archive writes them, and read back by an outside clock."""

import math

import pytest
from astropy.time import Time
from hypothesis import given
from hypothesis import strategies as st

from chandelle.core.errors import InputError
from chandelle.instrument.raw_names import RawName


def name(**changes):
    plain = {"camera": "ztf", "mjd": 58849.3, "field": 651, "code": "zr", "ccdid": 6}
    return RawName(**{**plain, "kind": "object", **changes})


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({}, "raw/2020/0101/300000/ztf_20200101300000_000651_zr_c06_o.fits"),
        (
            {"kind": "bias", "field": 0, "ccdid": 16},
            "raw/2020/0101/300000/ztf_20200101300000_000000_bi_c16_b.fits",
        ),
        (
            {"kind": "flat", "field": 0, "code": "zi"},
            "raw/2020/0101/300000/ztf_20200101300000_000000_zi_c06_f.fits",
        ),
        ({"kind": "dark"}, "raw/2020/0101/300000/ztf_20200101300000_000651_zr_c06_d.fits"),
        (
            {"camera": "lsst", "code": "y", "ccdid": 189},
            "raw/2020/0101/300000/lsst_20200101300000_000651_y_c189_o.fits",
        ),
    ],
)
def test_kinds_have_their_letters(changes, path):
    assert name(**changes).path() == path
    assert name(**changes).path(is_compressed=True) == f"{path}.fz"


@given(st.floats(min_value=45000.0, max_value=61000.0))
def test_date_and_fraction_are_those_of_the_time(mjd):
    _, year, day, fraction, file = name(mjd=mjd).path().split("/")
    midnight = Time(f"{year}-{day[:2]}-{day[2:]}", scale="utc").mjd
    assert midnight + int(fraction) / 1e6 == pytest.approx(mjd, abs=0.51e-6)
    assert file.startswith(f"ztf_{year}{day}{fraction}_")


def test_the_last_moment_of_a_day_belongs_to_the_next():
    assert name(mjd=58848.999_999_7).path().startswith("raw/2020/0101/000000/")


@pytest.mark.parametrize(
    "changes",
    [{"mjd": math.nan}, {"mjd": math.inf}, {"field": -1}, {"field": 10**6}, {"ccdid": 1000}],
)
def test_what_does_not_fit_is_refused(changes):
    with pytest.raises(InputError, match="do not fit"):
        name(**changes).path()
