"""Double precision: a chi2 summed in float32 is worth nothing at the millimagnitude."""

import logging
import os

from chandelle.core.errors import ChandelleError

_log = logging.getLogger(__name__)


def require_x64() -> None:
    """Turn on JAX's 64-bit mode; called by every public entry point before its first array.

    Arrays made earlier stay float32.

    Raises
    ------
    ChandelleError
        If the environment forbids it (``JAX_ENABLE_X64=0``).
    """
    import jax

    if jax.config.read("jax_enable_x64"):
        return
    if os.environ.get("JAX_ENABLE_X64", "").lower() in {"0", "false"}:
        raise ChandelleError(
            "chandelle computes in float64, but JAX_ENABLE_X64 is set to "
            f"{os.environ['JAX_ENABLE_X64']!r}; unset it or set it to 1"
        )
    jax.config.update("jax_enable_x64", True)
    _log.info("float64 turned on in JAX; arrays made before stay float32")
