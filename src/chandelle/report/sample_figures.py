"""Figures of a simulated sample: how many there are, who is found, how they are distributed."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray
from scipy.stats import ks_2samp

from chandelle.core.errors import InputError
from chandelle.report.style import ACCENT, INK, LABELS, MUTED, dress, new_axes
from chandelle.simulate.truth import Truth

_LINES = ((ACCENT, "-"), ("#d55e00", "-"), ("#009e73", "--"), ("#cc79a7", "-."), ("#e69f00", ":"))
"""Color and style of each sample; the first is filled."""
_TAILS = (0.002, 0.998)
_LEAST = 5
"""Supernovae of a bin whose share is drawn."""
_TRUTH_LABELS = {
    "z_cos": LABELS["z"],
    "host_logmass": "host mass (log10 suns)",
    "peak_mag": "peak magnitude (AB)",
    "n_detections": "detections",
    "peak_snr": "largest flux over error",
}


def plot_counts(truth: Truth, *, survey: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw how many supernovae exploded, were found and are in the sample, by redshift.

    The line is the integral of rate, volume and time dilation over each bin; where a number was
    asked for, in place of that of the rate, it is scaled to those drawn.

    Parameters
    ----------
    truth : Truth
        Of a simulation, all that were drawn.
    survey : str, optional
        One of those in the truth; it may be left out where there is only one.
    ax : Axes, optional
        A new figure's when not given.

    Returns
    -------
    Axes
        Numbers on a logarithmic scale.

    Raises
    ------
    InputError
        If the survey is not in the truth, or the truth does not say what was expected.
    """
    name, facts = _facts_of(truth, survey)
    rows = truth["survey"].astype(str) == name
    z = truth["z_cos_true"][rows]
    below = facts["expected_below"]
    n_bins = int(np.clip(np.sqrt(len(z)), 8, 32))
    edges = np.linspace(facts["z_min"], facts["z_max"], n_bins + 1)
    expected = np.diff(np.interp(edges, below["z"], below["n"]))
    words = f"expected ({facts['expected']:.0f})"
    if not facts["is_poisson"]:
        expected, words = expected * len(z) / expected.sum(), "expected, scaled"
    ax = new_axes(ax)
    looks = {"drawn": ("", MUTED), "found": ("is_found", "#56b4e9")}
    looks["in the sample"] = ("is_selected", ACCENT)
    for word, (column, color) in looks.items():
        if column and column not in truth.table.column_names:
            continue
        shown = z[truth[column][rows]] if column else z
        label = f"{word} ({len(shown)})"
        ax.hist(shown, bins=edges.tolist(), color=color, alpha=0.75, label=label)
    ax.plot(0.5 * (edges[1:] + edges[:-1]), expected, color=INK, linewidth=1.4, label=words)
    ax.set_yscale("log")
    ax.set_ylim(bottom=0.7)
    ax.set_xlim(edges[0], edges[-1])
    ax.set_xlabel(LABELS["z"])
    ax.set_ylabel(LABELS["number"])
    ax.legend(fontsize=8, loc="lower right", title=name, title_fontsize=8, framealpha=0.85)
    return ax


def _facts_of(truth: Truth, survey: str | None) -> tuple[str, Mapping[str, Any]]:
    """Name of a survey, and what its supernovae were drawn from."""
    names = np.unique(truth["survey"].astype(str)).tolist()
    chosen = names[0] if survey is None and len(names) == 1 else survey
    if chosen not in names:
        raise InputError(f"counts: give survey=, one of {', '.join(names)}; got {survey}")
    targets = truth.meta.provenance.get("targets", {})
    facts = targets if "expected" in targets else targets.get(chosen, {})
    if "expected_below" not in facts:
        raise InputError(
            f"counts: the truth of {chosen} does not say how many were expected; draw it again "
            "with draw_targets or simulate_lightcurves"
        )
    return str(chosen), facts


