"""The chain of the demo: simulate, fit, standardize, cosmology, report; and fitted against true."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from chandelle.cli.cache import fit_step
from chandelle.cli.console import Step, say, step
from chandelle.core.atomic import atomic_file
from chandelle.core.provenance import versions
from chandelle.cosmology.stage import fit_cosmology
from chandelle.lightcurve.stage import fit_salt
from chandelle.products.posterior import Posterior
from chandelle.report.page import write_report
from chandelle.report.runs import load_run
from chandelle.simulate.sample import simulate_lightcurves
from chandelle.simulate.truth import Truth
from chandelle.standardization.stage import standardize

PRESET = "lemaitre-mini"
COMPARED = ("Om", "alpha", "beta", "gamma", "M", "sigma_int")
"""Parameters whose truth the demo knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """What the chain of the demo leaves behind."""

    truth: Truth
    posterior: Posterior
    page: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One parameter, fitted and true."""

    name: str
    fitted: float
    error: float
    true: float

    @property
    def pull(self) -> float:
        """Difference in units of the error."""
        return (self.fitted - self.true) / self.error


@contextmanager
def _told(what: str) -> Iterator[Step]:
    """Run one step and say what it took."""
    with step(what) as running:
        yield running
    say(f"{what:34} {running.wall_s:6.1f} s")


def run_chain(directory: Path, *, seed: int, n: Mapping[str, int]) -> Chain:
    """Run the whole chain into a folder.

    The simulation adds no scatter of the SALT model, so the fit adds no model covariance.

    Parameters
    ----------
    directory : Path
        Gets lightcurves/, truth.parquet, saltfits/fits.parquet, diagram/, posterior/,
        config.json and report/index.html; products of an earlier run are replaced.
    seed : int
        Root of all random numbers.
    n : mapping of str to int
        Supernovae by survey of the preset.

    Returns
    -------
    Chain
        Truth, posterior, path of the report.
    """
    with _told(f"simulate {sum(n.values())} light curves"):
        survey = simulate_lightcurves(PRESET, seed=seed, n=n)
        survey.write(directory)
    with _told(fit_step("fit SALT")) as running:
        fits = fit_salt(survey.lightcurves, model_cov=False, progress=running.show)
        fits.write(directory / "saltfits" / "fits.parquet")
    with _told("standardize"):
        standardize(fits).write(directory / "diagram")
    with _told("cosmology, flat-lcdm"):
        posterior = fit_cosmology(fits, model="flat-lcdm", seed=seed)
        posterior.write(directory / "posterior")
    config = {
        "command": "demo",
        "seed": seed,
        "preset": PRESET,
        "n": dict(n),
        "fit_salt": {"model": "salt3-f22", "model_cov": False},
        "fit_cosmology": {"model": "flat-lcdm", "data": "SALT fits (hierarchical)"},
        "true": survey.truth.parameters,
        "versions": versions(),
    }
    with atomic_file(directory / "config.json") as temporary:
        temporary.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    with _told("report"):
        page = write_report(directory / "report" / "index.html", **load_run(directory))
    return Chain(truth=survey.truth, posterior=posterior, page=Path(page))


def compare(posterior: Posterior, truth: Truth) -> list[Comparison]:
    """Set fitted beside true parameters.

    Parameters
    ----------
    posterior : Posterior
        The fit.
    truth : Truth
        What was drawn.

    Returns
    -------
    list of Comparison
        Those of `COMPARED` that were fitted.

    Raises
    ------
    NotConvergedError
        If the chains did not converge.
    """
    summary, true = posterior.summary(), truth.parameters
    return [
        Comparison(
            name=name,
            fitted=float(summary.loc[name, "mean"]),
            error=float(summary.loc[name, "sd"]),
            true=true[name],
        )
        for name in COMPARED
        if name in summary.index and name in true
    ]


def show(rows: list[Comparison], posterior: Posterior) -> str:
    """Write the comparison as text, with the error of Om beside the width of its prior.

    Parameters
    ----------
    rows : list of Comparison
        What `compare` found.
    posterior : Posterior
        Its priors and number of supernovae.

    Returns
    -------
    str
        Lines.
    """
    lines = [
        "",
        f"{posterior.n_data} supernovae",
        f"{'':10} {'fitted':>19} {'true':>9} {'pull':>6}",
    ]
    for row in rows:
        fitted = f"{row.fitted:.4f} +- {row.error:.4f}"
        lines.append(f"{row.name:10} {fitted:>19} {row.true:>9.4f} {row.pull:>+6.2f}")
    error = next(row.error for row in rows if row.name == "Om")
    width = prior_width(posterior.priors, "Om")
    lines.append(f"sigma(Om) {error:.4f}: {error / width:.3f} of the width of its prior, {width:g}")
    return "\n".join(lines)


def prior_width(priors: Mapping[str, str], name: str) -> float:
    """Width of a uniform prior as a posterior states it, ``"uniform(0.01, 0.99)"``."""
    lower, upper = re.findall(r"-?[0-9.]+(?:e-?\d+)?", priors[name])
    return float(upper) - float(lower)
