"""Areas against spherical geometry of astropy, positions uniform on the sphere."""

import jax.numpy as jnp
import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from scipy.stats import chisquare, kstest

from chandelle.core.errors import InputError
from chandelle.core.rng import key_for
from chandelle.simulate.footprint import Rectangle, cones, fields, whole_sky
from chandelle.simulate.pieces import Population, supernova_keys

N = 200_000


def positions(footprint, n=N, seed=3):
    drawn = Population(sky=footprint).draw(supernova_keys(key_for(seed, "sky"), np.arange(n)))
    return drawn["ra"], drawn["dec"]


def sphere(n, seed):
    """Uniform positions by another way: normalized Gaussians."""
    xyz = np.random.default_rng(seed).normal(size=(n, 3))
    xyz /= np.linalg.norm(xyz, axis=1)[:, None]
    ra = np.degrees(np.arctan2(xyz[:, 1], xyz[:, 0])) % 360
    return ra, np.degrees(np.arcsin(xyz[:, 2]))


def test_the_whole_sky_is_uniform():
    ra, dec = positions(whole_sky())
    assert kstest(ra / 360, "uniform").pvalue > 1e-4
    assert kstest(0.5 * (np.sin(np.radians(dec)) + 1), "uniform").pvalue > 1e-4
    # Both together, in 12 x 12 cells of equal area.
    counts = np.histogram2d(ra / 360, np.sin(np.radians(dec)), 12, [[0, 1], [-1, 1]])[0]
    assert chisquare(counts.ravel()).pvalue > 1e-4
    assert whole_sky().area_deg2 == pytest.approx(4 * np.pi * (180 / np.pi) ** 2, rel=1e-14)


@pytest.mark.parametrize("bounds", [(20.0, 80.0, -30.0, 10.0), (300.0, 40.0, 30.0, 90.0)])
def test_rectangles(bounds):
    footprint = Rectangle(*bounds)
    ra, dec = positions(footprint)
    assert np.asarray(footprint.contains(jnp.asarray(ra), jnp.asarray(dec))).all()
    width = (bounds[1] - bounds[0]) % 360
    low, high = np.sin(np.radians(bounds[2:]))
    assert kstest(((ra - bounds[0]) % 360) / width, "uniform").pvalue > 1e-4
    assert kstest((np.sin(np.radians(dec)) - low) / (high - low), "uniform").pvalue > 1e-4
    check_area(footprint)


def check_area(footprint, n=1_000_000):
    """The share of uniform positions inside is the area, within 4 standard errors."""
    ra, dec = sphere(n, seed=11)
    share = np.asarray(footprint.contains(jnp.asarray(ra), jnp.asarray(dec))).mean()
    expected = footprint.area_deg2 / whole_sky().area_deg2
    assert abs(share - expected) < 4 * np.sqrt(expected * (1 - expected) / n)


@pytest.mark.parametrize(("ra", "dec", "radius"), [(150.0, 2.2, 10.0), (0.0, 89.0, 30.0)])
def test_a_cone_is_uniform_in_the_cosine_of_the_distance(ra, dec, radius):
    cone = cones(ra, dec, radius_deg=radius)
    assert cone.area_deg2 == pytest.approx(
        2 * np.pi * (1 - np.cos(np.radians(radius))) * (180 / np.pi) ** 2, rel=1e-12
    )
    found = SkyCoord(*positions(cone), unit="deg")
    center = SkyCoord(ra, dec, unit="deg")
    x = (1 - np.cos(center.separation(found).rad)) / (1 - np.cos(np.radians(radius)))
    assert kstest(x, "uniform").pvalue > 1e-4
    turn = center.position_angle(found).wrap_at(360 * u.deg).deg
    assert kstest(turn / 360, "uniform").pvalue > 1e-4


