"""The compiled kernels, under the names and shapes of `condensity.kernels.reference`.

Importing this module fails with ImportError where the extension was not built. `SOURCE_HASH` identifies the
C++ sources it was built from. The instruction set is the best that the machine has, unless the environment
variable CONDENSITY_ISA (`baseline`, `avx2`, `avx512`, `neon`) or `use_isa` names another.
"""

from condensity.kernels._native import SOURCE_HASH, available_isas, isa, mixture_logpdf, use_isa

__all__ = ["OPERATIONS", "SOURCE_HASH", "available_isas", "isa", "mixture_logpdf", "use_isa"]

#: What the native engine can do; `condensity.kernels.resolve_engine` reads it.
OPERATIONS = {"mixture_logpdf": mixture_logpdf}