def plot_efficiency(
    truth: Truth, *, by: str = "peak_mag", bins: int = 16, ax: Axes | None = None
) -> Axes:
    """Draw the share of the supernovae that is found, and that is in the sample.

    Parameters
    ----------
    truth : Truth
        Of observed supernovae, all that were drawn.
    by : str
        A quantity of the truth without ``_true``: "peak_mag", "z_cos", "x1", "c", ...
    bins : int
        Of equal width, over all but the outermost 0.2 % on either side; those of fewer than five
        supernovae are left out.
    ax : Axes, optional
        A new figure's when not given.

    Returns
    -------
    Axes
        Shares with binomial errors (Wilson, one sigma); the line is the mean chance of a spectrum.

    Raises
    ------
    InputError
        If the truth has no such quantity or was not observed.
    """
    missing = [name for name in (f"{by}_true", "is_found") if name not in truth.table.column_names]
    if missing:
        raise InputError(
            f"efficiency: the truth has no {missing[0]}; observe the targets first, and give by= "
            "the name of a quantity without _true"
        )
    values = truth[f"{by}_true"]
    good = np.isfinite(values)
    low, high = np.quantile(values[good], _TAILS)
    edges = np.linspace(low, high, bins + 1)
    number = np.clip(np.digitize(values, edges) - 1, -1, bins)
    number = np.where(good & (number < bins), number, -1)

    def sums(weights: NDArray) -> NDArray:
        kept = number >= 0
        return np.bincount(number[kept], weights=weights[kept], minlength=bins)

    total = sums(np.ones(len(values)))
    seen = total >= _LEAST
    middle = (0.5 * (edges[1:] + edges[:-1]))[seen]
    ax = new_axes(ax)
    for column, label, color, marker in (
        ("is_found", "found", "#d55e00", "s"),
        ("is_selected", "in the sample", ACCENT, "o"),
    ):
        share, least, most = _wilson(sums(truth[column].astype(float))[seen], total[seen])
        err = np.array([share - least, most - share])
        look = {"color": color, "fmt": marker, "markersize": 4, "elinewidth": 1.0}
        ax.errorbar(middle, share, yerr=err, label=label, **look)
    chance = sums(truth["p_spectrum"])[seen] / total[seen]
    ax.plot(middle, chance, color=INK, linewidth=1.2, label="mean chance of a spectrum")
    ax.set_ylim(-0.03, 1.05)
    ax.set_xlabel(_label(f"{by}_true"))
    ax.set_ylabel("share of those drawn")
    ax.legend(frameon=False, fontsize=8, loc="lower left", bbox_to_anchor=(-0.02, 0.98), ncols=3)
    return ax


