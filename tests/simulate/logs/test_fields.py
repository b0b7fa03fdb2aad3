"""Grids of fields against ZTF's published one, coverage of the sky, dithers."""

import numpy as np
import pytest

from chandelle.core.errors import InputError
from chandelle.products.exposures import Exposures
from chandelle.simulate.logs.coverage import rectangle, visits_of
from chandelle.simulate.logs.fields import Fields, dithered, sky_grid
from chandelle.simulate.logs.night import separation
from chandelle.simulate.logs.ztf import ZTF_FIELDS

# Rows of the published list of ZTF fields: declination, fields.
ROWS = {
    -85.93846: 7,
    -79.01538: 13,
    -72.09231: 19,
    -65.16923: 24,
    -58.24615: 29,
    -51.32308: 34,
    -44.40000: 39,
    -37.47692: 42,
}


def test_rows_are_those_of_ztf():
    grid = sky_grid(row_step=180 / 26, column_step=7.2, dec_shift=0.6)
    dec, counts = np.unique(grid.dec.round(5), return_counts=True)
    for south, published in ROWS.items():
        row = np.abs(dec - south).argmin()
        assert abs(dec[row] - south) < 0.01
        assert abs(counts[row] - published) <= 1
    assert np.array_equal(np.sort(grid.number), 1 + np.arange(len(grid)))


def test_primary_fields_cover_the_sky_and_overlap():
    primary = ZTF_FIELDS.select(ZTF_FIELDS.group == "primary")
    n = len(primary)
    exposures = Exposures.from_columns(
        {
            "exposure": [str(i) for i in primary.number],
            "mjd": np.full(n, 58000.0),
            "ra": primary.ra,
            "dec": primary.dec,
            "band": ["ztfg"] * n,
            "zp": np.full(n, 28.0),
            "depth": np.full(n, 20.8),
        }
    )
    rng = np.random.default_rng(1)
    ra = rng.uniform(0.0, 360.0, 20_000)
    dec = np.degrees(np.arcsin(rng.uniform(np.sin(np.radians(-30.0)), 0.999, 20_000)))
    # Outer size of the focal plane, gaps between CCDs included.
    found = visits_of(exposures, ra, dec, rectangle(7.32, 7.50))
    times = np.bincount(found.target, minlength=len(ra))
    assert (times > 0).mean() > 0.999
    assert 0.05 < (times > 1).mean() < 0.5


def test_dithers_fill_a_disk():
    n = 5000
    rng = np.random.default_rng(2)
    ra, dec = np.full(n, 359.9), np.full(n, 80.0)
    new = dithered(ra, dec, rng.uniform(size=(n, 2)), radius=0.7)
    away = separation(ra, dec, *new)
    assert away.max() < 0.7
    # Even in area: the square of the radius is uniform, variance 1/12.
    assert abs(np.mean((away / 0.7) ** 2) - 0.5) < 5.0 / np.sqrt(12.0 * n)
    assert abs(np.mean(new[1] - dec)) < 5.0 * 0.35 / np.sqrt(n) + 0.01
    assert np.allclose(dithered(ra, dec, rng.uniform(size=(n, 2)), radius=0.0), [ra, dec])


def test_bad_fields_are_refused():
    good = {"ra": np.zeros(2), "dec": np.zeros(2), "group": np.array(["a", "a"])}
    with pytest.raises(InputError, match="numbers must differ"):
        Fields(number=np.array([1, 1]), **good)
    with pytest.raises(InputError, match="must have one length"):
        Fields(number=np.array([1, 2, 3]), **good)
    with pytest.raises(InputError, match=r"dec within -90\.\.90"):
        Fields(number=np.array([1, 2]), **{**good, "dec": np.array([0.0, 91.0])})
    with pytest.raises(InputError, match="no row of fields"):
        sky_grid(row_step=7.0, column_step=7.0, dec_range=(1.0, 1.1))
    with pytest.raises(InputError, match="steps must be positive"):
        sky_grid(row_step=0.0, column_step=7.0)
