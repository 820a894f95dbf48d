"""CPU seconds of a process that imports condensity and fits 1000 rows, above one that imports numpy and sklearn.base.

    python benchmarks/cold_start.py [--repeats 9]

Processes take turns; bytecode is cached (PYTHONDONTWRITEBYTECODE is removed). The goal: 0.2 CPU-s above the base.
"""

import os
import resource
import statistics
import subprocess
import sys

from harness import MIN_ROUNDS, Benchmark

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
    run = Benchmark(__doc__)
    run.option("--repeats", type=int, default=MIN_ROUNDS + 2)
    with run as options:
        times: dict = {name: [] for name in SCRIPTS}
        for number in range(options.repeats + 1):
            for name, script in SCRIPTS.items():
                seconds = cpu_seconds(script)
                if number:  # the first process of each writes the bytecode
                    times[name].append(seconds)
        base = statistics.median(times["import numpy, sklearn.base"])
        for name, values in times.items():
            median = statistics.median(values)
            run.line(
                f"{name:38s} {median:.3f} CPU-s ({min(values):.3f} to {max(values):.3f}), "
                f"above the base {median - base:.3f}",
                script=name,
                cpu_seconds=values,
                above_base=median - base,
            )


if __name__ == "__main__":
    main()
