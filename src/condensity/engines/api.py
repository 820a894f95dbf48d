"""Interface of an engine: one method per operation, and the training runs that `train` starts.

An engine is an object with a name. It need not have every operation: one that is missing is taken from the reference where
the engine is chosen automatically, and refused where it was asked for by name. A class that inherits from
`condensity.engines.reference.ReferenceEngine` has them all, and replaces some.

Letters: n rows, d inputs, q outputs, K components, m networks, a columns, g points and l levels per row. Arrays are passed
by position. Every `threads` is a number of threads, at least 1, which an engine may ignore; it changes no bit of a result.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from condensity.engines.types import (
    GaussianComponents,
    History,
    MixtureHead,
    Network,
    Split,
    SufficientStatistics,
    TrainingPlan,
    TrainingResult,
    TrainingRows,
)


class TrainingRun(Protocol):
    """Networks in training, advanced slice by slice by `condensity.engines.driver`."""

    @property
    def max_steps(self) -> int:
        """Steps at most."""

    @property
    def n_steps(self) -> int:
        """Steps taken."""

    @property
    def last_check(self) -> int:
        """Step of the latest check on validation rows; 0 before the first."""

    @property
    def best_step(self) -> int:
        """Step of the best parameters so far; 0 before the first check. Where nothing is held out, the latest check's."""

    @property
    def history(self) -> History:
        """One entry per check."""

    def advance(self, seconds: float) -> bool:
        """Train for about `seconds`; True once the run has ended."""

    def result(self, status: str | None = None) -> TrainingResult:
        """Best parameters so far; `status` replaces the run's own."""

    def save(self) -> Any:
        """State of the run, for `load_optimizer_state`; bytes, if the engine has a `source_hash`."""

    def load_optimizer_state(self, state: Any) -> None:
        """Take parameters and solver from the state of a run of the same network, on whatever rows."""


class ResumableRun(TrainingRun, Protocol):
    """A run of an engine with a `source_hash`."""

    def save(self) -> bytes:
        """Whole state of the run."""

    def restore(self, state: bytes) -> None:
        """Resume bit for bit the run whose state this is; it must have been built from the same arguments."""


