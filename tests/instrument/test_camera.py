"""The cameras of the package: numbers, places, shapes, what each quadrant does."""

from dataclasses import FrozenInstanceError, replace

import jax.numpy as jnp
import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_scales

from chandelle.core.errors import InputError
from chandelle.instrument.camera import Camera
from chandelle.instrument.camera_files import load_camera
from chandelle.instrument.orders import reorder

# min, median, max over the quadrants, arXiv:2509.04073.
POCKET = {
    "alpha": (1.33, 1.52, 1.74),
    "cmax": (386.0, 756.0, 1757.0),
    "beta": (0.286, 0.372, 0.536),
    "nmax": (6.6e4, 3.2e5, 2.0e6),
}
# Centers in the tangent plane from headers of science images of 2018, to 1e-3 degree.
MEASURED = {
    (1, 1): (3.208, -2.415),
    (1, 3): (2.336, -3.280),
    (4, 2): (-3.235, -2.402),
    (6, 1): (1.350, -0.497),
    (11, 4): (-0.499, 0.561),
    (13, 1): (3.220, 3.337),
    (16, 3): (-3.226, 2.480),
}


@pytest.fixture(scope="module")
def ztf() -> Camera:
    return load_camera("ztf")


@pytest.fixture(scope="module", params=["ztf", "lsst"])
def camera(request) -> Camera:
    return load_camera(request.param)


def test_ztf_numbers(ztf):
    assert [ccd.ccdid for ccd in ztf.ccds] == list(range(1, 17))
    assert [each.rcid for each in ztf.quadrants] == list(range(64))
    for each in ztf.quadrants:
        assert each.rcid == 4 * (each.ccdid - 1) + each.qid - 1
        assert (each.n_rows, each.n_columns, each.overscan_columns) == (3080, 3072, 30)
        assert (each.science_extension, each.overscan_extension) == (each.qid, each.qid + 4)
        assert ztf.quadrant(each.rcid) is ztf.quadrant(ccdid=each.ccdid, qid=each.qid)
    assert {(ccd.n_rows, ccd.n_columns) for ccd in ztf.ccds} == {(6160, 6144)}
    assert [each.load().name for each in ztf.filters] == ["ztfg", "ztfr", "ztfi"]
    assert ztf.filter("zr") is ztf.filter("ztfr") is ztf.filter("ZTF_r")


def test_lsst_numbers():
    lsst = load_camera("lsst")
    assert len(lsst.ccds) == 9
    assert len(lsst.quadrants) == 144
    assert {(ccd.n_rows, ccd.n_columns) for ccd in lsst.ccds} == {(4000, 4072)}
    assert [each.passband[-1] for each in lsst.filters] == list("ugrizy")
    assert all(each.pocket is None for each in lsst.quadrants)
    # The focal plane has 21 rafts and 9.6 deg2 with its gaps: Ivezic et al. 2019.
    assert 0.85 * 9.6 / 21 < lsst.area_deg2 < 9.6 / 21


def test_area_and_gaps_of_ztf(ztf):
    # 47 deg2 is the silicon: 64 x 3080 x 3072 pixels of 1.012 arcsec are 47.85. The square around
    # it is 7.3 x 7.5 degrees; an eighth of it is gaps, which see nothing.
    assert ztf.area_deg2 == pytest.approx(47.0, rel=0.03)
    corners = ztf.corners().reshape(-1, 2)
    footprint = float(np.prod(np.ptp(corners, axis=0)))
    assert footprint == pytest.approx(54.7, abs=0.1)
    assert 0.10 < 1.0 - ztf.area_deg2 / footprint < 0.15


def test_places_of_ztf_against_measured_ones(ztf):
    # The mosaic is a regular grid in the file; real CCDs are up to 0.04 degree off it, which is
    # less than a third of the smaller gap, and a twentieth of a quadrant.
    for (ccdid, qid), place in MEASURED.items():
        center = ztf.centers()[ztf.quadrant(ccdid=ccdid, qid=qid).rcid]
        np.testing.assert_allclose(center, place, atol=0.042)


