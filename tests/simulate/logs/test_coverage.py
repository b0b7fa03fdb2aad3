"""Exposures that see a target, against a loop over astropy's offset frames."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS

from chandelle.core.errors import InputError
from chandelle.products.exposures import Exposures
from chandelle.simulate.logs.coverage import (
    FieldOfView,
    Visits,
    disk,
    rectangle,
    visits_in_parts,
    visits_of,
)
from chandelle.simulate.logs.fields import from_tangent


def directions(n, seed):
    rng = np.random.default_rng(seed)
    return rng.uniform(0.0, 360.0, n), np.degrees(np.arcsin(rng.uniform(-1.0, 1.0, n)))


def log(n, *, seed=1, rotate=True):
    ra, dec = directions(n, seed)
    # The poles and the turn of right ascension are where such code breaks.
    ra[:4], dec[:4] = [10.0, 200.0, 359.99, 0.01], [90.0, -89.5, 0.0, 40.0]
    rotation = np.random.default_rng(seed + 1).uniform(-180.0, 180.0, n) if rotate else np.zeros(n)
    return Exposures.from_columns(
        {
            "exposure": [f"e{i}" for i in range(n)],
            "mjd": np.arange(n) + 58000.0,
            "ra": ra,
            "dec": dec,
            "rotation": rotation,
            "band": ["ztfg"] * n,
            "zp": np.full(n, 28.0),
            "depth": np.full(n, 20.8),
        }
    )


def brute(exposures, ra, dec, half_xi, half_eta):
    """Rotation and offsets by astropy; the tangents of its angles are the tangent plane."""
    targets = SkyCoord(ra, dec, unit="deg")
    pairs = set()
    for row in range(len(exposures)):
        center = SkyCoord(exposures["ra"][row], exposures["dec"][row], unit="deg")
        turn = exposures["rotation"][row] * u.deg
        offset = targets.transform_to(center.skyoffset_frame(rotation=turn))
        lon, lat = offset.lon.wrap_at(180 * u.deg).rad, offset.lat.rad
        xi, eta = np.degrees(np.tan(lon)), np.degrees(np.tan(lat) / np.cos(lon))
        inside = (np.abs(lon) < 1.5) & (np.abs(xi) <= half_xi) & (np.abs(eta) <= half_eta)
        pairs |= {(int(target), row) for target in np.flatnonzero(inside)}
    return pairs


def test_pairs_are_those_of_a_loop_over_astropy():
    exposures = log(60)
    ra, dec = directions(4000, 3)
    found = visits_of(exposures, ra, dec, rectangle(7.3, 5.0))
    pairs = list(zip(found.target.tolist(), found.exposure.tolist(), strict=True))
    expected = brute(exposures, ra, dec, 3.65, 2.5)
    assert len(expected) > 150
    assert set(pairs) == expected
    assert pairs == sorted(pairs)


def test_places_in_the_focal_plane_are_those_of_a_wcs():
    exposures = log(5, rotate=False)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.cdelt = [1.0, 1.0]
    wcs.wcs.crpix = [0.0, 0.0]
    wcs.wcs.crval = [exposures["ra"][4], exposures["dec"][4]]
    xi = np.array([0.0, 1.0, -2.0, 3.0])
    eta = np.array([0.0, 0.5, 3.0, -3.0])
    ra, dec = wcs.wcs_pix2world(xi, eta, 1)
    found = visits_of(exposures.select([4]), ra, dec, rectangle(7.0, 7.0))
    assert found.target.tolist() == [0, 1, 2, 3]
    assert np.allclose([found.xi, found.eta], [xi, eta], atol=1e-9, rtol=0.0)
    center = np.full(4, wcs.wcs.crval[0]), np.full(4, wcs.wcs.crval[1])
    again = from_tangent(*center, found.xi, found.eta)
    assert np.allclose(again, [ra % 360.0, dec], atol=1e-9, rtol=0.0)


def test_disk_is_a_separation():
    exposures = log(40)
    ra, dec = directions(3000, 4)
    found = visits_of(exposures, ra, dec, disk(4.0))
    near = SkyCoord(exposures["ra"], exposures["dec"], unit="deg")[None, :].separation(
        SkyCoord(ra, dec, unit="deg")[:, None]
    )
    target, exposure = np.nonzero(near.deg <= 4.0)
    assert np.array_equal(found.target, target)
    assert np.array_equal(found.exposure, exposure)


def test_a_camera_brings_its_gaps():
    exposures = log(200)
    ra, dec = directions(4000, 5)
    full = rectangle(7.0, 7.0)

    def with_gap(xi, eta):
        return full.contains(xi, eta) & (np.abs(xi) > 0.5)

    all_of_it = visits_of(exposures, ra, dec, full)
    gaps = visits_of(exposures, ra, dec, FieldOfView(radius=full.radius, contains=with_gap))
    # 1 of 7 deg is gap: binomial, 5 sigma.
    n, share = len(all_of_it), 6.0 / 7.0
    assert n > 800
    assert abs(len(gaps) - share * n) < 5.0 * np.sqrt(n * share * (1.0 - share)) + 0.01 * n


def test_parts_are_the_whole(monkeypatch):
    exposures = log(300)
    ra, dec = directions(2000, 6)
    whole = visits_of(exposures, ra, dec, rectangle(7.0, 7.0))
    monkeypatch.setattr("chandelle.simulate.logs.coverage._CHUNK_PAIRS", 50)
    parts = list(visits_in_parts(exposures, ra, dec, rectangle(7.0, 7.0)))
    assert len(parts) > 5
    assert sum(len(part) for part in parts) == len(whole)
    pieces = visits_of(exposures, ra, dec, rectangle(7.0, 7.0))
    for name in ("target", "exposure", "xi", "eta"):
        assert np.array_equal(getattr(pieces, name), getattr(whole, name))


def test_times_of_a_target_are_kept_to():
    exposures = log(300)
    ra, dec = directions(2000, 6)
    start, view = 58000.0 + np.arange(2000) % 300, rectangle(7.0, 7.0)
    whole = visits_of(exposures, ra, dec, view)
    mjd = exposures["mjd"][whole.exposure]
    inside = (mjd >= start[whole.target]) & (mjd <= start[whole.target] + 40.0)
    assert 0 < inside.sum() < len(whole)
    # A log in any order: exposures are sorted by their row.
    for order in (np.arange(300), np.random.default_rng(1).permutation(300)):
        found = Visits.joined(
            list(
                visits_in_parts(
                    exposures.select(order), ra, dec, view, start=start, stop=start + 40.0
                )
            )
        )
        pairs = set(zip(found.target.tolist(), order[found.exposure].tolist(), strict=True))
        expected = zip(whole.target[inside], whole.exposure[inside], strict=True)
        assert pairs == {(int(a), int(b)) for a, b in expected}
        assert np.all(np.diff(300 * found.target + found.exposure) > 0)


def test_nothing_to_see_and_bad_positions():
    exposures = log(5)
    empty = np.zeros(0)
    assert len(visits_of(exposures, empty, empty, disk(1.0))) == 0
    with pytest.raises(InputError, match="target 1 has no finite position"):
        visits_of(exposures, np.array([1.0, np.nan]), np.array([1.0, 2.0]), disk(1.0))
    with pytest.raises(InputError, match="radius must be within"):
        disk(0.0)
