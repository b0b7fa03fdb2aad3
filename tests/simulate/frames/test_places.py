"""Where things are drawn: against astropy's world coordinates, and GalSim's, from the headers."""

from dataclasses import replace

import galsim
import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from made_skies import (
    SILENT,
    exposures_at,
    frames_made_by,
    galaxies_at,
    maker_of,
    mosaic,
    sky_of,
    stars_at,
)

from chandelle.simulate.frames.frame_cards import believed_pointing
from chandelle.simulate.frames.optics import Pointing
from chandelle.simulate.frames.sources import shear_in_pixels

RA, DEC, TURN = 240.0, 61.0, 37.0


def tangent(ra, dec, cd, crpix):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [ra, dec]
    wcs.wcs.crpix = crpix
    wcs.wcs.cd = cd
    wcs.wcs.set()
    return wcs


def changed(maker, **ccd):
    """The same maker with its CCDs changed."""
    camera = maker.camera
    ccds = tuple(replace(each, **ccd) for each in camera.ccds)
    return replace(maker, camera=replace(camera, ccds=ccds))


def turned_about(maker):
    """The same maker, its amplifiers stored against the axes of the CCD, each in another way."""
    camera, ways = maker.camera, [(1, 1), (-1, 1), (1, -1), (-1, -1)]
    ccds = tuple(
        replace(
            ccd,
            quadrants=tuple(
                replace(each, raw_x=ways[k % 4][0], raw_y=ways[k % 4][1])
                for k, each in enumerate(ccd.quadrants)
            ),
        )
        for ccd in camera.ccds
    )
    return replace(maker, camera=replace(camera, ccds=ccds))


def test_focal_plane_is_the_tangent_plane_turned_and_distorted():
    rng = np.random.default_rng(1)
    stars = SkyCoord(RA, DEC, unit="deg").directional_offset_by(
        rng.uniform(0.0, 360.0, 50) * u.deg, rng.uniform(0.0, 4.5, 50) * u.deg
    )
    wcs = tangent(RA, DEC, np.eye(2), [1.0, 1.0])
    east, north = wcs.wcs_world2pix(stars.ra.deg, stars.dec.deg, 0)
    pointing = Pointing(ra=RA, dec=DEC, rotation=TURN, distortion=2e-4)
    xi, eta = pointing.to_focal_plane(stars.ra.deg, stars.dec.deg)
    radius = np.hypot(east, north)
    np.testing.assert_allclose(np.hypot(xi, eta), radius * (1.0 + 2e-4 * radius**2), rtol=1e-9)
    # What is TURN from north to east of the pointing lies along eta.
    turned = np.degrees(np.arctan2(east, north) - np.arctan2(xi, eta)) % 360.0
    np.testing.assert_allclose(turned, TURN, atol=1e-6)


def scattered(maker, exposure, *, ccdid, n, seed=2, margin=12):
    """Stars on a CCD, found on the sky by astropy alone."""
    ccd = maker.camera.ccd(ccdid)
    turn = np.radians(exposure["rotation"][0])
    back = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    scale = ccd.pixel_scale_arcsec / 3600.0
    angle, mirror = np.radians(ccd.rotation_deg), -1.0 if ccd.is_mirrored else 1.0
    cd = scale * np.array(
        [
            [np.cos(angle), -mirror * np.sin(angle)],
            [np.sin(angle), mirror * np.cos(angle)],
        ]
    )
    # The middle of the CCD lies at (xi, eta); FITS counts pixels from 1.
    middle = 0.5 * np.array([ccd.n_columns + 1, ccd.n_rows + 1])
    crpix = middle - np.linalg.solve(cd, [ccd.xi, ccd.eta])
    wcs = tangent(exposure["ra"][0], exposure["dec"][0], back @ cd, crpix)
    rng = np.random.default_rng(seed)
    x = rng.uniform(margin, ccd.n_columns - margin, n)
    y = rng.uniform(margin, ccd.n_rows - margin, n)
    return (*wcs.wcs_pix2world(x, y, 0), x, y)


CCDS = [{}, {"rotation_deg": 25.0}, {"is_mirrored": True}, {"rotation_deg": 205, "is_mirrored": 1}]


