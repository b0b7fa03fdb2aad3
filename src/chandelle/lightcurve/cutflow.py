"""What a sequence of cuts did: counts, words, and the reason of every supernova."""

import html
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from chandelle.core.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class CutFlow:
    """Cuts in their order, and which supernova passes which.

    Attributes
    ----------
    sn, status : array of str, shape (sn,)
        All supernovae that went in, and how their fits ended.
    names, words : tuple of str, one a cut
        The cuts.
    passes : array of bool, shape (cut, sn)
        Each cut on all supernovae, also on those that an earlier one removed.
    """

    sn: NDArray
    status: NDArray
    names: tuple[str, ...]
    words: tuple[str, ...]
    passes: NDArray[np.bool_]

    @property
    def kept(self) -> NDArray[np.bool_]:
        """Which supernovae pass all cuts, shape (sn,)."""
        return np.asarray(self.passes.all(axis=0))

    @property
    def alone(self) -> NDArray[np.int64]:
        """How many pass each cut, as if it were the only one, shape (cut,)."""
        return self.passes.sum(axis=1)

    @property
    def left(self) -> NDArray[np.int64]:
        """How many are left after each cut and those before it, shape (cut,)."""
        return np.logical_and.accumulate(self.passes, axis=0).sum(axis=1)

    @property
    def removed(self) -> NDArray[np.int64]:
        """How many each cut removes of those that came to it, shape (cut,)."""
        return -np.diff(self.left, prepend=len(self.sn))

    def __len__(self) -> int:
        return len(self.names)

    def reasons(self) -> pd.DataFrame:
        """Tell why each supernova is not kept.

        Returns
        -------
        DataFrame
            All that went in, index sn: removed_by, the first cut it fails, empty for those kept;
            fails, all it fails; status of the fit.
        """
        patterns, at = np.unique(self.passes, axis=1, return_inverse=True)
        failed = [[self.names[i] for i in np.flatnonzero(~p)] for p in patterns.T]
        first = np.array([names[0] if names else "" for names in failed], dtype=object)
        every = np.array([", ".join(names) for names in failed], dtype=object)
        columns = {"removed_by": first[at], "fails": every[at], "status": self.status}
        return pd.DataFrame(columns, index=pd.Index(self.sn, name="sn"))

    def removed_by(self, name: str) -> list[str]:
        """Names of the supernovae that a cut removed of those that came to it.

        Raises
        ------
        InputError
            If there is no such cut.
        """
        if name not in self.names:
            raise InputError(f"no cut {name!r}; cuts: {', '.join(self.names)}")
        i = self.names.index(name)
        came = self.passes[:i].all(axis=0)
        return self.sn[came & ~self.passes[i]].tolist()

    def to_pandas(self) -> pd.DataFrame:
        """Return one row a cut, index cut: alone, left, removed, words."""
        columns = {
            "alone": self.alone,
            "left": self.left,
            "removed": self.removed,
            "words": self.words,
        }
        return pd.DataFrame(columns, index=pd.Index(self.names, name="cut"))

    def records(self) -> list[dict[str, Any]]:
        """Return one dictionary a cut, for a provenance; failed fits are counted by status."""
        rows = [
            {"cut": name, "words": words, "alone": int(a), "left": int(n), "removed": int(r)}
            for name, words, a, n, r in zip(
                self.names, self.words, self.alone, self.left, self.removed, strict=True
            )
        ]
        rows[0]["status"] = dict(Counter(self.status[~self.passes[0]].tolist()))
        return rows

    def _head(self) -> str:
        return f"CutFlow: {len(self.sn)} supernovae, {int(self.kept.sum())} kept"

    def __repr__(self) -> str:
        width = max(len("cut"), *(len(name) for name in self.names))
        lines = [self._head(), f"  {'cut':{width}}  {'alone':>7} {'left':>7} {'removed':>7}  words"]
        for row in self.records():
            lines.append(
                f"  {row['cut']:{width}}  {row['alone']:7d} {row['left']:7d} {row['removed']:7d}  "
                f"{row['words']}"
            )
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{html.escape(row['cut'])}</td><td>{row['alone']}</td><td>{row['left']}</td>"
            f"<td>{row['removed']}</td><td style='text-align:left'>{html.escape(row['words'])}</td>"
            "</tr>"
            for row in self.records()
        )
        head = "<tr><th>cut<th>passed alone<th>left<th>removed<th>in words</tr>"
        return f"<p>{self._head()}</p><table>{head}{rows}</table>"
