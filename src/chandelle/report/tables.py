"""The tables of the page."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from chandelle.core.flags import in_words
from chandelle.core.provenance import versions
from chandelle.physics.distance import free_parameters
from chandelle.products.diagram import Diagram
from chandelle.products.lightcurves import LightCurves
from chandelle.products.posterior import Posterior
from chandelle.products.saltfits import SaltFits
from chandelle.report.cutflow import cut_flow, rejected_epochs
from chandelle.report.markup import Cell, Name, note, number, table, text

_TRUE_COLUMNS = ("t0", "x0", "mb", "x1", "c")
_STANDARDIZATION = ("M", "alpha", "beta", "gamma", "sigma_int")
_LONG = 400


def posterior_table(posterior: Posterior, *, truth: Mapping[str, float] | None = None) -> str:
    """Summarize a posterior with its priors; of chains that did not converge, say only that.

    Parameters
    ----------
    posterior : Posterior
        The posterior.
    truth : mapping of str to float, optional
        True values of a simulation.

    Returns
    -------
    str
        HTML.
    """
    if posterior.status != "ok":
        return (
            f'<p class="alarm"><strong>{text(posterior.model)}: {text(posterior.status)}.</strong> '
            f"{text(posterior.reason)} No numbers are given.</p>\n"
        )
    truth = truth or {}
    head = ["parameter", "mean", "sd", "68 % from", "to", "best fit", "prior", "ESS", "R-hat"]
    rows: list[list[Cell]] = []
    summary = posterior.summary().to_dict("index")
    for name in ordered(posterior):
        row = summary[name]
        best = float(posterior.best_fit.get(name, np.nan))
        prior = posterior.priors.get(name, "")
        values = [float(row[key]) for key in ("mean", "sd", "lo68", "hi68")]
        cells: list[Cell] = [name, *(number(value, 4) for value in values), number(best, 4), prior]
        cells += [f"{row['ess']:.0f}", f"{row['r_hat']:.3f}"]
        if truth:
            true = float(truth.get(name, np.nan))
            cells += [number(true, 4), number((values[0] - true) / values[1], 2)]
        rows.append(cells)
    head += ["true", "(mean - true) / sd"] if truth else []
    caption = (
        f"{posterior.model}: {posterior.n_data} supernovae, {posterior.chi2_name} = "
        f"{posterior.chi2:.2f} at the best fit (highest likelihood). ESS: effective sample size."
    )
    return table(head, rows, caption=caption)


def ordered(posterior: Posterior) -> list[str]:
    """Parameters in the order of reading: cosmology, standardization, populations.

    Parameters
    ----------
    posterior : Posterior
        The posterior; a file does not keep the order.

    Returns
    -------
    list of str
        All of them.
    """
    first = [*free_parameters(posterior.model), *_STANDARDIZATION]
    rest = sorted(set(posterior.parameters) - set(first))
    return [name for name in first if name in posterior.draws] + rest


def cut_flow_table(
    lightcurves: LightCurves | None, fits: SaltFits | None, diagram: Diagram | None
) -> str:
    """Show how many supernovae each step kept, and the epochs rejected at ingest.

    Parameters
    ----------
    lightcurves, fits, diagram : optional
        The products.

    Returns
    -------
    str
        HTML.
    """
    rows = [
        [step.step, step.reason, step.lost if step.lost else "", step.left]
        for step in cut_flow(lightcurves, fits, diagram)
    ]
    parts = [table(["step", "reason", "supernovae left out", "left"], rows)]
    if lightcurves is not None:
        total = f"{len(lightcurves)} epochs kept."
        epochs = rejected_epochs(lightcurves)
        if epochs:
            head = ["reason", "epochs rejected", "supernovae"]
            parts.append(table(head, epochs, caption=f"Epochs at ingest: {total}"))
        else:
            parts.append(note(f"No epoch was rejected at ingest; {total}"))
    return "".join(parts)


def worst_fits_table(fits: SaltFits, *, clickable: set[str], n_rows: int = 15) -> str:
    """List the fits of largest chi2 per degree of freedom.

    Parameters
    ----------
    fits : SaltFits
        The fits.
    clickable : set of str
        Names whose light curve is in the page.
    n_rows : int
        How many.

    Returns
    -------
    str
        HTML.
    """
    rows = np.flatnonzero(fits.is_ok & (fits["ndof"] > 0))
    if len(rows) == 0:
        return note("No fit has an answer with degrees of freedom.")
    ratio = fits["chi2"][rows] / fits["ndof"][rows]
    worst = rows[np.argsort(-ratio, kind="stable")[:n_rows]]
    caption = f"Median χ² / ndof of all fits: {float(np.median(ratio)):.2f}."
    return fits_table(fits, worst, clickable=clickable, caption=caption)


def fits_table(
    fits: SaltFits, rows: NDArray[np.int64], *, clickable: set[str] | None = None, caption: str = ""
) -> str:
    """List fits with how they ended, their chi2 and their flags in words.

    Parameters
    ----------
    fits : SaltFits
        The fits.
    rows : array of int
        Which of them, in their order.
    clickable : set of str, optional
        Names whose light curve is in the page.
    caption : str
        A line below.

    Returns
    -------
    str
        HTML.
    """
    head = ["supernova", "survey", "z", "status", "χ²", "ndof", "χ² / ndof", "x1", "c", "flags"]
    ratio = fits["chi2"] / np.where(fits["ndof"] > 0, fits["ndof"], np.nan)
    body = [
        [
            Name(str(fits["sn"][i]), str(fits["sn"][i]) in (clickable or set())),
            str(fits["survey"][i]),
            f"{fits['z'][i]:.4f}",
            str(fits["status"][i]),
            *(number(float(fits["chi2"][i]), 1), int(fits["ndof"][i])),
            *(float(ratio[i]), float(fits["x1"][i]), float(fits["c"][i])),
            in_words(int(fits["flags"][i])),
        ]
        for i in rows
    ]
    return table(head, body, caption=caption, digits=2)


def failed_fits_table(fits: SaltFits, *, clickable: set[str], n_rows: int = 15) -> str:
    """List fits without an answer.

    Parameters
    ----------
    fits : SaltFits
        The fits.
    clickable : set of str
        Names whose light curve is in the page.
    n_rows : int
        How many.

    Returns
    -------
    str
        HTML; empty where all have an answer.
    """
    rows = np.flatnonzero(~fits.is_ok)
    body = [
        [
            Name(str(fits["sn"][i]), str(fits["sn"][i]) in clickable),
            str(fits["survey"][i]),
            f"{fits['z'][i]:.4f}",
            str(fits["status"][i]),
        ]
        for i in rows[:n_rows]
    ]
    caption = f"Fits without an answer: {len(rows)}, the first {len(body)} of them shown."
    return table(["supernova", "survey", "z", "status"], body, caption=caption) if body else ""


def truth_table(fits: SaltFits, truth: pa.Table) -> str:
    """Compare fitted to true parameters: pulls with the scatter they should have.

    Parameters
    ----------
    fits : SaltFits
        The fits; those without answer stay out.
    truth : pyarrow.Table
        Columns sn and some of t0_true, x0_true, mb_true, x1_true, c_true.

    Returns
    -------
    str
        HTML.
    """
    row = {name: i for i, name in enumerate(truth["sn"].to_pylist())}
    at = np.asarray([row.get(str(name), -1) for name in fits["sn"]], dtype=int)
    body: list[list[Cell]] = []
    for name in _TRUE_COLUMNS:
        if f"{name}_true" not in truth.column_names:
            continue
        true = truth[f"{name}_true"].to_numpy().astype(float)[at]
        difference, err = fits[name] - true, fits[f"{name}_err"]
        use = (at >= 0) & fits.is_ok & np.isfinite(difference) & (err > 0)
        n = int(use.sum())
        if n < 2:
            continue
        pull = difference[use] / err[use]
        body.append(
            [
                name,
                n,
                f"{np.median(difference[use]):.3g}",
                f"{pull.mean():.3f} ± {1 / np.sqrt(n):.3f}",
                f"{pull.std(ddof=1):.3f} ± {1 / np.sqrt(2 * n):.3f}",
                f"{np.abs(pull).max():.1f}",
            ]
        )
    if not body:
        return note("No parameter has both a fit and a truth.")
    head = ["parameter", "supernovae", "median (fit - true)", "mean pull", "sd of pulls", "largest"]
    caption = "Pull: (fit - true) / error. Expected: mean 0, sd 1, within the errors given."
    return table(head, body, caption=caption)


def configuration(config: Mapping[str, Any] | None, products: Mapping[str, Any]) -> str:
    """Show settings, versions and what each product says of its making.

    Parameters
    ----------
    config : mapping, optional
        Settings, nested or flat.
    products : mapping of str to Product
        Their `meta` is shown.

    Returns
    -------
    str
        HTML.
    """
    settings = note("Settings not shown: give config= (a dictionary).")
    if config:
        settings = f"<h3>Settings</h3>\n{table(['setting', 'value'], list(_flat(config)))}"
    packages = f"<h3>Versions</h3>\n{table(['package', 'version'], list(versions().items()))}"
    parts = [f'<div class="pair"><div>{settings}</div><div>{packages}</div></div>\n']
    for name, product in products.items():
        facts = {"origin": product.meta.origin or "unknown", "blinding": product.meta.blinding}
        body = table(["fact", "value"], list(_flat({**facts, **product.meta.provenance})))
        parts.append(f"<details><summary>{text(name)}: its making</summary>\n{body}</details>\n")
    return "".join(parts)


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Spell nested settings as `outer.inner`, long values cut."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            words = value if isinstance(value, str) else json.dumps(value, default=str)
            yield f"{prefix}{key}", words if len(words) <= _LONG else f"{words[:_LONG]}…"
