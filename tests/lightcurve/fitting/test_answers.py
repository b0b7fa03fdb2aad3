"""Errors of answers: away from bounds and at them, against integrals of the density."""

import numpy as np
import pytest

from chandelle.lightcurve.fitting.answers import covariance_of

H = np.array([[4.0, 1.0], [1.0, 9.0]])


def test_inside_the_bounds_it_is_the_inverse():
    np.testing.assert_allclose(covariance_of(H[None])[0], np.linalg.inv(H), rtol=1e-14)
    np.testing.assert_array_equal(covariance_of(H[None], np.zeros((1, 2))), covariance_of(H[None]))


@pytest.mark.parametrize(
    ("slope", "bend", "low", "high"),
    [
        # A normal density cut in half is 0.6 as wide; the largest ratio, 1.74, is at 0.8.
        (0.01, 4.0, 1.6, 1.7),
        (0.8, 4.0, 1.7, 1.75),
        (10.0, 4.0, 1.0, 1.1),
        (100.0, 4.0, 0.99, 1.01),
        (10.0, -1.0, 0.97, 1.0),
        (100.0, -1.0, 0.99, 1.01),
    ],
)
def test_at_a_bound_it_is_the_width_of_the_density_that_falls_off(slope, bend, low, high):
    """exp(-g x - H x^2 / 2) for x > 0."""
    x = np.linspace(0.0, min(10.0 / slope, 5.0), 400001)
    density = np.exp(-slope * x - 0.5 * bend * x**2)
    density /= density.sum()
    width = np.sqrt(density @ (x - density @ x) ** 2)
    hessian = np.array([[[4.0, 0.0], [0.0, bend]]])
    cov = covariance_of(hessian, np.array([[0.0, slope]]))[0]
    np.testing.assert_allclose(cov[0], [0.25, 0.0])
    assert low < np.sqrt(cov[1, 1]) / width < high


def test_not_positive_even_so_is_nan():
    hessian = np.array([[[4.0, 0.0], [0.0, -9.0]]])
    assert np.isnan(covariance_of(hessian, np.array([[0.0, 1.0]]))).all()
    assert np.isfinite(covariance_of(hessian, np.array([[0.0, 4.0]]))).all()
