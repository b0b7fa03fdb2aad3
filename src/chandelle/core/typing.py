"""What an argument that becomes an array may be.

`numpy.typing.ArrayLike` counts on float passing for complex, which a runtime checker does not.
"""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np


@runtime_checkable
class HasArray(Protocol):
    """What numpy can turn into an array by itself: numpy and JAX arrays, pandas columns."""

    def __array__(self, *args: Any, **kwargs: Any) -> np.ndarray:
        """The values."""
        ...


ArrayLike = bool | int | float | HasArray | Sequence
