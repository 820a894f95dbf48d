"""The compiled kernels, under the names and shapes of `condensity.kernels.reference`.

Importing this module fails with ImportError where the extension was not built. `SOURCE_HASH` identifies the
C++ sources it was built from. The instruction set is the best that the machine has, unless the environment
variable CONDENSITY_ISA (`baseline`, `avx2`, `avx512`, `neon`) or `use_isa` names another.
"""

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

_KERNELS = (mixture_logpdf, mixture_logcdf, mixture_logsf, mixture_quantile, mixture_crps, mixture_sample)

#: What the native engine can do, all with `threads=`; `condensity.kernels.resolve_engine` reads it.
OPERATIONS = {kernel.__name__: kernel for kernel in _KERNELS}

__all__ = ["OPERATIONS", "SOURCE_HASH", "available_isas", "isa", "use_isa", *OPERATIONS]
