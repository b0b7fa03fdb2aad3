"""Names of bands: a versioned table of the unambiguous aliases of the shipped passbands."""

from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches

ALIASES_VERSION = 1
"""Goes up when an alias is added or changes; it is recorded with what was read."""

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


def explain_bands(unknown: Sequence[str], known: Collection[str]) -> str:
    """Name, for each unknown band, those that look like it.

    Parameters
    ----------
    unknown : sequence of str
        Names without a passband.
    known : collection of str
        Names with one.

    Returns
    -------
    str
        Begins a message; what mends it comes behind.

    Examples
    --------
    >>> explain_bands(["ztfgg"], ["ztfg", "lsstr"])
    "unknown band 'ztfgg' (near: ztfg)"
    """
    parts = []
    for band in sorted(set(unknown)):
        near = get_close_matches(band, known, n=3, cutoff=0.4) if len(band) > 1 else []
        near = near or [name for name in sorted(known) if band and name.endswith(band.lower())][:3]
        parts.append(f"{band!r} (near: {', '.join(near) or 'none'})")
    return f"unknown band{'s' if len(parts) > 1 else ''} {', '.join(parts)}"
