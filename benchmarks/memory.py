"""Peak memory and time of one epoch of `MDNRegressor` on a large table, Linux only.

    OMP_NUM_THREADS=1 python benchmarks/memory.py [--rows 2000000] [--columns 16]

The peak is that of the process during `fit()`, above what it was when the data lay ready and a small fit had been done.
The goal: the peak is at most one float32 copy of the data and 64 MiB.
"""

import argparse
import time
import warnings

import numpy as np

from condensity import MDNRegressor

MIB = 2**20


def resident(field):
    """VmRSS, or VmHWM since the last reset, in bytes."""
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith(field))
    return int(line.split()[1]) * 1024


def reset_peak():
    """Let VmHWM begin anew."""
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def main():
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--columns", type=int, default=16)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rng = np.random.default_rng(0)
    X = rng.standard_normal((options.rows, options.columns))
    y = np.sin(X[:, 0]) + 0.3 * rng.standard_normal(options.rows)
    model = MDNRegressor(max_iter=1, refit=False, numeric_encoding=None, hidden_layer_sizes=(64, 64), random_state=0)
    model.fit(X[:2000], y[:2000])
    before = resident("VmRSS")
    reset_peak()
    start = time.perf_counter()
    model.fit(X, y)
    seconds = time.perf_counter() - start
    peak = resident("VmHWM") - before
    copy = 4 * (X.size + y.size)
    print(f"data {(X.nbytes + y.nbytes) / MIB:.0f} MiB, one float32 copy {copy / MIB:.0f} MiB")
    print(
        f"one epoch: {seconds:.1f} s; peak above the data {peak / MIB:.0f} MiB, {(peak - copy) / MIB:.0f} beyond the copy"
    )


if __name__ == "__main__":
    main()