@pytest.mark.parametrize("how", CCDS, ids=["as it is", "turned", "mirrored", "both"])
@pytest.mark.parametrize(("camera", "ccdid"), [("ztf", 1), ("lsst", 3)])
def test_sources_lie_where_astropy_puts_them(camera, ccdid, how):
    exposure = exposures_at([RA], [DEC], rotation=np.array([TURN]))
    maker = maker_of(sky_of(exposure), camera=camera, ccds=(ccdid,), size=200, recenter=False)
    how = {key: bool(one) if key == "is_mirrored" else float(one) for key, one in how.items()}
    maker = changed(maker, **how)
    ra, dec, x, y = scattered(maker, exposure, ccdid=ccdid, n=40)
    maker = replace(maker, sky=sky_of(exposure, stars=stars_at(ra, dec, 18.0)))
    sources = maker.observer.see(maker.rows[0], None)
    found = maker.camera.ccd(ccdid).to_pixel(sources.xi, sources.eta)
    np.testing.assert_allclose(found, (x, y), atol=1e-5)


def bright_star(image, x, y):
    """Adaptive moments of a star about a pixel, counted from 0, of an array [y, x]."""
    column, row = round(float(x)), round(float(y))
    part = image[row - 10 : row + 11, column - 10 : column + 11]
    stamp = galsim.Image(np.ascontiguousarray(part), xmin=column - 10, ymin=row - 10)
    return stamp.FindAdaptiveMom(guess_centroid=galsim.PositionD(float(x), float(y)))


@pytest.mark.parametrize(
    ("camera", "ccdid", "band"), [("ztf", 1, "ztfr"), ("lsst", 3, "lsstr")], ids=["ztf", "lsst"]
)
@pytest.mark.parametrize("is_stored_against", [False, True], ids=["as it is", "stored against"])
def test_header_of_each_amplifier_says_where_its_stars_are(
    camera, ccdid, band, is_stored_against, tmp_path
):
    exposure = exposures_at([RA], [DEC], rotation=np.array([TURN]), band=band)
    size = 64
    maker = maker_of(
        sky_of(exposure),
        camera=camera,
        ccds=(ccdid,),
        size=size,
        recenter=False,
        detector=SILENT,
        psf={"wing": 0.0, "guiding": 0.0},
    )
    if is_stored_against:
        maker = turned_about(maker)
    seeing = np.array([2.5 * maker.camera.pixel_scale_arcsec])
    exposure = exposures_at([RA], [DEC], rotation=np.array([TURN]), band=band, seeing_arcsec=seeing)
    maker = replace(maker, sky=sky_of(exposure))
    ccd = maker.camera.ccd(ccdid)
    # One star in each amplifier, off its middle.
    ra, dec, _, _ = scattered(maker, exposure, ccdid=ccdid, n=400, margin=0)
    wanted = {}
    xi, eta = Pointing(ra=RA, dec=DEC, rotation=TURN).to_focal_plane(ra, dec)
    rcid, x, y = maker.camera.locate(xi, eta)
    is_inner = (np.minimum(x, y) > 15) & (np.maximum(x, y) < size - 16)
    for k in np.flatnonzero(is_inner):
        wanted.setdefault(int(rcid[k]), k)
    assert len(wanted) == len(ccd.quadrants)
    kept = list(wanted.values())
    stars = stars_at(ra[kept], dec[kept], 16.5, band=band)
    maker = replace(maker, sky=sky_of(exposure, stars=stars))
    (frame,) = frames_made_by(maker)
    truth = maker.write(frame, ccdid, tmp_path)
    believed = believed_pointing(maker.rows[0], seed=maker.seed)
    off = SkyCoord(RA, DEC, unit="deg").separation(SkyCoord(*believed, unit="deg")).arcsec
    assert 0.0 < off < 10.0
    with fits.open(tmp_path / maker.path(frame, ccdid)) as units:
        for quadrant in ccd.quadrants:
            unit = units[quadrant.science_extension]
            k = wanted[quadrant.rcid]
            assert (unit.header["CRVAL1"], unit.header["CRVAL2"]) == pytest.approx(believed)
            unit.header["CRVAL1"], unit.header["CRVAL2"] = RA, DEC
            place = WCS(unit.header).world_to_pixel(SkyCoord(ra[k], dec[k], unit="deg"))
            found = bright_star(unit.data.astype(float) - np.median(unit.data), *place)
            assert found.moments_centroid.x == pytest.approx(place[0], abs=0.05)
            assert found.moments_centroid.y == pytest.approx(place[1], abs=0.05)
            row = truth.sources["rcid"].tolist().index(quadrant.rcid)
            mine = [truth.sources[name][row] for name in "xy"]
            if quadrant.raw_x < 0:
                mine[0] = size - 1 - mine[0]
            if quadrant.raw_y < 0:
                mine[1] = size - 1 - mine[1]
            np.testing.assert_allclose(mine, place, atol=1e-3)


