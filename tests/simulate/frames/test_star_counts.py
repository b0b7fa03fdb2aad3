"""Star counts against another integral and against published and real counts."""

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from scipy.integrate import simpson

from chandelle.core.errors import InputError
from chandelle.simulate.frames.star_colors import (
    giant_ri,
    locus_gr,
    main_sequence_ri,
)
from chandelle.simulate.frames.star_counts import (
    POPULATIONS,
    absolute_cells,
    count_cells,
    expected_stars,
    local_density,
    luminosity_function,
    magnitude_cells,
    main_sequence_fraction,
    relative_density,
    star_counts,
)

POLE = (192.85948, 27.12825)


def icrs(longitude, latitude):
    place = SkyCoord(longitude, latitude, unit="deg", frame="galactic").icrs
    return place.ra.deg, place.dec.deg


def per_deg2(longitude, latitude, low, high, ebv=0.0):
    mags, width = magnitude_cells((low, high))
    return star_counts(*icrs(longitude, latitude), mags, ebv=ebv).sum() * width


@pytest.mark.parametrize(("longitude", "latitude"), [(0.0, 90.0), (30.0, 40.0), (180.0, -15.0)])
def test_counts_are_the_integral_over_distance(longitude, latitude):
    # The other order of integration: shells of distance instead of cells of absolute magnitude.
    centers, _ = absolute_cells()
    mag = np.array([12.0, 16.0, 20.0])
    log_d = np.linspace(-0.5, 5.6, 40_001)
    d = 10.0**log_d
    total = np.zeros(3)
    for population in POPULATIONS:
        phi = local_density(population)
        for i, m in enumerate(mag):
            abs_mag = m - 5.0 * log_d + 5.0
            nu = relative_density(population, longitude, latitude, d[None], abs_mag)[0]
            density = np.interp(abs_mag, centers, phi, left=0.0, right=0.0) * nu
            total[i] += simpson(density * d**3 * np.log(10.0), x=log_d)
    total *= (np.pi / 180) ** 2
    np.testing.assert_allclose(star_counts(*icrs(longitude, latitude), mag), total, rtol=3e-3)


def test_the_luminosity_function_is_that_of_the_solar_neighborhood():
    # Allen's Astrophysical Quantities (1973), sect. 118: log10 of stars pc^-3 mag^-1 in V.
    visual = np.arange(0.0, 15.0, 2.0)
    allen = np.array([-3.95, -3.20, -2.72, -2.37, -2.38, -2.11, -1.97, -1.89])
    assert np.abs(np.log10(luminosity_function(visual)) - allen).max() < 0.2
    assert luminosity_function(np.array([17.0])) == 0
    fraction = main_sequence_fraction(np.linspace(-6, 6, 50))
    assert (np.diff(fraction) >= 0).all()
    assert fraction[-1] == 1


def test_counts_are_those_of_sdss():
    # B. Chen et al. 2001: 5.8e5 stars brighter than g = 21 in 279 deg2 of 49 < |b| < 64.
    places = [(230, 50), (270, 60), (345, 55), (70, -50), (110, -62), (185, -52)]
    mags, width = magnitude_cells((13.0, 21.0))
    centers, _ = absolute_cells()
    colors = [
        locus_gr((giant_ri if p.is_giant else main_sequence_ri)(centers)) for p in POPULATIONS
    ]
    is_bright = mags[:, None] + np.stack(colors)[:, None, :] < 21.0
    counted = [(count_cells(*icrs(*p), mags, ebv=0.03) * is_bright).sum() * width for p in places]
    assert np.mean(counted) == pytest.approx(5.8e5 / 279, rel=0.25)
    # M. Juric et al. 2008: 48 million stars, r < 21.5, in 6500 deg2 of b > 25 for the most part.
    latitudes = np.arange(30, 90, 10)
    rows = [
        np.mean([per_deg2(lon, float(b), 14.0, 21.5, 0.03) for lon in (30, 150, 270)])
        for b in latitudes
    ]
    mean = np.average(rows, weights=np.cos(np.radians(latitudes)))
    assert mean == pytest.approx(48e6 / 6500, rel=0.3)


def test_counts_are_those_of_bright_catalogs():
    # Tycho-2 (E. Hog et al. 2000, fig. 1): 25 stars a deg2 at the pole and 50 at |b| = 30, of
    # 61 in the mean, thus to about V = 11.85. The model has fewer of the brightest.
    assert 0.6 < per_deg2(0, 90, 2.0, 11.63) / 25 < 1.2
    middle = np.mean([per_deg2(lon, 30, 2.0, 11.63, 0.03) for lon in (30, 110, 200, 290)])
    assert 0.6 < middle / 50 < 1.2
    # J. Bahcall & R. Soneira 1980, appendix B: 1440 stars a deg2 to V = 20 at the pole.
    assert per_deg2(0, 90, 5.0, 19.75) == pytest.approx(1440, rel=0.2)


def test_dust_hides_stars():
    mag = np.array([15.0, 20.0])
    clear = star_counts(*POLE, mag)
    assert (star_counts(*POLE, mag, ebv=0.3) < clear).all()
    # A screen shifts the magnitudes by A_r = 2.6 E(B-V) or so.
    np.testing.assert_allclose(star_counts(*POLE, mag + 0.26, ebv=0.1), clear, rtol=0.02)


def test_the_sum_is_over_range_and_area():
    one = expected_stars(*POLE, 0.5, mag_range=(14.0, 20.0))
    parts = [expected_stars(*POLE, 0.5, mag_range=r) for r in ((14.0, 17.03), (17.03, 20.0))]
    assert sum(parts) == pytest.approx(one, rel=1e-4)
    assert expected_stars(*POLE, 1.0, mag_range=(14.0, 20.0)) / one == pytest.approx(4, rel=1e-4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: star_counts(10.0, 91.0, [20.0]), "-90 <= dec <= 90"),
        (lambda: star_counts(10.0, 1.0, [20.0], ebv=-1.0), "ebv must be >= 0"),
        (lambda: expected_stars(10.0, 1.0, 0.0), "radius"),
        (lambda: expected_stars(10.0, 1.0, 1.0, mag_range=(20.0, 11.0)), "bright to faint"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_counts_are_those_of_a_ztf_frame(real_data):
    sep = pytest.importorskip("sep")
    name = "ztf_20200924431759_000655_zr_c13_o_q3_sciimg.fits.fz"
    with fits.open(real_data / "images" / "ztf_quadrant" / name) as hdus:
        image = hdus[1].data[:1540, :1536].astype(float)
        zero, pixel = hdus[1].header["MAGZP"], hdus[1].header["PIXSCALE"]
        ra, dec = hdus[1].header["CRVAL1"], hdus[1].header["CRVAL2"]
    image[~np.isfinite(image)] = np.nanmedian(image)
    background = sep.Background(image)
    image -= background.back()
    found = sep.extract(image, 3.0, err=background.globalrms, minarea=5)
    flux, _, _ = sep.sum_circle(image, found["x"], found["y"], 6.0)
    mag = zero - 2.5 * np.log10(np.maximum(flux, 1.0))
    area = image.size * (pixel / 3600) ** 2
    for low, high in [(14.0, 16.0), (16.0, 18.0), (18.0, 19.0)]:
        counted = ((mag > low) & (mag < high)).sum() / area
        mags, width = magnitude_cells((low, high))
        # b = -14 behind the Perseus clouds: E(B-V) is our guess, 0.3.
        model = star_counts(ra, dec, mags, ebv=0.3).sum() * width
        assert 0.65 < model / counted < 1.35