def test_a_cone_contains_what_is_near():
    ra, dec = sphere(20_000, seed=1)
    near = SkyCoord(350.0, 60.0, unit="deg").separation(SkyCoord(ra, dec, unit="deg")).deg < 25
    inside = cones(350.0, 60.0, radius_deg=25.0).contains(jnp.asarray(ra), jnp.asarray(dec))
    np.testing.assert_array_equal(inside, near)


def test_a_field_is_a_box_about_its_center():
    ra, dec = sphere(200_000, seed=2)
    center = SkyCoord(200.0, 75.0, unit="deg")
    offset = SkyCoord(ra, dec, unit="deg").transform_to(center.skyoffset_frame())
    box = (np.abs(offset.lon.wrap_at(180 * u.deg).deg) < 12) & (np.abs(offset.lat.deg) < 7)
    footprint = fields(200.0, 75.0, half_width_deg=12.0, half_height_deg=7.0)
    np.testing.assert_array_equal(footprint.contains(jnp.asarray(ra), jnp.asarray(dec)), box)


OVERLAPPING = {
    "fields": lambda: fields(
        np.array([10.0, 16.0, 14.0, 190.0, 359.0]),
        np.array([0.0, 2.0, 6.0, -88.0, -1.0]),
        half_width_deg=7.0,
        half_height_deg=5.0,
    ),
    "cones": lambda: cones(
        np.array([0.0, 5.0, 350.0, 0.0]), np.array([80.0, 85.0, 89.0, 80.0]), radius_deg=8.0
    ),
}


@pytest.mark.parametrize("name", OVERLAPPING)
def test_unions_count_nothing_twice(name):
    footprint = OVERLAPPING[name]()
    alone = float(np.sum(np.asarray(footprint.patch.area)))
    assert footprint.area_deg2 < 0.95 * alone
    check_area(footprint)
    # Drawn positions against uniform ones of numpy inside the union, cell by cell.
    ra, dec = positions(footprint)
    assert np.asarray(footprint.contains(jnp.asarray(ra), jnp.asarray(dec))).all()
    other = sphere(3_000_000, seed=4)
    inside = np.asarray(footprint.contains(*(jnp.asarray(x) for x in other)))
    edges = [np.linspace(0, 360, 19), np.linspace(-1, 1, 25)]
    counts = np.histogram2d(ra, np.sin(np.radians(dec)), edges)[0]
    reference = np.histogram2d(other[0][inside], np.sin(np.radians(other[1][inside])), edges)[0]
    used = reference > 100
    share, n_other = reference[used] / inside.sum(), inside.sum()
    variance = N * share * (1 + N / n_other)
    chi2 = np.sum((counts[used] - N * share) ** 2 / variance)
    assert abs(chi2 - used.sum()) < 5 * np.sqrt(2 * used.sum())


def test_the_area_of_two_fields_is_known():
    # On the equator a box is one in right ascension: lengths add.
    pair = fields([10.0, 13.0], [0.0, 0.0], half_width_deg=2.0, half_height_deg=1.0)
    exact = 7.0 * 2 * np.degrees(np.sin(np.radians(1.0)))
    assert pair.area_deg2 == pytest.approx(exact, rel=1e-4)
    apart = fields([10.0, 20.0], [0.0, 0.0], half_width_deg=2.0, half_height_deg=1.0)
    assert apart.area_deg2 == pytest.approx(2 * exact * 4 / 7, rel=1e-12)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Rectangle(10.0, 10.0, 0.0, 1.0), "ra_min"),
        (lambda: Rectangle(-10.0, 10.0, 0.0, 1.0), "passes through 0"),
        (lambda: Rectangle(0.0, 10.0, 5.0, 1.0), "dec_min < dec_max"),
        (lambda: cones([], [], radius_deg=1.0), "one center or more"),
        (lambda: cones(0.0, 91.0, radius_deg=1.0), "dec"),
        (lambda: cones(0.0, 0.0, radius_deg=0.0), "sizes of patches"),
        (lambda: fields(0.0, 0.0, half_width_deg=100.0, half_height_deg=1.0), r"\(0, 90\]"),
    ],
)
def test_impossible_footprints_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()
