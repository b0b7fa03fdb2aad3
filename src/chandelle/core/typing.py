"""What an argument that becomes an array may be.

`numpy.typing.ArrayLike` counts on float passing for complex, which a runtime checker does not.
"""

from collections.abc import Sequence

import numpy as np

ArrayLike = bool | int | float | np.generic | np.ndarray | Sequence
