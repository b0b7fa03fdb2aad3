"""The errors chandelle raises: each message names what was expected, what was found, the mend."""


class ChandelleError(Exception):
    """Base of every error raised on purpose; the CLI prints it without a traceback."""

    exit_code = 1


class InputError(ChandelleError, ValueError):
    """A file, table or argument is unusable as given."""

    exit_code = 2


class BlindedError(ChandelleError):
    """A cosmological result was asked on data that are blinded or of unknown origin."""

    exit_code = 3


class NotConvergedError(ChandelleError):
    """An engine stopped without an answer it can stand for."""

    exit_code = 4
