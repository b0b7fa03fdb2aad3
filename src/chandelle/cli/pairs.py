"""Options that name something: ``g=ztfg``, ``c=-0.5:0.5``; each given once for each name."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chandelle.core.errors import InputError

if TYPE_CHECKING:
    from chandelle.products.passband_family import PassbandFamily


def named(option: str, words: Sequence[str], *, form: str = "NAME=VALUE") -> dict[str, str]:
    """Split words at their first equals sign.

    Parameters
    ----------
    option : str
        What they were given to, for the message.
    words : sequence of str
        As typed.
    form : str
        How they should look.

    Returns
    -------
    dict of str to str
        Values by name.

    Raises
    ------
    InputError
        If a word has another form, or a name comes twice.
    """
    found: dict[str, str] = {}
    for word in words:
        name, _, value = word.partition("=")
        if not name or not value:
            raise InputError(f"{option} {word}: expected {form}; repeat {option} for each name")
        if name in found:
            raise InputError(f"{option}: {name} stands twice, {found[name]} and {value}; drop one")
        found[name] = value
    return found


def named_pairs(option: str, words: Sequence[str], *, form: str) -> dict[str, tuple[float, float]]:
    """Read two numbers of each name, ``c=-0.5:0.5``.

    Parameters
    ----------
    option, words, form
        As for `named`.

    Returns
    -------
    dict of str to (float, float)
        Numbers by name.

    Raises
    ------
    InputError
        If a word has another form, or a name comes twice.
    """
    found = {}
    for name, value in named(option, words, form=form).items():
        try:
            first, second = (float(number) for number in value.split(":"))
        except ValueError as error:
            raise InputError(f"{option} {name}={value}: expected {form}, two numbers") from error
        found[name] = (first, second)
    return found


def systems(option: str, words: Sequence[str]) -> str | dict[str, Any] | None:
    """Magnitude systems: one for all, or what names in the column zpsys mean.

    Parameters
    ----------
    option : str
        What the words were given to.
    words : sequence of str
        ``ab``, ``vega``; ``NAME=FILE`` of a spectrum of magnitude zero; or a TOML file with a table
        a composite system and in it ``band = ["spectrum.fits", magnitude]``.

    Returns
    -------
    str, dict or None
        As `read_lightcurves` takes it.

    Raises
    ------
    InputError
        If one for all stands beside others, a name comes twice, or a file is no TOML.
    """
    plain = [word for word in words if "=" not in word and not word.endswith(".toml")]
    if plain and len(words) > 1:
        raise InputError(f"{option} {plain[0]} is that of all magnitudes; leave out the others")
    if plain:
        return plain[0]
    found: dict[str, Any] = dict(named(option, [word for word in words if "=" in word]))
    for word in (word for word in words if "=" not in word):
        try:
            tables = tomllib.loads(Path(word).read_text(encoding="utf-8"))
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise InputError(f"{option} {word}: expected a file in TOML; {error}") from error
        twice = sorted(found.keys() & tables.keys())
        if twice:
            raise InputError(f"{option}: {twice[0]} stands twice; drop one")
        found |= tables
    return found or None


def families(
    option: str, words: Sequence[str], *, step: float | None
) -> "dict[str, PassbandFamily]":
    """Read passbands that depend on the position, ``g=megacampsf:g``.

    Parameters
    ----------
    option : str
        What the words were given to.
    words : sequence of str
        ``NAME=FILE``, or ``NAME=PATH:BAND`` where a path holds several filters.
    step : float, optional
        How finely positions are told apart [angstrom].

    Returns
    -------
    dict of str to PassbandFamily
        By the name of the filter.

    Raises
    ------
    InputError
        If a word has another form, a name comes twice, or a file cannot be read.
    """
    from chandelle.instrument.passband_families import read_passband_family

    found = {}
    for name, word in named(option, words, form="NAME=FILE or NAME=PATH:BAND").items():
        path, _, band = (word, "", "") if Path(word).exists() else word.rpartition(":")
        found[name] = read_passband_family(path or word, name=name, band=band or None, step=step)
    return found
