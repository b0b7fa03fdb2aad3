"""``chandelle cosmology``: a diagram or SALT fits to a posterior."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from chandelle.cli.console import say, step

if TYPE_CHECKING:
    from chandelle.products.diagram import Diagram
    from chandelle.products.saltfits import SaltFits


def cosmology(
    data: Path,
    /,
    *,
    output: Annotated[Path, Parameter(alias="-o")],
    covariance: Path | None = None,
    model: str | None = None,
    seed: int | None = None,
    config: Path | None = None,
    unblind: bool = False,
    published: bool = False,
) -> None:
    """Draw from the posterior of a cosmological model.

    Parameters
    ----------
    data
        Diagram (folder), SALT fits (Parquet), or the Pantheon+ release (folder, or its table).
    output
        Folder of the posterior.
    covariance
        Covariance of a Pantheon+ table, if it does not lie beside it.
    model
        flat-lcdm (if not given), lcdm, flat-wcdm, wcdm, flat-w0wacdm or w0wacdm.
    seed
        Root of all random numbers.
    config
        TOML file with settings (model, seed, n_chains, n_warmup, n_draws, sigma_v_km_s, lensing, a
        table cuts).
    unblind
        Give results on real data, or on data of unknown origin.
    published
        Declare that data of unknown origin are published.
    """
    from chandelle.cli.outputs import check_folder
    from chandelle.cli.settings import settings_of
    from chandelle.compute.programs import keep_programs
    from chandelle.cosmology.stage import CosmologyConfig, fit_cosmology

    given = (data, covariance, config)
    check_folder(output, inputs=[path for path in given if path is not None])
    keep_programs()
    settings = settings_of(CosmologyConfig, config, model=model, seed=seed)
    table = read_distances(data, covariance=covariance)
    with step(f"cosmology, {settings['model']}"):
        posterior = fit_cosmology(table, **settings, unblind=unblind, published=published)
    posterior.write(output)
    posterior.summary()  # raises where the chains did not converge; the draws are kept
    say(f"{posterior!r}\nwritten to {output}")


def read_distances(path: Path, *, covariance: Path | None = None) -> "Diagram | SaltFits":
    """Read whatever the cosmology stage takes, told apart by what lies there.

    Parameters
    ----------
    path : Path
        Folder of a diagram, Parquet file of SALT fits, Pantheon+ folder or table.
    covariance : Path, optional
        Covariance of a Pantheon+ table.

    Returns
    -------
    Diagram or SaltFits
        The product.
    """
    from chandelle.products.diagram import Diagram
    from chandelle.products.pantheonplus import read_pantheonplus
    from chandelle.products.saltfits import SaltFits

    if covariance is not None or path.suffix == ".dat" or any(path.glob("Pantheon*.dat")):
        return read_pantheonplus(path, covariance=covariance)
    return SaltFits.read(path) if path.suffix == ".parquet" else Diagram.read(path)
