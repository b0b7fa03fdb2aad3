"""Figures of a simulated sample: what is drawn is in the truth, beside astropy's integral."""

import jax.numpy as jnp
import numpy as np
import pytest
from astropy.cosmology import FlatLambdaCDM
from matplotlib import pyplot
from scipy.integrate import quad

from chandelle.core.errors import InputError
from chandelle.products.schema import table_from_columns
from chandelle.report import (
    compare_samples,
    plot,
    plot_counts,
    plot_distributions,
    plot_efficiency,
)
from chandelle.simulate.draw_targets import draw_targets
from chandelle.simulate.pieces import Population
from chandelle.simulate.rate import PowerLawRate
from chandelle.simulate.truth import Truth


def zero():
    return jnp.zeros(())


SIMPLE = Population(
    x1=zero,
    c=zero,
    vpec=zero,
    mwebv=zero,
    z_cmb=lambda z: z,
    z_hel=lambda z: z,
    mb=lambda mu: mu - 19.3,
)


@pytest.fixture(scope="module")
def drawn():
    return draw_targets(SIMPLE, z_max=0.1, rate=PowerLawRate(), years=0.5, seed=2)[1]


@pytest.fixture(scope="module")
def observed(drawn):
    """All brighter than 18 are found, of which one in two is in the sample."""
    peak = drawn["mb_true"]
    found = peak < 18.0
    added = {
        "peak_mag_true": peak,
        "is_found": found,
        "is_selected": found & (np.arange(len(peak)) % 2 == 0),
        "p_spectrum": np.full(len(peak), 0.5),
    }
    columns = {name: drawn[name] for name in drawn.table.column_names}
    return Truth(table=table_from_columns(columns | added), meta=drawn.meta)


@pytest.fixture(autouse=True)
def _close():
    yield
    pyplot.close("all")


def test_the_line_of_counts_is_the_integral_of_astropy(drawn):
    ax = plot_counts(drawn)
    line = ax.lines[0]
    z, expected = line.get_data()
    width = np.diff(z).mean()
    cosmology = FlatLambdaCDM(70, 0.3, Tcmb0=0)

    def density(z):
        volume = 4 * np.pi * cosmology.differential_comoving_volume(z).value * 1e-9
        return 0.5 * 2.27e4 * (1 + z) ** 0.7 * volume

    there = [quad(density, low, low + width)[0] for low in z - width / 2]
    # The record has 65 redshifts, joined by lines.
    assert np.abs(expected / there - 1)[4:].max() < 0.01
    assert expected.sum() == pytest.approx(quad(density, 0, 0.1)[0], rel=1e-4)
    heights = [bar.get_height() for bar in ax.patches]
    assert sum(heights) == len(drawn)
    assert np.abs((heights - expected) / np.sqrt(expected)).max() < 4.5


def test_counts_have_those_found_and_chosen(observed):
    ax = plot(observed)
    labels = ax.get_legend_handles_labels()[1]
    n = [len(observed), observed["is_found"].sum(), observed["is_selected"].sum()]
    words = [
        f"{word} ({k})" for word, k in zip(("drawn", "found", "in the sample"), n, strict=True)
    ]
    assert set(words) < set(labels)


def test_counts_of_a_number_asked_for_are_scaled():
    few = draw_targets(SIMPLE, n=500, z_max=0.1, seed=2)[1]
    ax = plot_counts(few)
    assert ax.lines[0].get_label() == "expected, scaled"
    assert ax.lines[0].get_ydata().sum() == pytest.approx(500)
    with pytest.raises(InputError, match="give survey=, one of SN; got ZTF"):
        plot_counts(few, survey="ZTF")
    bare = Truth(table=few.table, meta=few.meta.with_provenance(targets={}))
    with pytest.raises(InputError, match="does not say how many were expected"):
        plot_counts(bare)


def test_efficiency_is_the_share_of_each_bin(observed, drawn):
    ax = plot(observed, by="peak_mag", bins=10)
    found, chosen = (container.lines[0] for container in ax.containers)
    magnitude, share = found.get_data()
    half = 0.5 * np.diff(magnitude).mean()
    for one, value, other in zip(magnitude, share, chosen.get_ydata(), strict=True):
        rows = np.abs(observed["peak_mag_true"] - one) < half
        assert value == pytest.approx(observed["is_found"][rows].mean(), abs=0.02)
        assert other == pytest.approx(observed["is_selected"][rows].mean(), abs=0.02)
    assert np.allclose(ax.lines[-1].get_ydata(), 0.5)
    with pytest.raises(InputError, match="no is_found; observe the targets first"):
        plot_efficiency(drawn, by="z_cos")
    with pytest.raises(InputError, match="no width_true"):
        plot_efficiency(observed, by="width")


def test_samples_are_compared_by_the_distance_of_their_cumulatives():
    rng = np.random.default_rng(3)
    number = np.arange(900)
    samples = {name: {"x1": rng.normal(m, 1, 900), "n": number} for name, m in (("a", 0), ("b", 1))}
    table = compare_samples(samples, ["x1", "n"])
    one, other = (np.sort(samples[name]["x1"]) for name in "ab")
    grid = np.concatenate([one, other])
    shares = [np.searchsorted(each, grid, side="right") / 900 for each in (one, other)]
    assert table.loc[("x1", "b"), "D"] == pytest.approx(np.abs(shares[0] - shares[1]).max())
    assert np.isnan(table.loc[("x1", "a"), "D"])
    assert table.loc[("n", "b"), ["D", "median"]].tolist() == [0.0, 449.5]
    axes = plot_distributions(samples, ["x1", "n"])
    d = table.loc[("x1", "b"), "D"]
    assert [ax.get_title(loc="right") for ax in axes] == [f"D = {d:.3f}", "D = 0.000"]
    assert len(plot_distributions({"a": samples["a"]}, ["x1"])) == 1
    with pytest.raises(InputError, match="sample 'a' has no 'c'; it has x1, n"):
        plot_distributions(samples, ["c"])
    with pytest.raises(InputError, match="no finite 'c'"):
        compare_samples({"a": {"c": [np.nan]}, "b": {"c": [1.0]}}, ["c"])
    with pytest.raises(InputError, match="two samples or more, got 1"):
        compare_samples({"a": samples["a"]}, ["x1"])
