"""The law of growth: known ones are found, and its errors are true ones."""

import numpy as np
import pytest

from chandelle.compute.growth import Interval, fit_law
from chandelle.core.errors import InputError

SIZES = np.array([100.0, 300.0, 1000.0, 3000.0])
POWERS = (0.5, 1.0, 1.5, 2.0, 3.0)
LSST = 400_000.0


def law(power: float, share: float, n: np.ndarray | float) -> np.ndarray:
    """Cost 1 at the smallest size, a share of it at any size."""
    return share + (1.0 - share) * (n / SIZES[0]) ** power


def holds(interval: Interval, truth: float) -> tuple[bool, bool]:
    return (
        interval.low < truth < interval.high,
        interval.low95 < truth < interval.high95,
    )


def coverage(
    rng: np.random.Generator, trials: int, *, share: float, noise: float, hidden: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """How often 68 and 95 % intervals hold the power, and the cost of LSST; three repeats a size.

    The hidden noise is that of a process: all repeats of a size have it in common.
    """
    powers, costs = [], []
    for trial in range(trials):
        power = POWERS[trial % len(POWERS)]
        exact = np.log(law(power, share, SIZES)) + hidden * rng.normal(size=len(SIZES))
        repeats = exact[:, None] + noise * rng.normal(size=(len(SIZES), 3))
        scatter = np.sqrt(np.mean(np.var(repeats, axis=1, ddof=1)))
        err = np.full(len(SIZES), np.hypot(0.01, scatter * np.sqrt(np.pi / 6)))
        found = fit_law(SIZES, np.exp(np.median(repeats, axis=1)), err=err)
        powers.append(holds(found.power, power))
        costs.append(holds(found.predict(LSST), float(law(power, share, LSST))))
    return np.mean(powers, axis=0), np.mean(costs, axis=0)


@pytest.mark.parametrize("power", POWERS)
@pytest.mark.parametrize("share", [0.0, 0.6])
def test_exact_laws_are_found(power, share):
    found = fit_law(SIZES, 5.0 * law(power, share, SIZES), err=np.full(4, 0.01))
    assert found.power.median == pytest.approx(power, abs=0.04)
    assert found.constant.median == pytest.approx(5.0 * share, abs=0.25)
    assert np.log(found.predict(LSST).median / (5 * law(power, share, LSST))) == pytest.approx(
        0.0, abs=0.2
    )
    assert found.is_growing


def test_without_a_constant_it_is_the_straight_line_of_the_logarithms():
    y = law(1.5, 0.0, SIZES) * np.exp([0.02, -0.03, 0.01, 0.0])
    found = fit_law(SIZES, y, err=np.full(4, 0.02))
    slope, _ = np.polyfit(np.log(SIZES), np.log(y), 1)
    assert found.power.median == pytest.approx(slope, abs=0.5 * found.power.err)
    # Error of a slope from residuals of a known size; the t factor and doubts of the law widen it.
    classical = 0.02 / np.sqrt(np.sum((np.log(SIZES) - np.log(SIZES).mean()) ** 2))
    assert classical < found.power.err < 2.5 * classical


@pytest.mark.parametrize(
    ("noise", "share"), [(0.03, 0.0), pytest.param(0.1, 0.5, marks=pytest.mark.slow)]
)
def test_errors_are_true(noise, share):
    how = {"share": share, "noise": noise, "hidden": 0.0}
    for found in coverage(np.random.default_rng(11), 60, **how):
        assert 0.55 < found[0] < 0.97
        assert found[1] > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.0, 0.3, 0.6])
@pytest.mark.parametrize(
    ("noise", "hidden"), [(0.03, 0.0), (0.05, 0.0), (0.1, 0.0), (0.01, 0.03), (0.01, 0.1)]
)
def test_errors_are_true_of_many(noise, share, hidden):
    """A noise that all repeats share is told by the scatter about the law alone."""
    how = {"share": share, "noise": noise, "hidden": hidden}
    power, cost = coverage(np.random.default_rng(12), 200, **how)
    least, least95 = (0.5, 0.88) if hidden > noise else (0.6, 0.93)
    for found in (power, cost):
        assert least < found[0] < 0.95
        assert found[1] > least95


def test_errors_grow_with_the_distance_and_shrink_with_the_noise():
    y = law(2.0, 0.0, SIZES)
    good, bad = (fit_law(SIZES, y, err=np.full(4, err)) for err in (0.01, 0.1))
    spread = [np.log(good.predict(n).high / good.predict(n).low) for n in (3e3, 4e4, 4e5)]
    assert spread == sorted(spread)
    assert spread[2] > 3 * spread[0]
    assert bad.power.err > 4 * good.power.err


def test_a_power_that_rises_may_rise_further():
    """N^2 with a little N^3: the truth at LSST lies far above the power of these sizes."""
    sizes = np.array([100.0, 300.0, 1000.0, 2000.0, 3000.0])

    def cost(n):
        return n**2 * (1.0 + n / 3000.0)

    found = fit_law(sizes, cost(sizes), err=np.full(5, 0.02)).predict(4e4)
    assert found.low95 < cost(4e4) < found.high95
    exact = fit_law(sizes, sizes**2, err=np.full(5, 0.02)).predict(4e4)
    assert np.log(found.high95 / found.low95) > 3 * np.log(exact.high95 / exact.low95)


def test_what_does_not_grow():
    found = fit_law(SIZES, np.array([1.0, 1.01, 0.99, 1.0]), err=np.full(4, 0.01))
    assert not found.is_growing
    assert found.predict(LSST).median == pytest.approx(1.0, abs=0.05)
    assert found.predict(LSST).high95 > 1.5


def test_a_large_constant_does_not_hide_growth():
    found = fit_law(SIZES, 1e5 + SIZES**2, err=np.full(4, 0.002))
    assert found.power.median == pytest.approx(2.0, abs=0.1)
    assert found.constant.median == pytest.approx(1e5, rel=0.01)


def test_few_sizes_are_refused_and_three_give_wide_errors():
    with pytest.raises(InputError, match="3 sizes or more that were measured, got 2"):
        fit_law(SIZES[:2], SIZES[:2], err=np.full(2, 0.01))
    with pytest.raises(InputError, match="positive"):
        fit_law(SIZES, SIZES - 100.0, err=np.full(4, 0.01))
    three = fit_law(SIZES[[0, 2, 3]], SIZES[[0, 2, 3]], err=np.full(3, 0.03))
    four = fit_law(SIZES, SIZES, err=np.full(4, 0.03))
    assert three.predict(LSST).high95 > four.predict(LSST).high95


def test_a_constant_that_is_certain():
    """A constant of a tenth, within the errors: only who knows of it finds the power."""
    y, err = 0.1 + SIZES / SIZES[0], np.array([0.03, 0.02, 0.01, 0.01])
    known = fit_law(SIZES, y, err=err, may_be_pure=False)
    unknown = fit_law(SIZES, y, err=err)
    assert known.power.median == pytest.approx(1.0, abs=0.01)
    assert unknown.power.median < known.power.median


def test_an_interval_in_words():
    interval = Interval(median=2.0, low=1.5, high=3.0, low95=1.0, high95=12345.6)
    assert str(interval) == "2 (1.5 to 3; 95 %: 1 to 1.235e+04)"
    assert interval.err == 0.75
