r"""Covariances that are never a bare N x N matrix: diagonal + dense blocks + low rank.

.. math:: C = \mathrm{diag}(d) + \sum_b E_b B_b E_b^T + U U^T

with :math:`E_b` the rows of block b (disjoint). Independent objects cost one number each, objects
seen twice one small block, each systematic one column of U; a published matrix is a single block.
"""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import cho_solve
from jaxtyping import Array, Float, Int

from chandelle.core.errors import InputError


class Block(eqx.Module):
    """A dense block and the rows it couples."""

    rows: Int[np.ndarray, " m"]
    matrix: Float[np.ndarray, "m m"]


class BlockFactor(eqx.Module):
    """The lower Cholesky factor of a block and the rows it couples."""

    rows: Int[Array, " m"]
    cholesky: Float[Array, "m m"]


class Factorization(eqx.Module):
    """Cholesky factors of a `BlockLowRank`, ready to solve; valid inside jit."""

    inverse_diagonal: Float[Array, " n"]
    blocks: tuple[BlockFactor, ...]
    factor: Float[Array, "n k"]
    capacitance: Float[Array, "k k"]

    def _solve_blocks(self, b: Float[Array, "n c"]) -> Float[Array, "n c"]:
        x = b * self.inverse_diagonal[:, None]
        for block in self.blocks:
            x = x.at[block.rows].set(cho_solve((block.cholesky, True), b[block.rows]))
        return x

    def solve(self, b: Float[Array | np.ndarray, " n *c"]) -> Float[Array, " n *c"]:
        """Return :math:`C^{-1} b` (Woodbury)."""
        b = jnp.asarray(b)
        columns = b if b.ndim == 2 else b[:, None]
        x = self._solve_blocks(columns)
        inner = cho_solve((self.capacitance, True), self.factor.T @ x)
        x = x - self._solve_blocks(self.factor) @ inner
        return x if b.ndim == 2 else x[:, 0]

    def log_determinant(self) -> Float[Array, ""]:
        r"""Return :math:`\log\det C`."""
        alone = jnp.ones(self.inverse_diagonal.shape[0], bool)
        total = jnp.zeros(())
        for block in self.blocks:
            alone = alone.at[block.rows].set(False)
            total = total + 2.0 * jnp.log(jnp.diagonal(block.cholesky)).sum()
        total = total - jnp.where(alone, jnp.log(self.inverse_diagonal), 0.0).sum()
        return total + 2.0 * jnp.log(jnp.diagonal(self.capacitance)).sum()