def test_orientation_and_scale_against_a_real_header(ztf, real_data):
    name = "ztf_20200924431759_000655_zr_c13_o_q3_sciimg.fits.fz"
    with fits.open(real_data / "images" / "ztf_quadrant" / name) as hdus:
        header = hdus[1].header
        wcs = WCS(header)
    quadrant = ztf.quadrant(header["RCID"])
    assert (quadrant.ccdid, quadrant.qid) == (header["CCDID"], header["QID"])
    assert (quadrant.n_rows, quadrant.n_columns) == (header["NAXIS2"], header["NAXIS1"])
    # The axes of a corner CCD are turned against the pointing's by 1.6 degrees of convergence.
    jacobian = ztf.ccd(13).jacobian
    np.testing.assert_allclose(jacobian, wcs.wcs.cd, atol=0.03 * abs(jacobian[0, 0]))
    scale = 3600.0 * proj_plane_pixel_scales(wcs)
    np.testing.assert_allclose(scale, ztf.pixel_scale_arcsec, rtol=2e-3)
    assert quadrant.saturation_dn == pytest.approx(header["SATURATE"], abs=1.0)
    site = (header["OBSLAT"], header["OBSLON"], header["OBSALT"])
    assert (ztf.site.latitude_deg, ztf.site.longitude_deg, ztf.site.height_m) == site


def test_no_two_quadrants_overlap(camera):
    # Every pair of rectangles, with edges along xi and eta, is apart along one of the axes.
    low, high = camera.corners().min(axis=1), camera.corners().max(axis=1)
    overlap = np.minimum(high[:, None], high) - np.maximum(low[:, None], low)
    area = np.prod(np.maximum(overlap, 0.0), axis=-1)
    np.fill_diagonal(area, 0.0)
    assert area.max() < 1e-12
    assert np.prod(high - low, axis=-1).sum() == pytest.approx(camera.area_deg2, rel=1e-9)


def test_locate_finds_the_area(camera):
    corners = camera.corners().reshape(-1, 2)
    low, high = corners.min(axis=0), corners.max(axis=0)
    n = 40_000
    xi, eta = (np.random.default_rng(1).random((n, 2)) * (high - low) + low).T
    rcid, x, y = camera.locate(xi, eta)
    share = camera.area_deg2 / float(np.prod(high - low))
    assert abs(np.mean(rcid >= 0) - share) < 5.0 * np.sqrt(share * (1.0 - share) / n)
    np.testing.assert_array_equal(np.isnan(x), rcid < 0)
    for one in np.flatnonzero(rcid >= 0)[:200]:
        quadrant = camera.quadrant(int(rcid[one]))
        ccd = camera.ccd(quadrant.ccdid)
        back = ccd.to_focal_plane(x[[one]] + quadrant.x0, y[[one]] + quadrant.y0)
        np.testing.assert_allclose(np.ravel(back), [xi[one], eta[one]], atol=1e-12)


def test_a_turned_and_mirrored_ccd(ztf):
    ccd = replace(ztf.ccd(6), rotation_deg=90.0, is_mirrored=True)
    x, y = np.array([3071.5, 3072.5, 3071.5]), np.array([3079.5, 3079.5, 3080.5])
    xi, eta = ccd.to_focal_plane(x, y)
    scale = 1.012 / 3600.0
    np.testing.assert_allclose(xi - ccd.xi, [0.0, 0.0, scale], atol=1e-12)
    np.testing.assert_allclose(eta - ccd.eta, [0.0, scale, 0.0], atol=1e-12)
    np.testing.assert_allclose(ccd.to_pixel(xi, eta), [x, y], rtol=1e-9)


def test_values_of_ztf_quadrants(ztf):
    quadrants = ztf.quadrants
    for key, expected in POCKET.items():
        values = np.array([getattr(each.pocket, key) for each in quadrants])
        found = values.min(), np.median(values), values.max()
        np.testing.assert_allclose(found, expected, rtol=1e-3)
        assert len(np.unique(values)) > 60
    gain, noise = (np.array([getattr(q, k) for q in quadrants]) for k in ("gain", "read_noise"))
    assert 6.0 <= gain.min() < gain.max() <= 6.2
    assert 9.0 <= noise.min() < noise.max() <= 10.0