class Engine(Protocol):
    """Everything that computes.

    Attributes
    ----------
    name : str
        As users give it in `engine=`.
    row_dtype : dtype
        Floating-point type in which `train` works, so that no rows are kept in a wider one.
    source_hash : str or None
        Identifies the code whose `save`d runs this engine resumes; None if it resumes none.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def row_dtype(self) -> type: ...  # noqa: D102

    @property
    def source_hash(self) -> str | None: ...  # noqa: D102

    # ------------------------------------------------------------------------------------------------------- mixtures
    def mixture_logpdf(
        self, log_weights: np.ndarray, means: np.ndarray, scales: np.ndarray, y: np.ndarray, /, *, threads: int = 1
    ) -> np.ndarray:
        """Log density log p(y) of row-wise mixtures of normals, (n, g).

        Parameters
        ----------
        log_weights, means, scales : ndarray (n, K)
        y : ndarray (n, g)
        threads : int
        """

    def mixture_logcdf(
        self, log_weights: np.ndarray, means: np.ndarray, scales: np.ndarray, y: np.ndarray, /, *, threads: int = 1
    ) -> np.ndarray:
        """Log distribution function log F(y), (n, g), at y (n, g).

        The mixtures have `log_weights`, `means` and `scales` (n, K); at most `threads` threads work.
        """

    def mixture_logsf(
        self, log_weights: np.ndarray, means: np.ndarray, scales: np.ndarray, y: np.ndarray, /, *, threads: int = 1
    ) -> np.ndarray:
        """Log survival function log P(Y > y), (n, g), at y (n, g).

        The mixtures have `log_weights`, `means` and `scales` (n, K); at most `threads` threads work.
        """

    def mixture_quantile(
        self,
        log_weights: np.ndarray,
        means: np.ndarray,
        scales: np.ndarray,
        log_lower: np.ndarray,
        log_upper: np.ndarray,
        /,
        *,
        threads: int = 1,
    ) -> np.ndarray:
        """The y with log F(y) = log_lower and log P(Y > y) = log_upper, (n, l).

        Parameters
        ----------
        log_weights, means, scales : ndarray (n, K)
            Weights sum to one in every row.
        log_lower, log_upper : ndarray (n, l)
            log p and log(1 − p).
        threads : int
        """

    def mixture_crps(
        self, log_weights: np.ndarray, means: np.ndarray, scales: np.ndarray, y: np.ndarray, /, *, threads: int = 1
    ) -> np.ndarray:
        """Continuous ranked probability score (n, g) at y (n, g).

        The mixtures have `log_weights`, `means` and `scales` (n, K), and weights sum to one in every row;
        at most `threads` threads work.
        """

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
        """Draws (n, n_samples) from the stream `key`, an integer in [0, 2⁶⁴); NaN with probability 1 − mass.

        The mixtures have `log_weights`, `means` and `scales` (n, K); at most `threads` threads work.
        """

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
    ) -> TrainingRun:
        """A run that minimises the penalised negative log likelihood of m networks, in step with each other.

        Parameters
        ----------
        parameters : ndarray (m, n_parameters)
            Initial θ; not written to.
        network : Network
        plan : TrainingPlan
        rng : numpy Generator
            Shuffles the rows.
        rows : TrainingRows
        splits : sequence of m Split
        threads : int
            Members that train at a time.
        """

    def predict_network(
        self,
        theta: np.ndarray,
        network: Network,
        x: np.ndarray,
        offset: np.ndarray | None = None,
        /,
        *,
        threads: int = 1,
    ) -> MixtureHead:
        """Forward pass: the mixture of every row.

        Parameters
        ----------
        theta : ndarray (n_parameters,)
        network : Network
        x : ndarray (n, d)
        offset : ndarray (n, head width), optional
            Added to the linear head's output.
        threads : int
        """

    def network_log_density(
        self,
        theta: np.ndarray,
        network: Network,
        x: np.ndarray,
        y: np.ndarray,
        offset: np.ndarray | None = None,
        /,
        *,
        threads: int = 1,
    ) -> np.ndarray:
        """Log p(y | x), (n,), of rows x (n, d) and y (n, q) under the network with parameters `theta` (n_parameters,).

        The `network`, `offset` (n, head width) and `threads` are those of `predict_network`.
        """

    # ------------------------------------------------------------------------------------------------------ Gaussians
    def gaussian_log_density(self, gaussians: GaussianComponents, x: np.ndarray, /, *, threads: int = 1) -> np.ndarray:
        """Log density (n,) of the mixture `gaussians` at rows x (n, a), on at most `threads` threads."""

    def gaussian_sums(
        self, gaussians: GaussianComponents, x: np.ndarray, weight: np.ndarray, /, *, threads: int = 1
    ) -> SufficientStatistics:
        """E step: sufficient statistics of rows x (n, a) with `weight` (n,), expected under `gaussians` and about their means.

        At most `threads` threads work.
        """

    def gaussian_conditional(
        self,
        gaussians: GaussianComponents,
        slopes: np.ndarray,
        offsets: np.ndarray,
        x: np.ndarray,
        /,
        *,
        threads: int = 1,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Log weights (n, K) and means (n, K, q) of other columns, given rows x (n, a).

        Parameters
        ----------
        gaussians : GaussianComponents
            Over the given columns.
        slopes : ndarray (K, q, a)
            L_ba, the rows of the other columns in the Cholesky factor of all: their mean moves by L_ba z.
        offsets : ndarray (K, q)
            Means of the other columns.
        x : ndarray (n, a)
        threads : int
        """

    def kmeans(
        self, x: np.ndarray, weight: np.ndarray, uniforms: np.ndarray, n_steps: int, /, *, threads: int = 1
    ) -> tuple[np.ndarray, np.ndarray]:
        """Greedy k-means++, then Lloyd's steps: centres (K, a) and the nearest centre of every row (n,).

        Parameters
        ----------
        x : ndarray (n, a)
            n ≥ 1.
        weight : ndarray (n,)
            Not negative, some positive.
        uniforms : ndarray (K, candidates)
            In [0, 1): the chance in every draw.
        n_steps : int
            Lloyd's steps.
        threads : int
        """


#: Names of the methods that make an engine.
OPERATIONS = tuple(name for name, member in vars(Engine).items() if callable(member) and not name.startswith("_"))
