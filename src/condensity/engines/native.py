"""The compiled engine, under the names and shapes of `condensity.engines.reference`.

Importing this module fails with ModuleNotFoundError where the extension was not built, and with ImportError where it was
built from sources that do not fit this module. `SOURCE_HASH` identifies the C++ sources it was built from. The instruction
set is the best that the machine has, unless the environment variable CONDENSITY_ISA (`baseline`, `avx2`, `avx512`, `neon`)
or `use_isa` names another.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

import condensity.engines._native as _native  # not `from … import`, which hides that there is no such module
from condensity.engines._native import (
    SOURCE_HASH,
    available_isas,
    isa,
    mixture_crps,
    mixture_logcdf,
    mixture_logpdf,
    mixture_logsf,
    mixture_quantile,
    mixture_sample,
    solvers,
    use_isa,
)
from condensity.engines.reference import ReferenceEngine
from condensity.engines.types import (
    GaussianComponents,
    History,
    Network,
    Penalty,
    Split,
    SufficientStatistics,
    TrainingPlan,
    TrainingResult,
    TrainingRows,
)

__all__ = [
    "SOURCE_HASH", "NativeEngine", "Run", "available_isas", "gaussian_conditional", "gaussian_log_density", "gaussian_sums",
    "isa", "kmeans", "log_density", "loss_and_gradient", "mixture_crps", "mixture_logcdf", "mixture_logpdf", "mixture_logsf",
    "mixture_quantile", "mixture_sample", "solvers", "use_isa",
]  # fmt: skip

#: Of the extension that this module fits; see native/bindings.cpp.
INTERFACE_VERSION = 1
if getattr(_native, "INTERFACE_VERSION", 0) != INTERFACE_VERSION:
    raise ImportError(
        "the compiled extension of condensity was built from other sources than its Python code; "
        "build it again with `pip install .`, or `pip install -e .` in a checkout."
    )


# -------------------------------------------------------------------------------------------------------- training
class Run:
    """Native twin of `reference.trainer.Run`, in float32 but for sums over rows; shuffles with numbers of its own.

    `save` gives its whole state as bytes; restoring these bytes into a run built from the same arguments resumes it bit for
    bit. `load_optimizer_state` takes θ and the solver's state only, from a run of the same network on whatever rows.

    Arguments are the initial `parameters` (m, n_parameters), the `network`, the `plan`, the `rng` that seeds the shuffles, the
    standardised `rows`, the `splits` of the m members, and `threads`, the members that train at a time.
    """

    def __init__(
        self,
        parameters: np.ndarray,
        network: Network,
        plan: TrainingPlan,
        rng: np.random.Generator,
        rows: TrainingRows,
        splits: Sequence[Split],
        threads: int = 1,
    ):
        with np.errstate(over="ignore"):
            seeds = rng.integers(2**64, dtype=np.uint64, size=len(splits)).tolist()
        self._n_rows, self._n_members, self.max_steps = len(rows.y), len(splits), plan.max_steps
        self._run = _native.TrainingRun(
            _describe(network), _plan(plan), *(_float32(part) for part in (parameters, *rows[:4])),
            [_index(split.kept) for split in splits], [_index(split.held_out) for split in splits], seeds, threads,
        )  # fmt: skip
        self.advance, self.save = self._run.advance, self._run.save
        self.restore, self.load_optimizer_state = self._run.restore, self._run.load_optimizer_state

    @property
    def last_check(self) -> int:
        """Step of the latest check; 0 before the first."""
        return self._run.last_check

    @property
    def n_steps(self) -> int:
        """Steps taken."""
        return self._run.n_steps

    @property
    def best_step(self) -> int:
        """Step of the best parameters so far; 0 before the first check."""
        return self._run.best_step

    @property
    def history(self) -> History:
        """One entry per check."""
        run = self._run
        return {
            "step": run.step.astype(int).tolist(),
            "train_loss": run.train_loss.tolist(),
            "validation_nll": run.validation_nll.tolist(),
        }

    def result(self, status: str | None = None) -> TrainingResult:
        """Best parameters so far; `status` replaces the run's own."""
        run = self._run
        log_density = np.full(self._n_rows, np.nan, dtype=np.float32)
        log_density[run.held_out.astype(np.intp)] = run.held_out_log_density
        return TrainingResult(
            np.array([run.parameters(member) for member in range(self._n_members)]),
            status or run.status,
            run.n_steps,
            run.best_step,
            run.n_clipped,
            self.history,
            log_density,
        )


def loss_and_gradient(
    theta: np.ndarray,
    network: Network,
    x: np.ndarray,
    y: np.ndarray,
    row_weight: np.ndarray,
    penalty: Penalty,
    offset: np.ndarray | None = None,
) -> tuple[float, np.ndarray]:
    """Native twin of `reference.network.loss_and_gradient`, in float32.

    Of `theta` (n_parameters,), the `network`, standardised x (n, d) and y (n, q), `row_weight` (n,), the `penalty` and an
    optional `offset` (n, head width); the loss is in nats.
    """
    arrays = (_float32(part) for part in (theta, x, y, row_weight, offset))
    return _native.loss_and_gradient(_describe(network), *arrays, _penalty(penalty))


