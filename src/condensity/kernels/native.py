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


#: How long the training loop works before Python has a look: Ctrl-C is obeyed as soon.
SLICE_SECONDS = 0.1


# -------------------------------------------------------------------------------------------------------- training
def train(theta, network, plan, rng, rows, validation=None) -> Training:
    """The native twin of `reference.trainer.train`, in float32 but for sums over rows; shuffles with numbers of its own."""
    held_out = rows.take(slice(0, 0)) if validation is None else validation
    arrays = [_float32(part) for part in (theta, *rows, *held_out)]
    with np.errstate(over="ignore"):
        seed = int(rng.integers(2**64, dtype=np.uint64))
    run = _native.TrainingRun(
        *_describe(network), *arrays, plan.solver, plan.learning_rate, plan.warm_up, plan.batch_size, plan.max_steps,
        plan.check_every, plan.patience, plan.tolerance, plan.weight_decay, *plan.penalty, plan.max_gradient_norm, seed,
    )  # fmt: skip
    status = None
    try:
        while not run.advance(SLICE_SECONDS):
            pass  # between slices Python looks for signals
    except KeyboardInterrupt:
        if run.best_step == 0:
            raise
        status = "interrupted"
    history = {
        "step": run.step.astype(int).tolist(),
        "train_loss": run.train_loss.tolist(),
        "validation_nll": run.validation_nll.tolist(),
    }
    return Training(run.theta, status or run.status, run.n_steps, run.best_step, run.n_clipped, history)


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
