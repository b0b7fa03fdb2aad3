"""Samples without light curves: SALT fits and diagrams of any size, for the inference stages.

Between the truth and a fit stands a Gaussian error that grows with redshift; there are no
exposures, so that nothing is lost between them. What is selected is so by its magnitude in
rest-frame B.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pyarrow as pa
from jaxtyping import Array, Float, Key
from numpy.typing import NDArray

from chandelle.core.errors import InputError
from chandelle.core.rng import key_for, keys_for
from chandelle.core.units import C_KM_S
from chandelle.products.diagram import Diagram
from chandelle.products.product import Meta
from chandelle.products.saltfits import SaltFits
from chandelle.products.targets import Targets
from chandelle.simulate.saltfits import fit_columns, fit_covariance
from chandelle.simulate.sample import sample_settings
from chandelle.simulate.settings import SampleSettings
from chandelle.simulate.survey import SurveySimulation
from chandelle.simulate.truth import Truth, join_truths

Floats = NDArray[np.float64]
_PARAMETERS = ("mb_true", "x1_true", "c_true")


def simulate_fits(
    preset: str | Path | SampleSettings = "lemaitre-mini",
    *,
    seed: int = 1,
    n: Mapping[str, int] | None = None,
    selection: bool | None = None,
) -> tuple[SaltFits, Truth]:
    """Simulate SALT fits of the supernovae of a sample, without light curves.

    Parameters
    ----------
    preset, seed, n, selection
        As for `simulate_lightcurves`; their detections and calibration modes do not count.

    Returns
    -------
    SaltFits, Truth
        One row a supernova that is selected.

    Raises
    ------
    InputError
        If a setting is unknown or impossible.

    Examples
    --------
    >>> fits, truth = simulate_fits(n={"ZTF": 3, "DEEP": 2})
    >>> len(fits), fits.meta.origin
    (5, 'simulated')
    """
    settings = sample_settings(preset, n=n, selection=selection)
    if settings.population.contaminant_fraction:
        raise InputError(
            "SALT fits without light curves are of type Ia alone: leave contaminant_fraction and "
            "templates out, or simulate light curves"
        )
    fits, truths = [], dict[str, Truth]()
    for name in settings.names:
        survey = SurveySimulation(sample=settings, name=name, seed=seed)
        targets, truth = survey.targets_without_log()
        fits.append(_measured(targets, truth, key=key_for(seed, "fits", name)))
        truths[name] = truth
    joined = replace(fits[0], table=pa.concat_tables([one.table for one in fits]))
    return joined, join_truths(truths)


@jax.jit
def _noise(keys: Key[Array, " sn"]) -> tuple[Float[Array, " sn"], Float[Array, "sn 3"]]:
    """Size of the errors of each supernova [log], and unit noise of its three parameters."""
    drawn = jax.vmap(lambda key: jax.random.normal(key, (4,), dtype=float))(keys)
    return drawn[:, 0], drawn[:, 1:]


def _measured(targets: Targets, truth: Truth, *, key: Key[Array, ""]) -> SaltFits:
    """Fits of supernovae with the errors of their redshift."""
    size, unit = _noise(keys_for(key, targets["sn"].tolist()))
    covariance, root = fit_covariance(jnp.asarray(targets["z_hel"]), size)
    exact = np.column_stack([truth[name] for name in _PARAMETERS])
    measured = exact + np.einsum("nij,nj->ni", np.asarray(root), np.asarray(unit))
    known = {name: targets[name] for name in ("sn", "z_hel", "z_hd", "survey")}
    hosts = {name: targets[name] for name in ("host_logmass", "host_logmass_err")}
    columns = {
        **known,
        **fit_columns(measured, np.asarray(covariance)),
        "z": targets["z_hel"],
        "status": np.full(len(targets), "ok"),
        **hosts,
        **{name: truth[name] for name in (*_PARAMETERS, "mu_true")},
        "z_true": truth["z_cos_true"],
    }
    provenance = {"truth": truth.parameters}
    return SaltFits.from_columns(columns, meta=Meta(origin="simulated", provenance=provenance))


def simulate_diagram(
    preset: str | Path | SampleSettings = "lemaitre-mini",
    *,
    seed: int = 1,
    n: Mapping[str, int] | None = None,
    selection: bool | None = None,
) -> tuple[Diagram, Truth]:
    """Simulate a Lemaitre diagram: fits of `simulate_fits` in `diagram_of_fits`.

    Parameters
    ----------
    preset, seed, n, selection
        As for `simulate_fits`.

    Returns
    -------
    Diagram, Truth
        One row a supernova that is selected.

    Raises
    ------
    InputError
        As `simulate_fits` and `diagram_of_fits`.
    """
    fits, truth = simulate_fits(preset, seed=seed, n=n, selection=selection)
    return diagram_of_fits(fits, truth), truth


def diagram_of_fits(fits: SaltFits, truth: Truth) -> Diagram:
    r"""Standardize simulated fits with the true coefficients.

    .. math::

        \mu = m_B - M + \alpha x_1 - \beta c + \gamma (h - 1/2), \quad
        \sigma_\mu^2 = a^T C a + \sigma_{int}^2 + \sigma_{lens}^2(z) + \sigma_v^2(z)

    with :math:`a = (1, \alpha, -\beta)` and the covariance C of the fit; the true host counts.

    Parameters
    ----------
    fits : SaltFits
        Of a simulation.
    truth : Truth
        Of the same supernovae.

    Returns
    -------
    Diagram
        Of origin "simulated".

    Raises
    ------
    InputError
        If the population has no linear laws of stretch, color and host mass.
    """
    true = truth.parameters
    missing = sorted({"alpha", "beta", "gamma", "M", "sigma_int"} - set(true))
    if missing:
        raise InputError(
            f"a diagram needs linear laws, and the population has no {', '.join(missing)}; give "
            "LinearStretch, LinearColor, MassStep and GrayScatter, or take the fits alone"
        )
    heavy = np.where(truth["host_logmass_true"] > _step_logmass(truth), 0.5, -0.5)
    mu = fits["mb"] - true["M"] + true["alpha"] * fits["x1"] - true["beta"] * fits["c"]
    return Diagram.from_arrays(
        z_hel=fits["z_hel"],
        z_hd=fits["z_hd"],
        mu=mu + true["gamma"] * heavy,
        cov=_variance(fits, truth),
        sn=fits["sn"],
        survey=fits["survey"],
        origin="simulated",
    )


def _step_logmass(truth: Truth) -> float:
    return float(truth.meta.provenance["population"]["step_mag"]["logmass"])


def _variance(fits: SaltFits, truth: Truth) -> Floats:
    """Variance of the distances [mag^2]."""
    true, population = truth.parameters, truth.meta.provenance["population"]
    alpha, beta, z = true["alpha"], true["beta"], fits["z_hel"]
    variance = fits["mb_err"] ** 2 + (alpha * fits["x1_err"]) ** 2 + (beta * fits["c_err"]) ** 2
    variance += 2 * alpha * fits["cov_mb_x1"] - 2 * beta * fits["cov_mb_c"]
    variance -= 2 * alpha * beta * fits["cov_x1_c"]
    lensing = population.get("lensing_mag", {}).get("sigma", 0.0) * z
    velocity = population.get("vpec", {}).get("sigma", 0.0) / C_KM_S
    velocity = 5.0 / np.log(10.0) * velocity * (1.0 + z) / z
    return variance + true["sigma_int"] ** 2 + lensing**2 + velocity**2
