"""``chandelle standardize``: SALT fits to a Lemaitre diagram."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from chandelle.cli.console import say, step


def standardize(
    fits: Path,
    /,
    *,
    output: Annotated[Path, Parameter(alias="-o")],
    config: Path | None = None,
) -> None:
    """Standardize SALT fits into distance moduli with their covariance.

    Parameters
    ----------
    fits
        SALT fits (Parquet), as `fit-lightcurves` writes them.
    output
        Folder of the diagram.
    config
        TOML file with settings (sigma_v_km_s, lensing, a table cuts).
    """
    from chandelle.cli.cache import use_compilation_cache
    from chandelle.cli.outputs import check_folder
    from chandelle.cli.settings import settings_of
    from chandelle.products.saltfits import SaltFits
    from chandelle.standardization.stage import StandardizeConfig
    from chandelle.standardization.stage import standardize as standardize_fits

    check_folder(output)
    use_compilation_cache()
    settings = settings_of(StandardizeConfig, config)
    with step("standardize"):
        diagram = standardize_fits(SaltFits.read(fits), **settings)
    diagram.write(output)
    facts = diagram.meta.provenance["standardization"]
    reasons = ", ".join(f"{count} {reason}" for reason, count in facts["rejected"].items())
    rejected = facts["n_in"] - facts["n_used"]
    say(
        f"{facts['n_in']} in, {facts['n_used']} used, {rejected} rejected"
        f"{': ' + reasons if reasons else ''}\n{diagram!r}\nwritten to {output}"
    )
