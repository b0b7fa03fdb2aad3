"""``chandelle standardize``: SALT fits to a Lemaitre diagram."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from chandelle.cli.console import say, step


def standardize(fits: Path, /, *, output: Annotated[Path, Parameter(alias="-o")]) -> None:
    """Standardize SALT fits into distance moduli with their covariance.

    Parameters
    ----------
    fits
        SALT fits (Parquet), as `fit-lightcurves` writes them.
    output
        Folder of the diagram.
    """
    from chandelle.cli.cache import use_compilation_cache
    from chandelle.products.saltfits import SaltFits
    from chandelle.standardization.stage import standardize as standardize_fits

    use_compilation_cache()
    with step("standardize"):
        diagram = standardize_fits(SaltFits.read(fits))
    diagram.write(output)
    say(f"{diagram!r}\nwritten to {output}")
