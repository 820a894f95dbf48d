"""Native kernels against the NumPy reference: K = 10, float64, one thread, interleaved in one run. Prints ratios first.

    python benchmarks/mixture_kernels.py [--rows 2000] [--million]

Each line is the median of seven rounds; in every round both engines run once on the same rows. So few that what is timed is
the kernel, not the system's handing out of fresh memory for the result. `--million` adds the wall time of nine quantiles of 10⁶
rows and the peak memory of each call.
"""

import numpy as np

from condensity.compute import Compute
from condensity.engines import operation
from harness import MIN_ROUNDS, Benchmark, forget_peak, interleaved, resident_bytes, timed

NATIVE, REFERENCE = Compute("native"), Compute("reference")
K, LEVELS, SAMPLES = 10, np.array([0.05, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 0.95]), 100


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


def compare(run, name, kernel, rows, rival, *, rounds, hard):
    """Print the ratio of one operation and its rival, interleaved."""
    arguments, native = questions(rows, hard=hard)[kernel], operation(kernel, NATIVE)
    times = interleaved({"native": lambda: native(*arguments), "rival": lambda: rival(*arguments)}, rounds)
    fast, slow = times["native"], times["rival"]
    spread = (max(fast.seconds) - min(fast.seconds)) / fast.median
    run.line(
        f"{name:34s} {fast.speedup(slow):7.1f}×   native {fast.median / rows * 1e6:8.3f} µs/row (spread {spread:4.0%})"
        f"   reference {slow.median / rows * 1e6:9.2f} µs/row",
        operation=name,
        hard=hard,
        rows=rows,
        speedup=fast.speedup(slow),
        **times,
    )


def million(run):
    """Wall time and peak memory on 10⁶ rows."""
    for kernel, arguments in questions(10**6, hard=False).items():
        if kernel == "mixture_sample":
            arguments = (*arguments[:3], 1, 7)
        native = operation(kernel, NATIVE)
        forget_peak()
        before = resident_bytes()
        seconds, result = timed(lambda native=native, arguments=arguments: native(*arguments))
        peak, size = (resident_bytes("VmHWM") - before) / 2**20, result.nbytes / 2**20
        run.line(
            f"{kernel:20s} 10⁶ rows: {seconds:6.2f} s, peak {peak:6.1f} MiB above the inputs, "
            f"of which the result is {size:.1f} MiB",
            operation=kernel,
            rows=10**6,
            seconds=seconds,
            peak_mib=peak,
            result_mib=size,
        )


def main():
    """Run all comparisons."""
    run = Benchmark(__doc__)
    run.option("--rows", type=int, default=2000)
    run.option("--rounds", type=int, default=MIN_ROUNDS)
    run.option("--million", action="store_true")
    with run as options:
        for hard in (False, True):
            kind, spec = "hard" if hard else "mild", {"rounds": options.rounds, "hard": hard}
            for kernel in questions(1, hard=hard):
                compare(run, f"{kernel} ({kind})", kernel, options.rows, operation(kernel, REFERENCE), **spec)
            compare(run, f"sampling, NumPy's generator ({kind})", "mixture_sample", options.rows, numpy_sample, **spec)
        if options.million:
            million(run)


if __name__ == "__main__":
    main()
