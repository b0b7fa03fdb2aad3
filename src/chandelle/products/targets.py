"""Targets: what is known of each supernova apart from its light curve."""

from dataclasses import dataclass
from typing import ClassVar

from chandelle.products.product import OneTable
from chandelle.products.schema import Column, Schema


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class Targets(OneTable):
    """One row a supernova; unknown values are NaN or empty, never a sentinel."""

    schema: ClassVar[Schema] = Schema(
        name="targets",
        version=1,
        columns=(
            Column(name="sn", type="string", about="name", required=True),
            Column(name="ra", unit="deg", about="ICRS"),
            Column(name="dec", unit="deg", about="ICRS"),
            Column(name="z_hel", about="heliocentric redshift", required=True),
            Column(name="z_cmb", about="redshift in the frame of the CMB"),
            Column(name="z_hd", about="z_cmb corrected for the peculiar velocity"),
            Column(name="z_err", about="one sigma of the redshift"),
            Column(name="vpec", unit="km/s", about="peculiar velocity"),
            Column(name="mwebv", unit="mag", about="E(B-V) of the Milky Way"),
            Column(name="class", type="string", about="spectroscopic class"),
            Column(name="survey", type="string", about="who observed it"),
            Column(name="host_logmass", about="log10 of the host's stellar mass in suns"),
            Column(name="host_logmass_err", about="one sigma"),
        ),
    )