class BlockLowRank(eqx.Module):
    """A positive-definite covariance of n objects; see the module for the equation.

    Attributes
    ----------
    diagonal : array, shape (n,)
        Added on every row, also on those of a block.
    blocks : tuple of Block
        Disjoint.
    factor : array, shape (n, k)
        U; k may be 0.
    """

    diagonal: Float[np.ndarray, " n"]
    blocks: tuple[Block, ...] = ()
    factor: Float[np.ndarray, "n k"] | None = None

    def __check_init__(self) -> None:
        n = len(self.diagonal)
        taken = np.concatenate([block.rows for block in self.blocks] or [np.zeros(0, int)])
        if len(taken) != len(np.unique(taken)) or (len(taken) and taken.max() >= n):
            raise InputError(f"covariance: blocks must have disjoint rows below {n}")
        if self.factor is not None and len(self.factor) != n:
            raise InputError(f"covariance: factor has {len(self.factor)} rows, diagonal {n}")

    @classmethod
    def from_dense(cls, matrix: np.ndarray) -> "BlockLowRank":
        """Take a full matrix as one block.

        Raises
        ------
        InputError
            If it is not square, finite and symmetric (to 1e-6 of its diagonal).
        """
        n = len(matrix)
        if matrix.shape != (n, n) or not np.isfinite(matrix).all():
            raise InputError(f"covariance must be a finite square matrix, got {matrix.shape}")
        scale = np.sqrt(np.abs(np.diagonal(matrix)))
        if np.any(np.abs(matrix - matrix.T) > 1e-6 * np.outer(scale, scale)):
            raise InputError("covariance is not symmetric; check the order of its rows")
        symmetric = 0.5 * (matrix + matrix.T)
        return cls(diagonal=np.zeros(n), blocks=(Block(rows=np.arange(n), matrix=symmetric),))

    @property
    def shape(self) -> tuple[int, int]:
        """(n, n)."""
        return len(self.diagonal), len(self.diagonal)

    @property
    def rank(self) -> int:
        """Number of columns of U."""
        return 0 if self.factor is None else self.factor.shape[1]

    def variance(self) -> Float[np.ndarray, " n"]:
        """Diagonal of C."""
        total = self.diagonal.copy()
        for block in self.blocks:
            total[block.rows] += np.diagonal(block.matrix)
        if self.factor is None:
            return total
        # In one order of memory, so that a covariance read back gives the same last bit.
        return total + (np.ascontiguousarray(self.factor) ** 2).sum(axis=1)

    def select(self, rows: Int[np.ndarray, " m"]) -> "BlockLowRank":
        """Covariance of the given rows, in their order.

        Raises
        ------
        InputError
            If a row comes twice.
        """
        if len(np.unique(rows)) != len(rows):
            raise InputError("covariance: a row is selected twice; select each once")
        new_row = np.full(len(self.diagonal), -1)
        new_row[rows] = np.arange(len(rows))
        blocks = []
        for block in self.blocks:
            kept = np.flatnonzero(new_row[block.rows] >= 0)
            if len(kept):
                matrix = block.matrix[np.ix_(kept, kept)]
                blocks.append(Block(rows=new_row[block.rows[kept]], matrix=matrix))
        factor = None if self.factor is None else self.factor[rows]
        return BlockLowRank(diagonal=self.diagonal[rows], blocks=tuple(blocks), factor=factor)

    def to_dense(self) -> Float[np.ndarray, "n n"]:
        """The full matrix, for small n and for other programs."""
        dense = np.diag(self.diagonal)
        for block in self.blocks:
            dense[np.ix_(block.rows, block.rows)] += block.matrix
        return dense if self.factor is None else dense + self.factor @ self.factor.T

    def factorize(self) -> Factorization:
        """Factor once, solve often.

        Raises
        ------
        InputError
            If C is not positive definite; the message gives the smallest eigenvalue of the block.
        """
        n = len(self.diagonal)
        alone = np.ones(n, bool)
        factors = []
        for block in self.blocks:
            alone[block.rows] = False
            matrix = block.matrix + np.diag(self.diagonal[block.rows])
            cholesky = jnp.asarray(_cholesky(matrix))
            factors.append(BlockFactor(rows=jnp.asarray(block.rows), cholesky=cholesky))
        if np.any(self.diagonal[alone] <= 0):
            row = int(np.flatnonzero(alone & (self.diagonal <= 0))[0])
            raise InputError(f"covariance: row {row} has variance {self.diagonal[row]}, not > 0")
        inverse = np.zeros(n)
        inverse[alone] = 1.0 / self.diagonal[alone]
        factor = np.zeros((n, 0)) if self.factor is None else self.factor
        bare = Factorization(
            inverse_diagonal=jnp.asarray(inverse),
            blocks=tuple(factors),
            factor=jnp.asarray(factor),
            capacitance=jnp.eye(factor.shape[1]),
        )
        inner = np.eye(factor.shape[1]) + factor.T @ np.asarray(bare._solve_blocks(bare.factor))
        return eqx.tree_at(lambda f: f.capacitance, bare, jnp.asarray(_cholesky(inner)))


def _cholesky(matrix: Float[np.ndarray, "m m"]) -> Float[np.ndarray, "m m"]:
    try:
        return np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError as error:
        eigenvalues = np.linalg.eigvalsh(matrix)
        raise InputError(
            f"covariance is not positive definite: eigenvalues from {eigenvalues[0]:.3g} to "
            f"{eigenvalues[-1]:.3g}; were table and matrix cut together?"
        ) from error