@pytest.mark.parametrize("how", CCDS, ids=["as it is", "turned", "mirrored", "both"])
def test_position_angle_of_a_galaxy_is_from_north_to_east(how):
    exposure = exposures_at([RA], [DEC], rotation=np.array([TURN]))
    how = {key: bool(one) if key == "is_mirrored" else float(one) for key, one in how.items()}
    shape = {
        "axis_ratio": np.array([0.35]),
        "disk_radius_arcsec": np.array([5.0]),
        "position_angle": np.array([30.0]),
    }
    maker = maker_of(
        sky_of(exposure),
        size=128,
        detector=SILENT,
        psf={"wing": 0.0, "guiding": 0.0, "astigmatism": 0.0, "defocus": 0.0},
    )
    maker = changed(maker, **how)
    ra, dec, x, y = scattered(maker, exposure, ccdid=6, n=1, margin=110)
    sky = sky_of(exposure, galaxies=galaxies_at(ra, dec, 14.0, **shape))
    maker = replace(maker, sky=sky)
    (frame,) = frames_made_by(maker)
    ccd = maker.camera.ccd(6)
    exposed = maker.expose(frame, 6)
    image = mosaic(exposed, ccd)
    for quadrant in ccd.quadrants:
        image[quadrant.place] *= quadrant.gain
        image[quadrant.place] -= np.median(image[quadrant.place])
    image /= maker.transmission(6, "ztfr")
    # The same on the sky, by GalSim: u to the west, v to the north.
    turn = np.radians(TURN)
    back = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    cd = back @ np.asarray(ccd.jacobian)
    wcs = galsim.AstropyWCS(wcs=tangent(float(ra[0]), float(dec[0]), cd, [x[0] + 1, y[0] + 1]))
    angle = np.radians(30.0)
    beta = np.arctan2(np.cos(angle), -np.sin(angle)) * galsim.radians
    disk = galsim.Exponential(half_light_radius=5.0).shear(q=0.35, beta=beta)
    core = galsim.Moffat(beta=3.5, fwhm=1.012 * np.sqrt((2.0 / 1.012) ** 2 - 0.685))
    place = galsim.PositionD(float(x[0]) + 1, float(y[0]) + 1)
    true = galsim.Image(ccd.n_columns, ccd.n_rows, dtype=float)
    model = galsim.Convolve(disk, core) * 10 ** (0.4 * (28.0 - 14.0))
    model.drawImage(true, wcs=wcs.local(place), center=place)
    np.testing.assert_allclose(image, true.array, atol=0.01 * true.array.max())
    stamp = galsim.Image(image, xmin=1, ymin=1)
    ours, theirs = (
        each.FindAdaptiveMom(guess_centroid=place, guess_sig=4.0).observed_shape
        for each in (stamp, true)
    )
    assert theirs.g > 0.2
    assert ours.g1 == pytest.approx(theirs.g1, abs=0.01)
    assert ours.g2 == pytest.approx(theirs.g2, abs=0.01)


@pytest.mark.parametrize("how", CCDS, ids=["as it is", "turned", "mirrored", "both"])
def test_shear_of_the_focal_plane_in_the_pixels_of_a_ccd(how):
    exposure = exposures_at([RA], [DEC])
    how = {key: bool(one) if key == "is_mirrored" else float(one) for key, one in how.items()}
    ccd = changed(maker_of(sky_of(exposure), size=64), **how).camera.ccd(6)
    g1, g2 = shear_in_pixels(ccd, np.array([0.12]), np.array([-0.2]))
    pixels = galsim.Gaussian(sigma=4.0).shear(g1=float(g1[0]), g2=float(g2[0]))
    plane = galsim.Gaussian(sigma=4.0 * 1.012).shear(g1=0.12, g2=-0.2)
    wcs = galsim.JacobianWCS(*(3600.0 * np.asarray(ccd.jacobian)).ravel())
    ours = pixels.drawImage(nx=64, ny=64, scale=1.0, method="no_pixel").array
    theirs = plane.drawImage(nx=64, ny=64, wcs=wcs, method="no_pixel").array
    np.testing.assert_allclose(ours, theirs, atol=1e-6 * theirs.max())
