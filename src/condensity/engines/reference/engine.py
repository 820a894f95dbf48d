"""The reference as an engine: every operation in NumPy float64, on one thread whatever `threads` is."""

from collections.abc import Callable, Sequence

import numpy as np

from condensity.engines.reference import gaussians, mixture, network, sampling, scores, trainer
from condensity.engines.reference.kmeans import kmeans
from condensity.engines.types import (
    GaussianComponents,
    MixtureHead,
    Network,
    Split,
    SufficientStatistics,
    TrainingPlan,
    TrainingRows,
)

#: Numbers in one temporary array of a mixture's kernel: about 8 MB.
BLOCK_SIZE = 2**20


class ReferenceEngine:
    """Implementation of `condensity.engines.api.Engine`, for reading, testing and inheriting from.

    Examples
    --------
    >>> import numpy as np
    >>> from condensity.engines import ReferenceEngine
    >>> zeros = np.zeros((1, 1))
    >>> ReferenceEngine().mixture_logcdf(zeros, zeros, zeros + 1.0, zeros).round(4)
    array([[-0.6931]])
    """

    name = "reference"
    row_dtype: type = np.float64
    source_hash: str | None = None

    # ------------------------------------------------------------------------------------------------------- mixtures
    def mixture_logpdf(self, *arrays: np.ndarray, threads: int = 1) -> np.ndarray:
        """Log density (n, g); see `mixture.mixture_logpdf`."""
        return _in_row_blocks(mixture.mixture_logpdf, *arrays)

    def mixture_logcdf(self, *arrays: np.ndarray, threads: int = 1) -> np.ndarray:
        """Log distribution function (n, g); see `mixture.mixture_logcdf`."""
        return _in_row_blocks(mixture.mixture_logcdf, *arrays)

    def mixture_logsf(self, *arrays: np.ndarray, threads: int = 1) -> np.ndarray:
        """Log survival function (n, g); see `mixture.mixture_logsf`."""
        return _in_row_blocks(mixture.mixture_logsf, *arrays)

    def mixture_quantile(self, *arrays: np.ndarray, threads: int = 1) -> np.ndarray:
        """Quantiles (n, l); see `mixture.mixture_quantile`."""
        return _in_row_blocks(mixture.mixture_quantile, *arrays)

    def mixture_crps(self, *arrays: np.ndarray, threads: int = 1) -> np.ndarray:
        """Continuous ranked probability score (n, g); see `scores.mixture_crps`."""
        return scores.mixture_crps(*arrays)

    def mixture_sample(
        self,
        log_weights: np.ndarray,
        means: np.ndarray,
        scales: np.ndarray,
        n_samples: int,
        key: int,
        /,
        *,
        threads: int = 1,
    ) -> np.ndarray:
        """Draws (n, n_samples); see `sampling.mixture_sample`."""
        return sampling.mixture_sample(log_weights, means, scales, n_samples, key)

    # ------------------------------------------------------------------------------------------------------- networks
    def train(
        self,
        parameters: np.ndarray,
        network: Network,
        plan: TrainingPlan,
        rng: np.random.Generator,
        rows: TrainingRows,
        splits: Sequence[Split],
        /,
        *,
        threads: int = 1,
    ) -> trainer.Run:
        """A training run; see `trainer.Run`."""
        return trainer.Run(parameters, network, plan, rng, rows, splits)

    def predict_network(
        self,
        theta: np.ndarray,
        architecture: Network,
        x: np.ndarray,
        offset: np.ndarray | None = None,
        /,
        *,
        threads: int = 1,
    ) -> MixtureHead:
        """Mixture of every row; see `network.forward`."""
        return network.forward(theta, architecture, x, offset)

    def network_log_density(
        self,
        theta: np.ndarray,
        architecture: Network,
        x: np.ndarray,
        y: np.ndarray,
        offset: np.ndarray | None = None,
        /,
        *,
        threads: int = 1,
    ) -> np.ndarray:
        """Log p(y | x) of every row; see `network.log_density`."""
        return network.log_density(theta, architecture, x, y, offset)

    # ------------------------------------------------------------------------------------------------------ Gaussians
    def gaussian_log_density(self, components: GaussianComponents, x: np.ndarray, /, *, threads: int = 1) -> np.ndarray:
        """Log density of rows; see `gaussians.gaussian_log_density`."""
        return gaussians.gaussian_log_density(components, x)

    def gaussian_sums(
        self, components: GaussianComponents, x: np.ndarray, weight: np.ndarray, /, *, threads: int = 1
    ) -> SufficientStatistics:
        """Expected sufficient statistics; see `gaussians.gaussian_sums`."""
        return gaussians.gaussian_sums(components, x, weight)

    def gaussian_conditional(
        self,
        components: GaussianComponents,
        slopes: np.ndarray,
        offsets: np.ndarray,
        x: np.ndarray,
        /,
        *,
        threads: int = 1,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Log weights and means of other columns; see `gaussians.gaussian_conditional`."""
        return gaussians.gaussian_conditional(components, slopes, offsets, x)

    def kmeans(
        self, x: np.ndarray, weight: np.ndarray, uniforms: np.ndarray, n_steps: int, /, *, threads: int = 1
    ) -> tuple[np.ndarray, np.ndarray]:
        """Centres and nearest centres; see `kmeans.kmeans`."""
        return kmeans(x, weight, uniforms, n_steps)


def _in_row_blocks(
    kernel: Callable[..., np.ndarray],
    log_weights: np.ndarray,
    means: np.ndarray,
    scales: np.ndarray,
    *grids: np.ndarray,
) -> np.ndarray:
    """A kernel's (n, g), block by block of rows, so that its (rows, g, K) temporaries have about `BLOCK_SIZE` numbers."""
    n, columns = grids[0].shape
    block = max(1, BLOCK_SIZE // max(1, columns * means.shape[1]))
    result = np.empty((n, columns))
    for start in range(0, n, block):
        rows = slice(start, start + block)
        result[rows] = kernel(*(array[rows] for array in (log_weights, means, scales, *grids)))
    return result
