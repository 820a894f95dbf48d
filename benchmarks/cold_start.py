"""CPU seconds of a process that imports condensity and fits 1000 rows, above one that imports numpy and sklearn.base.

    OMP_NUM_THREADS=1 python benchmarks/cold_start.py [--repeats 9]

Processes take turns; bytecode is cached (PYTHONDONTWRITEBYTECODE is removed). The goal: 0.2 CPU-s above the base.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys

DATA = "import numpy, sklearn.base\nX = numpy.random.default_rng(0).normal(size=(1000, 1)); y = numpy.sin(X[:, 0])"
SCRIPTS = {
    "import numpy, sklearn.base": DATA,
    "and import condensity, MDNRegressor": f"{DATA}\nfrom condensity import MDNRegressor",
    "and fit": f"{DATA}\nfrom condensity import MDNRegressor\n"
    "y = y + 0.1 * numpy.random.default_rng(1).normal(size=1000)\nMDNRegressor(random_state=0).fit(X, y)",
}


def cpu_seconds(script):
    """User and system time of a fresh process."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", script], check=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    """Print medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args()
    for script in SCRIPTS.values():
        cpu_seconds(script)
    times: dict = {name: [] for name in SCRIPTS}
    for _ in range(options.repeats):
        for name, script in SCRIPTS.items():
            times[name].append(cpu_seconds(script))
    base = statistics.median(times["import numpy, sklearn.base"])
    for name, values in times.items():
        median = statistics.median(values)
        sys.stdout.write(
            f"{name:38s} {median:.3f} CPU-s ({min(values):.3f} to {max(values):.3f}), above the base {median - base:.3f}\n"
        )


if __name__ == "__main__":
    main()
