"""Vocabulary shared by all engines: tables, networks, plans and results, without any algorithm.

Letters: n rows, d inputs, q outputs, K components, m networks (members) trained together, θ the parameters of a network.
All numbers are in standardised units.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import solve_triangular

HALF_LOG_2PI = 0.5 * np.log(2.0 * np.pi)

#: A validation row counts for at most this many nats an output, so that one wild row cannot choose the stopping point.
ROW_LOSS_CAP = 20.0

#: Names of activation functions that every training engine has.
ACTIVATIONS = ("tanh", "silu", "relu")

#: Triangles of more columns than this are inverted one by one by LAPACK, others all at once.
MAX_BATCHED_COLUMNS = 32


# ----------------------------------------------------------------------------------------------------------- training
class SolverTraits(NamedTuple):
    """Properties of a solver, from which its 'auto' settings follow.

    Attributes
    ----------
    learning_rate : float
    min_rows : int
        With fewer rows than this, the learning rate is `small_data_rate`.
    small_data_rate : float
    weight_decay : float
        Times the learning rate per step.
    is_robust : bool
        Whether the learning rate warms up, long gradients are cut, and the loss of a row has a logarithmic cap.
    is_annealed : bool
        Whether the learning rate falls to zero at the last step.

    Examples
    --------
    >>> traits = SolverTraits(0.006, min_rows=2000, small_data_rate=0.003)
    >>> traits.rate_for(500), traits.rate_for(5000)
    (0.003, 0.006)
    """

    learning_rate: float = 0.005
    min_rows: int = 0
    small_data_rate: float = 0.005
    weight_decay: float = 0.0
    is_robust: bool = False
    is_annealed: bool = False

    def rate_for(self, n_rows: int) -> float:
        """Learning rate of a fit to `n_rows` rows."""
        return self.small_data_rate if n_rows < self.min_rows else self.learning_rate


class TrainingRows(NamedTuple):
    """Standardised rows.

    Attributes
    ----------
    x : ndarray (n, d)
    y : ndarray (n, q)
    weight : ndarray (n,)
        With mean one.
    offset : ndarray (n, head width), optional
        Added to the output of the network's linear head, before its nonlinearities.
    splitter : condensity.data.splitting.RowSplitter, optional
        Splits of rows that are not independent; lost where rows of another table follow.

    Examples
    --------
    >>> rows = TrainingRows(np.zeros((4, 2)), np.zeros((4, 1)), np.ones(4))
    >>> rows.take([0, 2]).x.shape
    (2, 2)
    """

    x: np.ndarray
    y: np.ndarray
    weight: np.ndarray
    offset: np.ndarray | None = None
    splitter: Any = None

    def take(self, index: Sequence[int] | np.ndarray | slice) -> "TrainingRows":
        """The rows at `index`, positions (m,) or a slice."""
        offset = None if self.offset is None else self.offset[index]
        splitter = None if self.splitter is None else self.splitter.take(index)
        return TrainingRows(self.x[index], self.y[index], self.weight[index], offset, splitter)

    def followed_by(self, other: "TrainingRows") -> "TrainingRows":
        """These rows, then those of `other`.

        Raises
        ------
        ValueError
            If only one of the two has offsets.
        """
        offset = None
        if self.offset is not None and other.offset is not None:
            offset = np.concatenate([self.offset, other.offset])
        elif self.offset is not other.offset:
            raise ValueError("Either all rows must have an offset, or none; only one of two tables has them.")
        x, y, weight = (np.concatenate(pair) for pair in zip(self[:3], other[:3], strict=True))
        return TrainingRows(x, y, weight, offset)


class Split(NamedTuple):
    """Indices of the rows that a member trains on, and of its validation rows (possibly none), each ndarray of int."""

    kept: np.ndarray
    held_out: np.ndarray


def all_rows(n_rows: int) -> Split:
    """All `n_rows` rows to train on, none held out."""
    return Split(np.arange(n_rows), np.arange(0))


class Penalty(NamedTuple):
    """Terms added to the negative log likelihood, and the cap on it.

    Attributes
    ----------
    hinge, lognormal : float
        Strengths of the two penalties on σ; the formula is in `condensity.engines.reference.network`.
    loss_cap : float
        A row's negative log likelihood above this many nats counts as loss_cap · (1 + log(NLL / loss_cap)): continuous with
        its slope, so that an outlier at 10⁶ σ, whose plain gradient is 10¹², pulls no harder than a few dozen rows.
    """

    hinge: float = 0.0
    lognormal: float = 0.0
    loss_cap: float = np.inf


class TrainingPlan(NamedTuple):
    """Hyper-parameters of a training run, every choice made.

    Attributes
    ----------
    solver : str
        One of `condensity.engines.SOLVERS`.
    learning_rate : float
    warm_up, horizon : int
        The rate rises linearly over `warm_up` steps, then falls along a cosine, to 0 at step `horizon`; 0: it stays.
    batch_size, max_steps, check_every : int
    patience : int
        Checks without an improvement of `tolerance` nats after which training with validation rows stops, not before
        `min_steps`.
    min_steps : int
    tolerance : float
    weight_decay : float
    penalty : Penalty
    max_gradient_norm : float
        Longer gradients are cut to this length and counted.
    input_noise, target_noise : float
        Standard deviations of normal noise on x and y at the first step; it fades to nothing at 70 % of `max_steps`.
    """

    solver: str
    learning_rate: float
    warm_up: int
    batch_size: int
    max_steps: int
    check_every: int
    patience: int
    tolerance: float
    weight_decay: float
    penalty: Penalty
    max_gradient_norm: float
    horizon: int = 0
    min_steps: int = 0
    input_noise: float = 0.0
    target_noise: float = 0.0


#: 'step', 'train_loss' (mean over members and the steps since the last check) and 'validation_nll', one entry per check.
History = dict[str, list[Any]]


class TrainingResult(NamedTuple):
    """Parameters found by a training run.

    Attributes
    ----------
    parameters : ndarray (m, n_parameters)
        The best ones: lowest validation loss, or the last usable ones where nothing is held out.
    status : str
        'patience' (validation loss stopped improving), 'max_steps', 'diverged' (a loss or gradient was not finite, or a
        checked model gave nan), 'interrupted' (Ctrl-C) or 'stopped' (by the caller, between slices of work).
    n_steps, best_step, n_clipped : int
    history : History
    held_out_log_density : ndarray (n,)
        Of every row under the best members that did not train on it; nan where all did.
    """

    parameters: np.ndarray
    status: str
    n_steps: int
    best_step: int
    n_clipped: int
    history: History
    held_out_log_density: np.ndarray

    @property
    def best_loss(self) -> float:
        """Validation NLL of the best step; inf where there was none."""
        values = [value for value in self.history["validation_nll"] if not np.isnan(value)]
        return min(values, default=np.inf)


def steps_per_epoch(n_rows: int, batch_size: int) -> int:
    """Batches of at most `batch_size` rows in one pass over `n_rows`."""
    return -(-n_rows // batch_size)


def held_out_loss(log_density: np.ndarray, weight: np.ndarray, n_outputs: int) -> float:
    """Mean validation NLL from `log_density` (n,), by `weight` (n,); a row has at most `n_outputs` · `ROW_LOSS_CAP` nats."""
    return float(np.average(np.minimum(-log_density, ROW_LOSS_CAP * n_outputs), weights=weight))


# ----------------------------------------------------------------------------------------------------------- networks
class Network(NamedTuple):
    """Architecture of a mixture density network; its numbers live in one flat vector θ.

    Attributes
    ----------
    n_inputs : int
        d, columns of x.
    hidden : tuple of int
        Widths of the hidden layers; () is a linear model.
    n_components : int
        K.
    activation : str
        One of `ACTIVATIONS`.
    log_scale_bounds : (float or tuple of q floats, float) or None
        Lower and upper end of the soft clamp on log σ; None is a plain exponential.
    n_outputs : int
        q.
    coupled : bool
        Whether outputs of a component may depend on each other (full covariance) or not (diagonal).
    edges : tuple of arrays, or None
        Bin edges of every column, for the piecewise-linear encoding of the first layer's input.

    Examples
    --------
    >>> network = Network(n_inputs=1, hidden=(8,), n_components=2, activation="silu", log_scale_bounds=None)
    >>> network.head_width, network.n_parameters
    (6, 70)
    """

    n_inputs: int
    hidden: tuple[int, ...]
    n_components: int
    activation: str
    log_scale_bounds: tuple[Any, Any] | None
    n_outputs: int = 1
    coupled: bool = True
    edges: tuple[np.ndarray, ...] | None = None

    @property
    def n_features(self) -> int:
        """Inputs of the first layer: columns and their bins."""
        return self.n_inputs + sum(max(len(edge) - 1, 0) for edge in self.edges or ())

    @property
    def n_regression_coefficients(self) -> int:
        """Regression coefficients of a component."""
        return self.n_outputs * (self.n_outputs - 1) // 2 if self.coupled else 0

    @property
    def head_width(self) -> int:
        """Outputs of the head per row: logits (K), means (K, q), raw log scales (K, q), regression coefficients (K, …)."""
        return self.n_components * (1 + 2 * self.n_outputs + self.n_regression_coefficients)

    @property
    def layer_shapes(self) -> list[tuple[int, int]]:
        """Shapes (inputs, outputs) of the weight matrices, first to last."""
        return list(pairwise([self.n_features, *self.hidden, self.head_width]))

    @property
    def n_parameters(self) -> int:
        """Length of θ."""
        return sum((rows + 1) * columns for rows, columns in self.layer_shapes)


def unpack_layers(theta: np.ndarray, network: Network) -> list[tuple[np.ndarray, np.ndarray]]:
    """Views (W, b) into `theta` (n_parameters,), layer by layer of the `network`; writing to them writes to θ."""
    layers, start = [], 0
    for rows, columns in network.layer_shapes:
        middle, end = start + rows * columns, start + (rows + 1) * columns
        layers.append((theta[start:middle].reshape(rows, columns), theta[middle:end]))
        start = end
    return layers


class MixtureHead(NamedTuple):
    """Mixture of every row, as a network gives it.

    Attributes
    ----------
    log_weights : ndarray (n, K)
    means, log_scales : ndarray (n, K, q)
    regression_coefficients : ndarray (n, K, q(q − 1)/2), or (n, K, 0) of independent outputs
        Of an output on those before it, row by row of the lower triangle, with the sign turned.
    """

    log_weights: np.ndarray
    means: np.ndarray
    log_scales: np.ndarray
    regression_coefficients: np.ndarray


def regression_matrix(regression_coefficients: np.ndarray, n_outputs: int) -> np.ndarray:
    """C, strictly lower triangular (n, K, q, q) for q = `n_outputs`, from `regression_coefficients` (n, K, c).

    There are c = q(q − 1)/2 coefficients, or none: then C is zero.
    """
    matrix = np.zeros((*regression_coefficients.shape[:2], n_outputs, n_outputs))
    if regression_coefficients.shape[2]:
        matrix[:, :, *np.tril_indices(n_outputs, -1)] = regression_coefficients
    return matrix


# ---------------------------------------------------------------------------------------------------------- Gaussians
class GaussianComponents(NamedTuple):
    """K weighted normals over a columns, ready to be evaluated.

    Attributes
    ----------
    log_constants : ndarray (K,)
        log w_k − Σ_j log L_k,jj − ½ a log 2π; −inf for a component of weight 0.
    means : ndarray (K, a)
    inverse_factors : ndarray (K, a, a) or (K, a)
        L_k⁻¹, lower triangles; or 1/σ, where the columns of a component are independent.
    """

    log_constants: np.ndarray
    means: np.ndarray
    inverse_factors: np.ndarray

    @classmethod
    def from_factors(cls, weights: np.ndarray, means: np.ndarray, factors: np.ndarray) -> "GaussianComponents":
        """From weights (K,), means (K, a) and Cholesky factors (K, a, a), or standard deviations (K, a)."""
        with np.errstate(divide="ignore"):  # weight 0: −inf is the answer
            log_weights = np.log(weights)
        edge = factors if factors.ndim == 2 else np.diagonal(factors, axis1=1, axis2=2)
        inverse = 1.0 / factors if factors.ndim == 2 else inverse_triangles(factors)
        return cls(log_weights - np.log(edge).sum(axis=1) - edge.shape[1] * HALF_LOG_2PI, means, inverse)


def inverse_triangles(factors: np.ndarray) -> np.ndarray:
    """Inverses of lower triangles `factors` (K, a, a), by forward substitution."""
    a = factors.shape[1]
    if a == 1:
        return 1.0 / factors
    if a > MAX_BATCHED_COLUMNS:
        return np.array([solve_triangular(factor, np.eye(a), lower=True) for factor in factors])
    inverse = np.zeros_like(factors)
    for i in range(a):
        inverse[:, i, i] = 1.0
        inverse[:, i, :i] -= np.einsum("kj,kjl->kl", factors[:, i, :i], inverse[:, :i, :i])
        inverse[:, i] /= factors[:, i, i, None]
    return inverse


class SufficientStatistics(NamedTuple):
    """Sums over rows; those of two parts of a table add up to those of the whole.

    Attributes
    ----------
    counts : ndarray (K,)
        Σ_i v_i γ_ik
    first : ndarray (K, a)
        Σ_i v_i γ_ik u_ik, with u_ik = x_i − μ_k about the *current* mean
    second : ndarray (K, a, a) or (K, a)
        Σ_i v_i γ_ik u_ik u_ikᵀ, or its diagonal where the columns of a component are independent
    log_likelihood : float
        Σ_i v_i log p(x_i)
    """

    counts: np.ndarray
    first: np.ndarray
    second: np.ndarray
    log_likelihood: float
