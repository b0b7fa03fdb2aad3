"""What was drawn: the product that a fit is compared to."""

from dataclasses import dataclass
from typing import ClassVar

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
    """One row a supernova; what is common to all is in ``meta.provenance`` (`population`)."""

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
        """True parameters of the standard analysis: Om, alpha, beta, gamma, M, sigma_int.

        Those that the population has in another form, such as a broken law of stretch, are absent.
        """
        population = self.meta.provenance.get("population", {})
        cosmology = self.meta.provenance.get("targets", {}).get("cosmology", {})
        found = {"Om": cosmology.get("Om")}
        for name, (piece, kind, field) in _STANDARD.items():
            facts = population.get(piece, {})
            found[name] = facts.get(field) if facts.get("piece") == kind else None
        return {name: float(value) for name, value in found.items() if value is not None}
