"""The entry point: the list of commands, the common options, the exit codes.

Exit codes: 0 done, 1 failed, 2 unusable input or wrong usage, 3 blinded, 4 not converged.
"""

import logging
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from types import FrameType
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter

from chandelle.cli import console
from chandelle.cli.cosmology import cosmology
from chandelle.cli.demo import demo
from chandelle.cli.doctor import doctor
from chandelle.cli.fetch import fetch
from chandelle.cli.lightcurves import fit_lightcurves
from chandelle.cli.report import report
from chandelle.cli.scaling import scaling
from chandelle.cli.simulate import simulate
from chandelle.cli.standardize import standardize
from chandelle.cli.status import explain, status, verify
from chandelle.cli.survey import retry, run
from chandelle.core.errors import ChandelleError

_log = logging.getLogger(__name__)
_USAGE = 2
_BY_SIGNAL = 128
_ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


class EndedError(KeyboardInterrupt):
    """The process was told to end: what it started ends with it, in order."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_code = _BY_SIGNAL + number


app = App(
    name="chandelle",
    help="Type Ia supernova cosmology: from light curves to the Lemaitre diagram and dark energy.",
    version=lambda: version("chandelle"),
    default_parameter=Parameter(negative=()),
    result_action="return_value",
    print_error=False,
    exit_on_error=False,
    suppress_keyboard_interrupt=False,
)
app.meta.suppress_keyboard_interrupt = False
for command in (
    demo,
    simulate,
    fit_lightcurves,
    standardize,
    cosmology,
    report,
    run,
    status,
    retry,
    verify,
    explain,
    scaling,
    fetch,
    doctor,
):
    app.command(command)


@app.meta.default
def _launch(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    quiet: bool = False,
    verbose: bool = False,
) -> int | None:
    """Set up the log, then run the command.

    Parameters
    ----------
    tokens
        The command and its arguments.
    quiet
        Say nothing but errors.
    verbose
        Log every step, and where an error came from.
    """
    with console.session(quiet=quiet, verbose=verbose):
        try:
            return app(tokens)
        except Exception:
            _log.debug("the command failed here", exc_info=True)
            raise


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """Turn the first word to end into an exception, so that jobs and workers are let go.

    A second SIGTERM ends at once. A terminal that is closed says SIGHUP twice, by its shell and by
    the system, and means it once. What is ignored (nohup) stays so.
    """
    former = {number: signal.getsignal(number) for number in _ENDING}
    is_main = threading.current_thread() is threading.main_thread()
    # A handler that was not set from Python (None) could not be put back.
    left = {None, signal.SIG_IGN}
    taken = [number for number, handler in former.items() if is_main and handler not in left]

    def end(number: int, frame: FrameType | None) -> None:
        for each in taken:
            signal.signal(each, signal.SIG_DFL if each == signal.SIGTERM else signal.SIG_IGN)
        raise EndedError(number)

    for number in taken:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, former[number])


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command line and exit with its code.

    Parameters
    ----------
    arguments : sequence of str, optional
        The command line without the program's name; that of the process by default.
    """
    try:
        with _ended_in_order():
            code = app.meta(arguments)
    except CycloptsError as error:
        console.complain(f"{error}\nTry: chandelle --help")
        code = _USAGE
    except ChandelleError as error:
        console.complain(str(error))
        code = error.exit_code
    except OSError as error:
        console.complain(f"{error.filename or 'system'}: {error.strerror or error}")
        code = ChandelleError.exit_code
    except KeyboardInterrupt as ended:
        console.complain("interrupted; finished products stay, half-written ones were removed")
        code = getattr(ended, "exit_code", _BY_SIGNAL + signal.SIGINT)
    sys.exit(code or 0)
