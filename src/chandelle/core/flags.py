"""The flag bits of the products, one registry for all."""

from enum import IntFlag


class Flag(IntFlag):
    """What is to be known of one row; 0 means nothing to say."""

    CHI2_BAD = 1 << 0
    """The fit's chi2 is improbable (p < 1e-6 in the upper tail)."""
    AT_BOUND = 1 << 1
    """A parameter stopped at its bound."""
    TWO_MINIMA = 1 << 2
    """Another minimum in t0 explains the light curve nearly as well."""
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
    X1_EXTREME = 1 << 11
    """The fitted stretch is beyond 5 in size, where SALT was trained on nothing."""
    ERRORS_LARGE = 1 << 12
    """An error says that its parameter is not measured: t0 5 d, x1 3, c 0.5 mag."""
    POOR_PHASE_COVERAGE = 1 << 13
    """Too few epochs about maximum, or in one band only; nothing is cut for it."""
    EPOCHS_HELD_OUT = 1 << 14
    """Epochs within the range of phases are left out: with them the answer moves them out again."""
    NOT_AT_REST = 1 << 15
    """Refits under the model's covariance still move the answer, by up to a tenth of an error."""
    MWEBV_UNKNOWN = 1 << 16
    """E(B-V) of the Milky Way is unknown and counts as zero."""


def describe(flags: int) -> str:
    """Spell a flag word out, ``"chi2_bad at_bound"``; empty when nothing is set."""
    return " ".join(flag.name.lower() for flag in Flag if flags & flag and flag.name)


_WORDS = {
    Flag.CHI2_BAD: "improbable chi2",
    Flag.AT_BOUND: "a parameter at its bound",
    Flag.TWO_MINIMA: "another minimum in t0",
    Flag.POINTS_REJECTED: "points rejected",
    Flag.BAND_DROPPED: "a band outside the model",
    Flag.HOST_UNKNOWN: "host unknown",
    Flag.UPPER_LIMIT: "no detection",
    Flag.OUTLIER: "off the diagram",
    Flag.ZP_OUTLIER: "zero point off the others",
    Flag.BASELINE_OFFSET: "baseline not zero",
    Flag.SIGN_SUSPECT: "sign suspect",
    Flag.X1_EXTREME: "extreme x1",
    Flag.ERRORS_LARGE: "errors too large",
    Flag.POOR_PHASE_COVERAGE: "poor coverage of maximum",
    Flag.EPOCHS_HELD_OUT: "epochs at the edge of the phases left out",
    Flag.NOT_AT_REST: "not quite at rest under the model's covariance",
    Flag.MWEBV_UNKNOWN: "Milky Way dust unknown",
}


def in_words(flags: int) -> str:
    """Say what a flag word means, ``"improbable chi2, no detection"``; empty without flags."""
    return ", ".join(words for flag, words in _WORDS.items() if flags & flag)