def test_response_is_off_by_up_to_two_percent_at_full_scale(ztf):
    x = np.linspace(1.0, 58647.0, 500)
    worst = []
    for each in ztf.quadrants:
        true = x / (each.response_a * x**2 + each.response_b * x + 1.0)
        assert np.all(np.diff(true) > 0)
        worst.append(np.abs(true / x - 1.0).max())
    assert 0.015 < max(worst) < 0.0205
    assert min(worst) < 0.01


def test_amplifiers_of_ztf_are_at_the_corners_of_the_ccd(ztf):
    for each in ztf.quadrants:
        first_x = each.x0 if each.read_x == 1 else each.x0 + each.n_columns - 1
        first_y = each.y0 if each.read_y == 1 else each.y0 + each.n_rows - 1
        assert first_x in (0, 6143)
        assert first_y in (0, 6159)


@pytest.mark.parametrize("make", [np.asarray, jnp.asarray])
def test_orders(ztf, make):
    pixels = make(np.arange(12.0).reshape(3, 4))
    first = {1: 0.0, 2: 3.0, 3: 11.0, 4: 8.0}
    for qid, corner in first.items():
        quadrant = ztf.quadrant(ccdid=5, qid=qid)
        read = reorder(pixels, quadrant, source="sky", target="read")
        assert type(read) is type(pixels)
        assert read[0, 0] == corner
        mirrored = replace(quadrant, raw_x=-1)
        raw = reorder(pixels, mirrored, source="sky", target="raw")
        np.testing.assert_array_equal(raw, pixels[:, ::-1])
        np.testing.assert_array_equal(reorder(raw, mirrored, source="raw", target="read"), read)
        np.testing.assert_array_equal(reorder(read, mirrored, source="read", target="sky"), pixels)


def test_subset_for_small_surveys(ztf):
    mini = ztf.subset([6], size=512, recenter=True, name="ztf-mini")
    assert mini.name == "ztf-mini"
    assert [each.rcid for each in mini.quadrants] == [20, 21, 22, 23]
    assert [(each.x0, each.y0) for each in mini.quadrants] == [
        (0, 0),
        (512, 0),
        (512, 512),
        (0, 512),
    ]
    assert (mini.ccds[0].n_rows, mini.ccds[0].n_columns) == (1024, 1024)
    assert {(each.n_rows, each.n_columns) for each in mini.quadrants} == {(512, 512)}
    np.testing.assert_allclose(mini.centers().mean(axis=0), 0.0, atol=1e-12)
    assert mini.quadrant(21).pocket == ztf.quadrant(21).pocket
    placed = ztf.subset([6, 7], size=100)
    np.testing.assert_allclose(placed.centers()[:4].mean(axis=0), [ztf.ccd(6).xi, ztf.ccd(6).eta])
    amplifiers = load_camera("lsst").subset([5], size=256)
    assert (amplifiers.ccds[0].n_rows, amplifiers.ccds[0].n_columns) == (512, 2048)
    assert len(ztf.subset().quadrants) == 64


def test_wrong_calls_name_the_mend(ztf):
    with pytest.raises(InputError, match=r"no CCD 17; it has 1-16"):
        ztf.ccd(17)
    with pytest.raises(InputError, match="CCD 6 has no quadrant 5; its qid are 1-4"):
        ztf.quadrant(ccdid=6, qid=5)
    with pytest.raises(InputError, match=r"no quadrant has rcid 64; its rcid are 0-63"):
        ztf.quadrant(64)
    with pytest.raises(InputError, match="no quadrant has rcid 8; its rcid are 0-3, 20-23"):
        ztf.subset([1, 6]).quadrant(8)
    for wrong in ({}, {"rcid": 1, "ccdid": 1, "qid": 2}, {"ccdid": 1}, {"rcid": 1, "qid": 2}):
        with pytest.raises(InputError, match="expected rcid, or ccdid with qid"):
            ztf.quadrant(**wrong)
    with pytest.raises(InputError, match=r"no filter 'zu'; its passbands are ztfg, ztfr, ztfi"):
        ztf.filter("zu")
    with pytest.raises(InputError, match="3080 x 3072 pixels cannot be cut to 4000 x 4000"):
        ztf.subset([1], size=4000)
    with pytest.raises(InputError, match="at least one CCD, got none"):
        ztf.subset([])
    with pytest.raises(FrozenInstanceError):
        ztf.name = "other"