def _wilson(k: NDArray, n: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Share, and its interval of one sigma (E. B. Wilson, 1927, JASA 22, 209)."""
    share = k / n
    center = (share + 0.5 / n) / (1.0 + 1.0 / n)
    half = np.sqrt(share * (1.0 - share) / n + 0.25 / n**2) / (1.0 + 1.0 / n)
    return share, np.minimum(center - half, share), np.maximum(center + half, share)


def compare_samples(
    samples: Mapping[str, Mapping[str, ArrayLike] | pd.DataFrame], names: Sequence[str]
) -> pd.DataFrame:
    """Compare the distributions of several samples with that of the first.

    Parameters
    ----------
    samples : mapping of str to DataFrame or mapping of str to array
        Two or more by name, each with the columns named.
    names : sequence of str
        Quantities.

    Returns
    -------
    DataFrame
        One row a quantity and sample: number, median, half the width of the middle 68 %, and the
        statistic and p value of the two-sample test of Kolmogorov and Smirnov.

    Raises
    ------
    InputError
        If there are fewer than two samples, or one has no finite value of a quantity.
    """
    if len(samples) < 2:
        raise InputError(f"compare_samples: give two samples or more, got {len(samples)}")
    first = next(iter(samples))
    rows = []
    for name in names:
        reference = _finite(samples[first], name, first)
        for sample, columns in samples.items():
            values = _finite(columns, name, sample)
            low, median, high = np.quantile(values, (0.15866, 0.5, 0.84134))
            found: Any = (np.nan, np.nan)
            if sample != first:
                found = tuple(ks_2samp(reference, values))
            rows.append((name, sample, len(values), median, 0.5 * (high - low), *found))
    columns = ["quantity", "sample", "number", "median", "half_width", "D", "p"]
    return pd.DataFrame(rows, columns=columns).set_index(["quantity", "sample"])


def _finite(columns: Mapping[str, ArrayLike] | pd.DataFrame, name: str, sample: str) -> NDArray:
    if name not in columns:
        raise InputError(f"sample {sample!r} has no {name!r}; it has {', '.join(columns)}")
    values = np.asarray(columns[name], dtype=float)
    values = values[np.isfinite(values)]
    if not len(values):
        raise InputError(f"sample {sample!r} has no finite {name!r}")
    return values


def plot_distributions(
    samples: Mapping[str, Mapping[str, ArrayLike] | pd.DataFrame],
    names: Sequence[str],
    *,
    log: Sequence[str] = (),
    axes: NDArray[np.object_] | None = None,
) -> NDArray[np.object_]:
    """Draw histograms of one or more samples over each other, each of area one.

    Parameters
    ----------
    samples : mapping of str to DataFrame or mapping of str to array
        By name, each with the columns named. The first is filled.
    names : sequence of str
        Quantities, a panel each.
    log : sequence of str
        Those with bins that are equal in the logarithm.
    axes : array of Axes, optional
        As many as quantities; a new figure's when not given.

    Returns
    -------
    array of Axes, shape (quantity,)
        Where more than one sample is given, the statistic D of `compare_samples` of each with the
        first stands above the panel.

    Raises
    ------
    InputError
        If a sample lacks a quantity, or the axes are too few.
    """
    if axes is None:
        axes = _panels(len(names))
    if len(axes) < len(names):
        raise InputError(f"plot_distributions: {len(names)} quantities need as many axes")
    tests = compare_samples(samples, names) if len(samples) > 1 else None
    for ax, name in zip(axes, names, strict=False):
        dress(ax)
        columns = {key: _finite(one, name, key) for key, one in samples.items()}
        edges = _edges(list(columns.values()), is_log=name in log)
        for i, (key, values) in enumerate(columns.items()):
            color, style = _LINES[i % len(_LINES)]
            shared = {"bins": edges.tolist(), "density": True, "label": key, "color": color}
            if i == 0:
                ax.hist(values, **shared, alpha=0.35)
            ax.hist(
                values,
                **(shared | {"label": f"_{key}"} if i == 0 else shared),
                histtype="step",
                linewidth=1.5,
                linestyle=style,
            )
        if name in log:
            ax.set_xscale("log")
        ax.set_xlabel(_label(name))
        ax.set_yticks([])
        ax.grid(visible=False)
        if tests is not None:
            others = tests.loc[name]["D"].dropna()
            ax.set_title("D = " + ", ".join(f"{d:.3f}" for d in others), fontsize=8, loc="right")
    handles, labels = axes[0].get_legend_handles_labels()
    axes[0].figure.legend(
        handles, labels, loc="outside upper left", ncols=4, frameon=False, fontsize=9
    )
    return axes


def _panels(n: int) -> NDArray[np.object_]:
    from matplotlib import pyplot

    columns = min(n, 3)
    rows = -(-n // columns)
    figure = pyplot.figure(figsize=(3.1 * columns, 2.5 * rows + 0.3), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax in panels[n:]:
        ax.set_axis_off()
    return panels[:n]


def _edges(columns: list[NDArray], *, is_log: bool) -> NDArray:
    """Bins of all samples: whole numbers where all values are, without the outermost tails."""
    bins = int(np.clip(np.sqrt(min(len(values) for values in columns)), 10, 32))
    low = min(np.quantile(values, _TAILS[0]) for values in columns)
    high = max(np.quantile(values, _TAILS[1]) for values in columns)
    if is_log:
        return np.geomspace(max(low, 1e-12), high, bins + 1)
    if all((values == np.round(values)).all() for values in columns):
        step = max(1.0, np.ceil((high - low) / bins))
        return np.arange(low - 0.5, high + step, step)
    return np.linspace(low, high + 1e-9, bins + 1)


def _label(name: str) -> str:
    """Words for a column of a truth or of fits."""
    plain = name.removesuffix("_true")
    return _TRUTH_LABELS.get(plain, LABELS.get(plain, plain.replace("_", " ")))
