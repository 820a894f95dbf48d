"""Peak memory and time of one epoch of `MDNRegressor` on a large table, Linux only.

    python benchmarks/memory.py [--rows 2000000] [--columns 16]

The peak is that of the process during `fit()`, above what it was when the data lay ready and a small fit had been done.
The goal: the peak is at most one float32 copy of the data and 64 MiB.
"""

import numpy as np

from condensity import MDNRegressor
from harness import Benchmark, forget_peak, resident_bytes, timed

MIB = 2**20


def main():
    """Print the figures."""
    run = Benchmark(__doc__)
    run.option("--rows", type=int, default=2_000_000)
    run.option("--columns", type=int, default=16)
    with run as options:
        rng = np.random.default_rng(0)
        X = rng.standard_normal((options.rows, options.columns))
        y = np.sin(X[:, 0]) + 0.3 * rng.standard_normal(options.rows)
        model = MDNRegressor(
            max_iter=1, refit=False, numeric_encoding=None, hidden_layer_sizes=(64, 64), random_state=0
        )
        model.fit(X[:2000], y[:2000])
        before = resident_bytes()
        forget_peak()
        seconds, _ = timed(lambda: model.fit(X, y))
        peak, copy = (resident_bytes("VmHWM") - before) / MIB, 4 * (X.size + y.size) / MIB
        run.line(f"data {(X.nbytes + y.nbytes) / MIB:.0f} MiB, one float32 copy {copy:.0f} MiB")
        run.line(
            f"one epoch: {seconds:.1f} s; peak above the data {peak:.0f} MiB, {peak - copy:.0f} beyond the copy",
            seconds=seconds,
            peak_mib=peak,
            copy_mib=copy,
        )


if __name__ == "__main__":
    main()