def log_density(
    theta: np.ndarray, network: Network, x: np.ndarray, y: np.ndarray, offset: np.ndarray | None = None
) -> np.ndarray:
    """Native twin of `reference.network.log_density`, in float32.

    Log density (n,) in nats, from `theta` (n_parameters,), the `network`, standardised x (n, d) and y (n, q), and an optional
    `offset` (n, head width).
    """
    arrays = (_float32(part) for part in (theta, x, y, np.ones(len(x)), offset))
    return -_native.negative_log_density(_describe(network), *arrays)


# ------------------------------------------------------------------------------------------------------- Gaussians
def gaussian_log_density(gaussians: GaussianComponents, x: np.ndarray, threads: int = 1) -> np.ndarray:
    """Native twin of `reference.gaussians.gaussian_log_density`: `gaussians` at rows x (n, a), on `threads` threads."""
    return _native.gaussian_log_density(*_float64(*gaussians, x), threads)


def gaussian_sums(
    gaussians: GaussianComponents, x: np.ndarray, weight: np.ndarray, threads: int = 1
) -> SufficientStatistics:
    """Native twin of `reference.gaussians.gaussian_sums`; the same bits for any number of threads.

    Sufficient statistics under `gaussians` of rows x (n, a) with `weight` (n,).
    """
    n_components, a = gaussians.means.shape
    flat = _native.gaussian_sums(*_float64(*gaussians, x, weight), threads)
    of_component = flat[:-1].reshape(n_components, -1)
    second = of_component[:, 1 + a :]
    if gaussians.inverse_factors.ndim == 3:
        second = second[:, _positions(a)].reshape(n_components, a, a)
    return SufficientStatistics(of_component[:, 0], of_component[:, 1 : 1 + a], second, float(flat[-1]))


@lru_cache(maxsize=8)
def _positions(a: int) -> np.ndarray:
    """Position of each entry of a symmetric (a, a) in its lower triangle, row by row: (a²,)."""
    i, j = np.indices((a, a)).reshape(2, -1)
    high, low = np.maximum(i, j), np.minimum(i, j)
    return high * (high + 1) // 2 + low


def gaussian_conditional(
    gaussians: GaussianComponents, slopes: np.ndarray, offsets: np.ndarray, x: np.ndarray, threads: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Native twin of `reference.gaussians.gaussian_conditional`, on `threads` threads.

    Columns with mean `offsets` (K, q) and factor rows `slopes` (K, q, a), given the columns x (n, a) of `gaussians`.
    """
    return _native.gaussian_conditional(*_float64(*gaussians, slopes, offsets, x), threads)


def kmeans(
    x: np.ndarray, weight: np.ndarray, uniforms: np.ndarray, n_steps: int, threads: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Native twin of `reference.kmeans.kmeans`, on one thread whatever `threads` is.

    Rows x (n, d) with `weight` (n,), draws by `uniforms` (K, candidates), then `n_steps` of Lloyd's.
    """
    centres, nearest = _native.kmeans(*_float64(x, weight, uniforms), n_steps)
    return centres, nearest.astype(np.intp)


def _float64(*arrays: np.ndarray) -> list[np.ndarray]:
    return [np.ascontiguousarray(array, dtype=np.float64) for array in arrays]


def _describe(network: Network) -> Any:
    bounds = network.log_scale_bounds
    if bounds is not None:
        low, high = bounds
        bounds = (np.broadcast_to(low, network.n_outputs).tolist(), high)
    edges = None if network.edges is None else [np.asarray(edge).tolist() for edge in network.edges]
    return _native.Network(
        network.n_inputs, list(network.hidden), network.n_components, network.n_outputs, network.coupled,
        network.activation, bounds, edges,
    )  # fmt: skip


def _plan(plan: TrainingPlan) -> Any:
    return _native.TrainingPlan(**{**plan._asdict(), "penalty": _penalty(plan.penalty)})


def _penalty(penalty: Penalty) -> Any:
    return _native.Penalty(**penalty._asdict())


def _float32(array: np.ndarray | None) -> np.ndarray | None:
    if array is None:  # rows without an offset
        return None
    with np.errstate(over="ignore"):  # an infinite row is as far as any: the kernels limit how far a row can pull
        return np.ascontiguousarray(array, dtype=np.float32)


def _index(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array, dtype=np.uint32)


class NativeEngine:
    """Implementation of `condensity.engines.api.Engine` in C++; trained networks are evaluated by the reference."""

    name = "native"
    row_dtype: type = np.float32
    source_hash: str | None = SOURCE_HASH

    mixture_logpdf: Callable[..., Any] = staticmethod(mixture_logpdf)
    mixture_logcdf: Callable[..., Any] = staticmethod(mixture_logcdf)
    mixture_logsf: Callable[..., Any] = staticmethod(mixture_logsf)
    mixture_quantile: Callable[..., Any] = staticmethod(mixture_quantile)
    mixture_crps: Callable[..., Any] = staticmethod(mixture_crps)
    mixture_sample: Callable[..., Any] = staticmethod(mixture_sample)
    train = staticmethod(Run)
    predict_network = ReferenceEngine.predict_network
    network_log_density = ReferenceEngine.network_log_density
    gaussian_log_density: Callable[..., Any] = staticmethod(gaussian_log_density)
    gaussian_sums: Callable[..., Any] = staticmethod(gaussian_sums)
    gaussian_conditional: Callable[..., Any] = staticmethod(gaussian_conditional)
    kmeans: Callable[..., Any] = staticmethod(kmeans)
