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
        """Log density (n, g) from the `arrays` (n, K) and (n, g) of `mixture.mixture_logpdf`; `threads` is ignored."""
        return _in_row_blocks(mixture.mixture_logpdf, *arrays)

    def mixture_logcdf(self, *arrays: np.ndarray, threads: int = 1) -> np.ndarray:
        """Log distribution function (n, g) from the `arrays` of `mixture.mixture_logcdf`, (n, K) and (n, g).

        `threads` is ignored.
        """
        return _in_row_blocks(mixture.mixture_logcdf, *arrays)

    def mixture_logsf(self, *arrays: np.ndarray, threads: int = 1) -> np.ndarray:
        """Log survival function (n, g) from the `arrays` (n, K) and (n, g) of `mixture.mixture_logsf`; `threads` is ignored."""
        return _in_row_blocks(mixture.mixture_logsf, *arrays)

    def mixture_quantile(self, *arrays: np.ndarray, threads: int = 1) -> np.ndarray:
        """Quantiles (n, l) from the `arrays` (n, K) and (n, l) of `mixture.mixture_quantile`; `threads` is ignored."""
        return _in_row_blocks(mixture.mixture_quantile, *arrays)

    def mixture_crps(self, *arrays: np.ndarray, threads: int = 1) -> np.ndarray:
        """Continuous ranked probability score (n, g) from the `arrays` of `scores.mixture_crps`, (n, K) and (n, g).

        `threads` is ignored.
        """
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
        """Draws (n, n_samples) from the stream `key`, of mixtures with `log_weights`, `means` and `scales` (n, K).

        `threads` is ignored. See `sampling.mixture_sample`.
        """
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
        """A `trainer.Run` of the `network` from `parameters` (m, n_parameters), by `plan`; `threads` is ignored.

        The standardised `rows` are shuffled by `rng`; `splits` hold the rows of each of the m members.
        """
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
        """Mixture of every row of x (n, d), by the network of `architecture` with `theta` (n_parameters,); see `network.forward`.

        An `offset` (n, head width) is added to the head; `threads` is ignored.
        """
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
        """Log p(y | x), (n,), of rows x (n, d) and y (n, q), by the network of `architecture` with `theta` (n_parameters,).

        An `offset` (n, head width) is added to the head; `threads` is ignored. See `network.log_density`.
        """
        return network.log_density(theta, architecture, x, y, offset)

    # ------------------------------------------------------------------------------------------------------ Gaussians
    def gaussian_log_density(self, components: GaussianComponents, x: np.ndarray, /, *, threads: int = 1) -> np.ndarray:
        """Log density (n,) of the mixture `components` at rows x (n, a); `threads` is ignored."""
        return gaussians.gaussian_log_density(components, x)

    def gaussian_sums(
        self, components: GaussianComponents, x: np.ndarray, weight: np.ndarray, /, *, threads: int = 1
    ) -> SufficientStatistics:
        """Expected sufficient statistics under `components` of rows x (n, a) with `weight` (n,); `threads` is ignored."""
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
        """Log weights (n, K) and means (n, K, q) of other columns, given rows x (n, a) of those of `components`.

        The others have mean `offsets` (K, q) and factor rows `slopes` (K, q, a), as in `gaussians.gaussian_conditional`;
        `threads` is ignored.
        """
        return gaussians.gaussian_conditional(components, slopes, offsets, x)

    def kmeans(
        self, x: np.ndarray, weight: np.ndarray, uniforms: np.ndarray, n_steps: int, /, *, threads: int = 1
    ) -> tuple[np.ndarray, np.ndarray]:
        """Centres (K, d), and the nearest centre (n,) of rows x (n, d) with `weight` (n,); see `kmeans.kmeans`.

        Centres are drawn by `uniforms` (K, candidates), then moved by `n_steps` of Lloyd's; `threads` is ignored.
        """
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
