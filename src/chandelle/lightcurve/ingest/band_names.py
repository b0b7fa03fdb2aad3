"""Names of bands: the user's own mapping, then a versioned table of unambiguous aliases."""

from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches

import numpy as np
from numpy.typing import NDArray

from chandelle.instrument.passbands import list_passbands, load_passband
from chandelle.lightcurve.ingest.coded import Coded
from chandelle.products.passband import Passband
from chandelle.products.passband_family import PassbandFamily

ALIASES_VERSION = 1
"""Goes up when an alias is added or changes; it is recorded with the light curves."""

_SPELLINGS = {
    ("ztf", "gri"): (
        *("ztf{}", "ztf_{}", "ztf-{}", "ztf::{}", "ZTF{}", "ZTF_{}", "ZTF-{}", "ZTF {}"),
        *("z{}", "p48{}", "p48::{}", "P48_{}", "P48{}"),
    ),
    ("lsst", "ugrizy"): ("lsst_{}", "lsst-{}", "lsst::{}", "LSST_{}", "LSST-{}", "LSST::{}"),
    ("bessell", "bvri"): ("bessell::{}", "bessell_{}", "bessell-{}", "Bessell-{}", "Bessell_{}"),
}
_CAPITAL = {"lsst": "y", "bessell": "bvri"}


def _table() -> dict[str, str]:
    aliases = {}
    for (family, letters), spellings in _SPELLINGS.items():
        for letter in letters:
            written = [letter]
            if letter in _CAPITAL.get(family, ""):
                written.append(letter.upper())
            for spelling in spellings:
                for form in written:
                    aliases[spelling.format(form)] = f"{family}{letter}"
    return {alias: name for alias, name in aliases.items() if alias != name}


BAND_ALIASES: Mapping[str, str] = _table()
"""Other names of the passbands that ship with chandelle; single letters are ambiguous."""


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


def explain_bands(unknown: Sequence[str], known: Collection[str]) -> str:
    """Name, for each unknown band, those that look like it, and the mend.

    Parameters
    ----------
    unknown : sequence of str
        Names without a passband.
    known : collection of str
        Names with one.

    Returns
    -------
    str
        For a message.
    """
    parts = []
    for band in sorted(set(unknown)):
        near = get_close_matches(band, known, n=3, cutoff=0.4)
        near = near or [name for name in sorted(known) if band and name.endswith(band.lower())][:3]
        parts.append(f"{band!r} (near: {', '.join(near) or 'none'})")
    return (
        f"unknown bands {', '.join(parts)}; say what they are with bands={{name: passband}}, or "
        "give their curves with passbands="
    )
