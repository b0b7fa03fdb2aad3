"""The flag bits of the products, one registry for all."""

from enum import IntFlag


class Flag(IntFlag):
    """What is to be known of one row; 0 means nothing to say."""

    CHI2_BAD = 1 << 0
    """The fit's chi2 is improbable (p < 1e-6 in the upper tail)."""
    AT_BOUND = 1 << 1
    """A parameter stopped at its bound."""
    TWO_MINIMA = 1 << 2
    """Another minimum in t0 lies within chi2 + 4."""
    POINTS_REJECTED = 1 << 3
    """Some points of the object were rejected at ingest."""
    BAND_DROPPED = 1 << 4
    """A band outside the model's range was left out."""
    HOST_UNKNOWN = 1 << 5
    """The host mass is unknown: the step enters with probability one half."""
    UPPER_LIMIT = 1 << 6
    """The object has no detection; its fluxes are upper limits."""
    OUTLIER = 1 << 7
    """More than 5 sigma off the mean line of the Lemaitre diagram; nothing is cut for it."""
    ZP_OUTLIER = 1 << 8
    """A zero point is far from the others of its band or exposure."""
    BASELINE_OFFSET = 1 << 9
    """The mean flux of the light curve without the supernova is not zero."""
    SIGN_SUSPECT = 1 << 10
    """The light curve looks upside down, or a flux has the sign that its alert denies."""


def describe(flags: int) -> str:
    """Spell a flag word out, ``"chi2_bad at_bound"``; empty when nothing is set."""
    return " ".join(flag.name.lower() for flag in Flag if flags & flag and flag.name)
