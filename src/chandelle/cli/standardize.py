"""``chandelle standardize``: SALT fits to a Lemaitre diagram."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from chandelle.cli.console import say, step

if TYPE_CHECKING:
    from chandelle.products.saltfits import SaltFits


def standardize(
    fits: Path,
    /,
    *,
    output: Annotated[Path, Parameter(alias="-o")],
    config: Path | None = None,
    cuts: str | None = None,
    lightcurves: Path | None = None,
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
    cuts
        Cut the fits first, by the cuts of dr2 (ZTF DR2) or pantheonplus, and print what each cut
        removed; they replace the table cuts of the settings.
    lightcurves
        Folder of the light curves that were fitted, for cuts that count epochs.
    """
    from chandelle.cli.outputs import check_folder
    from chandelle.cli.settings import settings_of
    from chandelle.compute.programs import keep_programs
    from chandelle.products.saltfits import SaltFits
    from chandelle.standardization.stage import StandardizeConfig
    from chandelle.standardization.stage import standardize as standardize_fits

    given = (fits, config, lightcurves)
    check_folder(output, inputs=[path for path in given if path is not None])
    keep_programs()
    settings = settings_of(StandardizeConfig, config)
    kept = SaltFits.read(fits)
    if cuts is not None:
        with step("cuts"):
            kept, settings["cuts"] = _cut(kept, cuts, lightcurves)
    with step("standardize"):
        diagram = standardize_fits(kept, **settings)
    diagram.write(output)
    facts = diagram.meta.provenance["standardization"]
    reasons = ", ".join(f"{count} {reason}" for reason, count in facts["rejected"].items())
    rejected = facts["n_in"] - facts["n_used"]
    say(
        f"{facts['n_in']} in, {facts['n_used']} used, {rejected} rejected"
        f"{': ' + reasons if reasons else ''}\n{diagram!r}\nwritten to {output}"
    )


def _cut(fits: "SaltFits", name: str, folder: Path | None) -> "tuple[SaltFits, Any]":
    """Fits that pass a preset, and its limits on SALT parameters, for the likelihood."""
    from chandelle.core.precision import require_x64
    from chandelle.lightcurve.cuts import apply_cuts, preset
    from chandelle.products.lightcurves import LightCurves

    require_x64()
    lcs = None if folder is None else LightCurves.read(folder)
    limits = preset(name).limits
    kept, flow = apply_cuts(fits, name, lcs=lcs)
    say(repr(flow))
    return kept, limits
