"""Passbands of a table: by the user's own mapping, then by the table of aliases."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from chandelle.instrument.band_names import BAND_ALIASES
from chandelle.instrument.passbands import list_passbands, load_passband
from chandelle.lightcurve.ingest.coded import Coded
from chandelle.products.passband import Passband
from chandelle.products.passband_family import PassbandFamily


def resolve_bands(
    band: Coded,
    *,
    own: Mapping[str, Passband | PassbandFamily],
    bands: Mapping[str, str] | None,
) -> tuple[Coded, dict[str, Passband | PassbandFamily], dict[str, str]]:
    """Give each band the name of its passband.

    Parameters
    ----------
    band : Coded
        Names as the table has them.
    own : mapping
        Passbands, or families of them, that came with the data; they go before the shipped ones.
    bands : mapping, optional
        What the table's names mean; it goes before the aliases.

    Returns
    -------
    band : Coded
        Names of passbands; unknown ones as they were.
    passbands : dict
        Those of the known names.
    renamed : dict
        Which alias became which name.
    """
    names: list[str] = []
    renamed: dict[str, str] = {}
    passbands: dict[str, Passband | PassbandFamily] = {}
    shipped = set(list_passbands())
    for value in band.values.tolist():
        name = str((bands or {}).get(value, value))
        if name not in own and name not in shipped:
            name = BAND_ALIASES.get(name, name)
        if name != value:
            renamed[value] = name
        if name in own or name in shipped:
            passbands[name] = own[name] if name in own else load_passband(name)
        names.append(name)
    return band.renamed(names), passbands, renamed


def is_known(band: Coded, passbands: Mapping[str, Passband | PassbandFamily]) -> NDArray[np.bool_]:
    """Whether each value of `band` has a passband, shape (value,)."""
    return np.array([value in passbands for value in band.values.tolist()], dtype=bool)
