"""What was drawn: the product that a fit is compared to."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import pyarrow as pa

from chandelle.products.product import OneTable
from chandelle.products.schema import Column, Schema

_STANDARD = {
    "alpha": ("stretch_mag", "LinearStretch", "alpha"),
    "beta": ("color_mag", "LinearColor", "beta"),
    "gamma": ("step_mag", "MassStep", "gamma"),
    "M": ("abs_mag", "AbsoluteMagnitude", "mean"),
    "sigma_int": ("gray_mag", "GrayScatter", "sigma"),
}
"""Where the parameters of the standard analysis stand: piece, its class, its field."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class Truth(OneTable):
    """One row a supernova; what is common to all is in ``meta.provenance``."""

    schema: ClassVar[Schema] = Schema(
        name="truth",
        version=1,
        columns=(
            Column(name="sn", type="string", about="name", required=True),
            Column(name="t0_true", unit="d", about="MJD of maximum", required=True),
            Column(name="x0_true", about="amplitude", required=True),
            Column(name="x1_true", about="stretch", required=True),
            Column(name="c_true", about="color", required=True),
            Column(name="mb_true", unit="mag", about="AB peak magnitude in rest-frame Bessell B"),
            Column(name="mu_true", unit="mag", about="distance modulus at z_cos and z_hel"),
            Column(name="z_cos_true", about="redshift of the expansion alone"),
            Column(name="vpec_true", unit="km/s", about="peculiar velocity, receding positive"),
            Column(name="host_logmass_true", about="log10 of the host's stellar mass in suns"),
            Column(name="survey", type="string"),
        ),
    )

    @property
    def parameters(self) -> dict[str, float]:
        """True parameters of the standard analysis, see `standard_parameters`."""
        return dict(self.meta.provenance.get("truth", {}))


def standard_parameters(
    population: Mapping[str, Mapping[str, Any]], cosmology: Mapping[str, float]
) -> dict[str, float]:
    """Parameters of the standard analysis: Om, w, alpha, beta, gamma, M, sigma_int.

    Parameters
    ----------
    population : mapping
        As `Population.describe` gives it.
    cosmology : mapping of str to float
        Fields of a `Cosmology`.

    Returns
    -------
    dict of str to float
        Those that the population has in another form, such as a broken law of stretch, are absent.
    """
    found = {name: float(cosmology[name]) for name in ("Om", "w") if name in cosmology}
    for name, (piece, kind, field) in _STANDARD.items():
        facts = population.get(piece, {})
        if facts.get("piece") == kind:
            found[name] = float(facts[field])
    return found


def join_truths(truths: Mapping[str, Truth]) -> Truth:
    """Join the truths of the surveys of a sample, by their names.

    Parameters
    ----------
    truths : mapping of str to Truth
        One or more, of one universe.

    Returns
    -------
    Truth
        With what was drawn for each survey (`targets`, by survey) and for all (`modes_true`).
    """
    first = next(iter(truths.values()))
    facts = {name: one.meta.provenance for name, one in truths.items()}
    targets = {
        name: {**own.get("targets", {}), "n": len(truths[name])} for name, own in facts.items()
    }
    modes = {k: v for own in facts.values() for k, v in own.get("modes_true", {}).items()}
    return replace(
        first,
        table=pa.concat_tables([one.table for one in truths.values()]),
        meta=first.meta.with_provenance(targets=targets, modes_true=modes),
    )
