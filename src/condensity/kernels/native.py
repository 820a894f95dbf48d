"""The compiled kernels, under the names and shapes of `condensity.kernels.reference`.

Importing this module fails with ImportError where the extension was not built. `SOURCE_HASH` identifies the
C++ sources it was built from. The instruction set is the best that the machine has, unless the environment
variable CONDENSITY_ISA (`baseline`, `avx2`, `avx512`, `neon`) or `use_isa` names another.
"""

import numpy as np

from condensity.kernels import _native
from condensity.kernels._native import (
    SOURCE_HASH,
    available_isas,
    isa,
    mixture_crps,
    mixture_logcdf,
    mixture_logpdf,
    mixture_logsf,
    mixture_quantile,
    mixture_sample,
    use_isa,
)
from condensity.kernels.reference.trainer import Training

_KERNELS = (mixture_logpdf, mixture_logcdf, mixture_logsf, mixture_quantile, mixture_crps, mixture_sample)


# -------------------------------------------------------------------------------------------------------- training
def train(theta, network, plan, rng, rows, validation=None) -> Training:
    """The native twin of `reference.trainer.train`, in float32 but for sums over rows; shuffles with numbers of its own."""
    held_out = rows.take(slice(0, 0)) if validation is None else validation
    arrays = [_float32(part) for part in (*rows, *held_out)]
    seed = int(rng.integers(2**64, dtype=np.uint64))
    with np.errstate(over="ignore"):
        best, status, n_steps, best_step, n_clipped, *curves = _native.train(
            *_describe(network), _float32(theta), *arrays, *plan._replace(penalty=None)[:5], int(plan.check_every),
            plan.patience, plan.tolerance, plan.weight_decay, *plan.penalty, plan.max_gradient_norm, seed
        )  # fmt: skip
    names = ("step", "train_loss", "validation_nll")
    history = {name: curve.tolist() for name, curve in zip(names, curves, strict=True)}
    history["step"] = [int(step) for step in history["step"]]
    return Training(best, status, n_steps, best_step, n_clipped, history)


def loss_and_gradient(theta, network, x, y, row_weight, penalty):
    """The native twin of `reference.network.loss_and_gradient`, in float32."""
    arrays = (_float32(part) for part in (theta, x, y, row_weight))
    return _native.loss_and_gradient(*_describe(network), *arrays, *penalty)


def log_density(theta, network, x, y):
    """The native twin of `reference.network.log_density`, in float32."""
    return -_native.negative_log_density(*_describe(network), _float32(theta), _float32(x), _float32(y))


def _describe(network):
    widths = [network.n_inputs, *network.hidden, 3 * network.n_components]
    return widths, network.n_components, network.activation, network.log_scale_bounds


def _float32(array):
    return np.ascontiguousarray(array, dtype=np.float32)


#: What the native engine can do, the mixture kernels with `threads=`; `condensity.kernels.resolve_engine` reads it.
OPERATIONS = {kernel.__name__: kernel for kernel in (*_KERNELS, train)}

__all__ = [
    "OPERATIONS", "SOURCE_HASH", "available_isas", "isa", "log_density", "loss_and_gradient", "use_isa", *OPERATIONS,
]  # fmt: skip
