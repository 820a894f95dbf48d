"""`WeightedVerbs`: moments, quantiles, marginals and modes of weighted draws, in the shapes that a `Distribution` gives them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse.csgraph import connected_components

from condensity.distributions import arguments

#: Points on which the modes of one input are sought, and draws from which those of several are climbed to, in so many steps.
GRID_POINTS, STARTS, CLIMBS = 1025, 48, 60

#: Ends of climbs nearer than so many bandwidths belong to one mode, or to one ridge.
SAME_MODE = 3.0

#: Share of Scott's bandwidth with which modes of several inputs are climbed to: less than the whole, since these may lie apart.
BANDWIDTH_SHARE = 0.5


class WeightedVerbs:
    """Verbs of n rows of s draws over d inputs: results are (n,) for one input and (n, d) for several, in data units."""

    draws: np.ndarray
    log_weights: np.ndarray
    output_names: list[str] | None

    @property
    def n_outputs(self) -> int:
        """Number of inputs, d, over which the distribution is."""
        return self.draws.shape[2]

    @property
    def weights(self) -> np.ndarray:
        """Weights of the draws, (n, s)."""
        return np.exp(self.log_weights)

    def mean(self) -> np.ndarray:
        """Mean of every row, (n,) or (n, d); where there are several solutions, it may lie between them: see `modes`."""
        return self._shaped(np.einsum("ns,nsd->nd", self.weights, self.draws))

    def cov(self) -> np.ndarray:
        """Covariance matrices, (n, d, d)."""
        mean = np.einsum("ns,nsd->nd", self.weights, self.draws)
        deviation = self.draws - mean[:, None]
        return np.einsum("ns,nsi,nsj->nij", self.weights, deviation, deviation, optimize=True)

    def var(self) -> np.ndarray:
        """Variance, (n,) or (n, d)."""
        return self._shaped(np.einsum("nii->ni", self.cov()).copy())

    def std(self) -> np.ndarray:
        """Standard deviation, (n,) or (n, d)."""
        return np.sqrt(self.var())

    def ppf(self, p: npt.ArrayLike) -> np.ndarray:
        """Quantiles of one input, (n,) for a level p, (n, m) for levels (m,) or (n, m): the draws where weights add up to p.

        Raises
        ------
        ValueError
            For several inputs, and levels outside [0, 1].
        """
        self._require_one("ppf")
        levels, flat = arguments.levels(p, len(self.draws))
        order = np.argsort(self.draws[:, :, 0], axis=1)
        draws = np.take_along_axis(self.draws[:, :, 0], order, axis=1)
        below = np.take_along_axis(self.weights, order, axis=1).cumsum(axis=1)
        middles = below - 0.5 * np.take_along_axis(self.weights, order, axis=1)
        levels = np.broadcast_to(levels, (len(draws), levels.shape[1]))
        rows = [np.interp(level, middle, row) for level, middle, row in zip(levels, middles, draws, strict=True)]
        result = np.array(rows).reshape(levels.shape)
        return result[:, 0] if flat else result

    quantile = ppf

    def median(self) -> np.ndarray:
        """Median of one input, (n,)."""
        return self.ppf(0.5)

    def interval(self, level: float = 0.9) -> np.ndarray:
        """Central interval of one input, (n, 2), of a probability of `level`."""
        tail = 0.5 * (1.0 - arguments.level(level))
        return self.ppf([tail, 1.0 - tail])

    def mode(self) -> np.ndarray:
        """Densest of the modes of every row, (n,) or (n, d)."""
        return np.array([row[0] for row in self.modes()])

    def modes(self) -> list[np.ndarray]:
        """Modes of every row, n arrays (j,) or (j, d), densest first: the solutions, where there are several.

        Of one input on a grid over its draws; of several by mean shift from some of the draws, which blurs modes closer than a
        bandwidth.
        """
        find = self._modes_of_one if self.n_outputs == 1 else self._modes_of_several
        return [find(row) for row in range(len(self.draws))]

    def marginal(self, outputs: arguments.Output | Sequence[arguments.Output]) -> Any:
        """Distribution of some of the inputs, `outputs` by position or name, whatever the others are: their draws and weights."""
        return self._of_inputs(arguments.positions(outputs, self.n_outputs, self.output_names))

    def _of_inputs(self, chosen: list[int]) -> Any:
        raise NotImplementedError

    def _log_density_at(self, row: int, points: np.ndarray) -> np.ndarray:
        """Log density (g,) of a row up to a constant, at points (g, d)."""
        raise NotImplementedError

    def _modes_of_one(self, row: int) -> np.ndarray:
        draws = self.draws[row, :, 0]
        grid = np.linspace(draws.min(), draws.max(), GRID_POINTS)
        height = self._log_density_at(row, grid[:, None])
        padded = np.concatenate([[-np.inf], height, [-np.inf]])
        peaks = np.flatnonzero((padded[1:-1] > padded[:-2]) & (padded[1:-1] >= padded[2:]))
        return grid[peaks[np.argsort(-height[peaks], kind="stable")]]

    def _modes_of_several(self, row: int) -> np.ndarray:
        draws, weights, d = self.draws[row], self.weights[row], self.n_outputs
        spread = np.sqrt(np.maximum(np.einsum("ii->i", self.cov_of(row)), 1e-300))
        size = 1.0 / (weights**2).sum()
        width = BANDWIDTH_SHARE * spread * size ** (-1.0 / (d + 4))
        z = draws / width
        points = z[np.argsort(-weights, kind="stable")[:: max(1, len(z) // STARTS)]]
        for _ in range(CLIMBS):
            kernel = weights * np.exp(-0.5 * ((points[:, None] - z) ** 2).sum(axis=2))
            points = kernel @ z / np.maximum(kernel.sum(axis=1, keepdims=True), 1e-300)
        height = self._log_density_at(row, points * width)
        order = np.argsort(-height, kind="stable")
        return points[order][_firsts_of_groups(points[order])] * width

    def cov_of(self, row: int) -> np.ndarray:
        """Covariance matrix (d, d) of one row."""
        deviation = self.draws[row] - self.weights[row] @ self.draws[row]
        return (self.weights[row][:, None] * deviation).T @ deviation

    def _shaped(self, table: np.ndarray) -> np.ndarray:
        """One number per row for one input."""
        return table[:, 0] if self.n_outputs == 1 else table

    def _require_one(self, verb: str) -> None:
        if self.n_outputs > 1:
            raise ValueError(
                f"{verb} is for one input, and there are {self.n_outputs}: choose one with marginal(j).{verb}."
            )


def _firsts_of_groups(points: np.ndarray) -> np.ndarray:
    """Positions of the first of every group of points (r, d) that a chain of steps shorter than `SAME_MODE` joins."""
    near = np.linalg.norm(points[:, None] - points, axis=2) < SAME_MODE
    _, labels = connected_components(near, directed=False)
    return np.sort(np.unique(labels, return_index=True)[1])
