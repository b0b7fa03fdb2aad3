"""Passbands over the focal plane: interpolation, the members that stand for it, what is refused."""

import numpy as np
import pytest

from chandelle.core.errors import InputError
from chandelle.products.passband import filter_of
from chandelle.products.passband_family import PassbandFamily
from chandelle.products.position_members import ladders, member, nearest_members

WAVE = np.arange(4000.0, 6001.0, 5.0)


def _bell(middle, height=0.8):
    return height * np.exp(-0.5 * ((WAVE - middle) / 250.0) ** 4)


def _radial(step=0.5):
    # The edge goes 30 angstrom to the blue, unevenly, while the filter dims by half.
    middles, heights = [5000.0, 4990.0, 4988.0, 4970.0], [0.8, 0.8, 0.6, 0.4]
    return PassbandFamily(
        name="mega_g",
        axes=("radius",),
        nodes=(np.array([0.0, 5.0, 12.0, 21.0]),),
        wave=WAVE,
        transmission=np.array([_bell(m, h) for m, h in zip(middles, heights, strict=True)]),
        unit="cm",
        step=step,
    )


def _planar(step=0.5):
    x, y = np.array([-10.0, 0.0, 10.0]), np.array([-10.0, 10.0])
    table = [[_bell(5000.0 + 0.6 * i - 0.3 * j) for j in y] for i in x]
    return PassbandFamily(
        name="g",
        axes=("x_fp", "y_fp"),
        nodes=(x, y),
        wave=WAVE,
        transmission=np.array(table),
        step=step,
    )


def _move(first, second):
    """W1 of photons per wavelength, on a fine grid."""
    wave = np.arange(WAVE[0], WAVE[-1], 0.5)
    cumulative = [np.cumsum(band(wave) / wave) for band in (first, second)]
    phi, psi = (c / c[-1] for c in cumulative)
    return np.trapezoid(np.abs(phi - psi), wave)


def test_linear_in_position():
    family = _radial()
    np.testing.assert_allclose(
        family.at(radius=6.75).transmission,
        0.75 * family.transmission[1] + 0.25 * family.transmission[2],
    )
    np.testing.assert_array_equal(family.at(radius=21.0).transmission, family.transmission[3])
    assert family.at(radius=0.0).mean_wave - family.at(radius=21.0).mean_wave == pytest.approx(
        30.0, abs=0.1
    )
    corners = _planar().transmission[1:].reshape(4, -1)
    np.testing.assert_allclose(
        _planar().at(x_fp=2.5, y_fp=0.0).transmission, np.array([3, 3, 1, 1]) @ corners / 8
    )


def test_a_detector_is_itself():
    family = PassbandFamily(
        name="z",
        axes=("sensor", "radius"),
        nodes=(np.array([3.0, 7.0]), np.array([0.0, 1.0])),
        wave=WAVE,
        transmission=np.array([[_bell(5000.0), _bell(4990.0)], [_bell(4900.0), _bell(4890.0)]]),
    )
    band = family.at(sensor=7, radius=0.5)
    assert band.name == "z@7,0.5"
    np.testing.assert_allclose(band.transmission, family.transmission[1].mean(axis=0))
    with pytest.raises(InputError, match=r"outside of sensor 3 \.\. 7, radius 0 \.\. 1"):
        family.at(sensor=5, radius=0.5)


@pytest.mark.parametrize("family", [_radial(), _planar(), _radial(step=0.05)])
def test_no_position_is_more_than_half_a_step_from_its_member(family):
    rng = np.random.default_rng(1)
    low = [nodes[0] for nodes in family.nodes]
    high = [nodes[-1] for nodes in family.nodes]
    position = rng.uniform(low, high, (200, len(low)))
    places = nearest_members(family, position)
    moves = [
        _move(family.at(**dict(zip(family.axes, here, strict=True))), member(family, place))
        for here, place in zip(position, places, strict=True)
    ]
    assert max(moves) < 0.5 * family.step * 1.01
    # The ladder is no finer than it need be: along one axis some are near the limit.
    if len(family.axes) == 1:
        assert max(moves) > 0.25 * family.step


def test_members_have_the_names_of_their_places():
    family = _radial()
    place = nearest_members(family, np.array([[12.51]]))[0]
    band = member(family, place)
    assert filter_of(band.name) == "mega_g"
    again = family.at(radius=float(band.name.split("@")[1]))
    np.testing.assert_array_equal(again.transmission, band.transmission)
    places = ladders(family)[0].places
    assert len(set(places.tolist())) == len(places)


def test_beyond_the_table_is_nobody():
    family = _radial()
    inside = nearest_members(family, np.array([[-0.02], [21.02], [21.1], [np.nan], [-1.0]]))
    assert np.isfinite(inside).ravel().tolist() == [True, True, False, False, False]


def test_curves_of_different_wavelengths_share_a_grid():
    family = PassbandFamily.from_curves(
        "g",
        {
            (0.0,): (np.array([4000.0, 5000.0, 6000.0]), np.array([0.0, 1.0, 0.0])),
            (1.0,): (np.array([3900.0, 4900.0, 5900.0]), np.array([0.0, 1.0, 0.0])),
        },
        common=[(np.array([3000.0, 5500.0]), np.array([0.5, 0.5]))],
    )
    assert family.wave.tolist() == [3900.0, 4000.0, 4900.0, 5000.0, 5500.0]
    np.testing.assert_allclose(family.at(radius=0.5)([4900.0, 5501.0]), [0.475, 0.0])


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"name": "g@1"}, "without @"),
        ({"axes": ("phi",)}, "axes must be some of sensor, radius"),
        ({"nodes": (np.array([0.0, 1.0, 1.0, 2.0]),)}, "must increase"),
        ({"nodes": (np.array([0.0, 1.0]),)}, r"\(\*nodes, wave\) = \(2, 401\)"),
        ({"nodes": (np.array([0.0, 1.0, 2.0, np.inf]),)}, "NaN or infinity"),
        ({"step": 0.0}, "step must be positive"),
        ({"transmission": np.zeros((4, 401))}, "no sample transmits"),
    ],
)
def test_refused(change, match):
    own = _radial()
    fields = {n: getattr(own, n) for n in ("name", "axes", "nodes", "wave", "transmission")}
    with pytest.raises(InputError, match=match):
        PassbandFamily(**{**fields, **change})


def test_a_hole_in_the_grid_is_named():
    curve = (WAVE, _bell(5000.0))
    places = [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0)]
    with pytest.raises(InputError, match=r"1 points have no curve, first \(1.0, 1.0\)"):
        PassbandFamily.from_curves("g", dict.fromkeys(places, curve), axes=("x_fp", "y_fp"))


def test_a_position_lacks_nothing():
    with pytest.raises(InputError, match="a position is radius, got x_fp"):
        _radial().at(x_fp=1.0)
