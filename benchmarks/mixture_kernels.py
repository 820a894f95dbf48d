"""Native kernels against the NumPy reference: K = 10, float64, one thread, interleaved in one run. Prints ratios first.

    OMP_NUM_THREADS=1 python benchmarks/mixture_kernels.py [--rows 2000] [--million]

Each line is the median of seven rounds; in every round both engines run once on the same rows. So few that what is timed is
the kernel, not the system's handing out of fresh memory for the result. `--million` adds the wall time of nine quantiles of 10⁶
rows and the peak memory of each call.
"""

import argparse
import os
import platform
import statistics
import sys
import time
from pathlib import Path

import numpy as np

from condensity import engines
from condensity.compute import Compute
from condensity.engines import native

K, LEVELS, SAMPLES, ROUNDS = 10, np.array([0.05, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 0.95]), 100, 7


def mixtures(n, *, hard):
    """Weights from a flat Dirichlet; σ from e^-2 to 1, or from e^-5 to e with means three times as far apart."""
    rng = np.random.default_rng(0)
    low, high, spread = (-5, 1, 3.0) if hard else (-2, 0, 1.0)
    log_weights = np.log(rng.dirichlet(np.ones(K), n))
    return log_weights, rng.normal(0, spread, (n, K)), np.exp(rng.uniform(low, high, (n, K))), rng.normal(size=(n, 1))


def questions(n, *, hard):
    """Operation → arguments on n rows."""
    *parameters, y = mixtures(n, hard=hard)
    tails = (np.broadcast_to(tail, (n, len(LEVELS))) for tail in (np.log(LEVELS), np.log1p(-LEVELS)))
    return {
        "mixture_logpdf": (*parameters, y),
        "mixture_logcdf": (*parameters, y),
        "mixture_quantile": (*parameters, *tails),
        "mixture_crps": (*parameters, y),
        "mixture_sample": (*parameters, SAMPLES, 7),
    }


def numpy_sample(log_weights, means, scales, n_samples, key):
    """What one writes with NumPy's own generator: the fair rival of sampling, whose reference computes its words itself."""
    rng = np.random.default_rng(key)
    uniform, normal = rng.random((len(means), n_samples)), rng.standard_normal((len(means), n_samples))
    cumulative = np.cumsum(np.exp(log_weights), axis=1)
    chosen = np.zeros(uniform.shape, dtype=np.intp)
    for k in range(means.shape[1] - 1):
        chosen += uniform >= cumulative[:, [k]]
    return np.take_along_axis(means, chosen, 1) + np.take_along_axis(scales, chosen, 1) * normal


def seconds(function, arguments):
    """Wall time of one call."""
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def compare(name, operation, rows, reference, *, hard):
    """Print the ratio of medians of one operation, both sides interleaved."""
    arguments = questions(rows, hard=hard)[operation]
    fast, slow = [], []
    for _ in range(ROUNDS):
        fast.append(seconds(getattr(native, operation), arguments) / rows)
        slow.append(seconds(reference, arguments) / rows)
    ratio = statistics.median(slow) / statistics.median(fast)
    spread = (max(fast) - min(fast)) / statistics.median(fast)
    sys.stdout.write(
        f"{name:34s} {ratio:7.1f}×   native {statistics.median(fast) * 1e6:8.3f} µs/row (spread {spread:4.0%})"
        f"   reference {statistics.median(slow) * 1e6:9.2f} µs/row\n"
    )


def memory_mib(field):
    """VmRSS, resident now, or VmHWM, its peak since `forget_peak`; Linux only."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))


def forget_peak():
    """Let VmHWM start anew."""
    Path("/proc/self/clear_refs").write_text("5")


def million():
    """Wall time and peak memory on 10⁶ rows."""
    n = 10**6
    all_questions = questions(n, hard=False)
    for operation, arguments in all_questions.items():
        if operation == "mixture_sample":
            arguments = (*arguments[:3], 1, 7)
        forget_peak()
        before = memory_mib("VmRSS")
        start = time.perf_counter()
        result = getattr(native, operation)(*arguments)
        sys.stdout.write(
            f"{operation:20s} 10⁶ rows: {time.perf_counter() - start:6.2f} s, peak {memory_mib('VmHWM') - before:6.1f} MiB above "
            f"the inputs, of which the result is {result.nbytes / 2**20:.1f} MiB\n"
        )


def main():
    """Run all comparisons."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--million", action="store_true")
    options = parser.parse_args()
    sys.stdout.write(
        f"Python {platform.python_version()}, NumPy {np.__version__}, {platform.machine()}, instruction set {native.isa()}, "
        f"K = {K}, OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS', 'unset')}\n"
    )
    for hard in (False, True):
        kind = "hard" if hard else "mild"
        for operation in questions(1, hard=hard):
            compare(
                f"{operation} ({kind})",
                operation,
                options.rows,
                engines.operation(operation, Compute("reference")),
                hard=hard,
            )
        compare(f"sampling, NumPy's generator ({kind})", "mixture_sample", options.rows, numpy_sample, hard=hard)
    if options.million:
        million()


if __name__ == "__main__":
    main()
