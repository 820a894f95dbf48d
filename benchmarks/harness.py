"""What all benchmarks share: options, one pinned thread, interleaved timing, lines on the terminal, results as JSON.

    run = Benchmark(__doc__)
    run.option("--rows", type=int, default=1000)
    with run as options:
        times = interleaved({"new": new, "old": old})
        run.line(f"new {times['new']}, {times['new'].speedup(times['old']):.2f} times as fast", rows=options.rows, times=times)

Lines are printed as they come; their figures are written to benchmarks/results/NAME.json, or where --json says, with the machine,
the versions and the commit. Files of results are not in git: what they show goes into docs/decisions.md.
"""

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"

#: Data that are not in the repository: a folder beside the checkout.
SHARED_DATA = ROOT.parent / "shared" / "data"

#: Fewer rounds than this give no median to rely on.
MIN_ROUNDS = 7

PACKAGES = ("condensity", "numpy", "scipy", "scikit-learn")
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

Result = TypeVar("Result")


# ------------------------------------------------------------------------------------------------------------- timing
@dataclass(frozen=True)
class Times:
    """Wall seconds of the rounds of one task."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """Median in seconds."""
        return statistics.median(self.seconds)

    def speedup(self, other: "Times") -> float:
        """How many times as fast as another task of the same rounds: the median of the ratios of each round."""
        return statistics.median(theirs / ours for ours, theirs in zip(self.seconds, other.seconds, strict=True))

    def __str__(self) -> str:
        low, high = min(self.seconds) * 1e3, max(self.seconds) * 1e3
        return f"{self.median * 1e3:.4g} ms ({low:.4g} to {high:.4g})"


def timed(function: Callable[[], Result]) -> tuple[float, Result]:
    """Wall seconds of one call, and what it returned."""
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def interleaved(tasks: Mapping[str, Callable[[], object]], rounds: int = MIN_ROUNDS) -> dict[str, Times]:
    """Times of tasks that take turns, after one call of each that is not counted; every second round goes backwards."""
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for task in tasks.values():
        task()
    for number in range(rounds):
        for name in list(tasks) if number % 2 == 0 else reversed(tasks):
            seconds[name].append(timed(tasks[name])[0])
    return {name: Times(tuple(values)) for name, values in seconds.items()}


# ------------------------------------------------------------------------------------------------------------- memory
def resident_bytes(field: str = "VmRSS") -> int:
    """Resident memory now (VmRSS), or its peak since `forget_peak` (VmHWM); Linux only."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def forget_peak() -> None:
    """Restart VmHWM from the present memory."""
    Path("/proc/self/clear_refs").write_text("5")


# -------------------------------------------------------------------------------------------------------- environment
def environment() -> dict[str, Any]:
    """Machine, versions, commit and date."""
    return {
        "machine": platform.machine(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "instruction set": instruction_set(),
        "python": platform.python_version(),
        "versions": {name: metadata.version(name) for name in PACKAGES},
        "commit": commit(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def processor() -> str:
    """Name of the processor's model, where Linux tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor()
    )


def instruction_set() -> str:
    """Instruction set that the native engine chose, or 'none' in a checkout that was never built."""
    try:
        from condensity.engines import native
    except ImportError:
        return "none"
    return native.isa()


def commit() -> str | None:
    """Commit of the checkout, with '+' if files differ from it; None where there is no git."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", ROOT, *arguments], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        return git("rev-parse", "--short=12", "HEAD") + ("+" if git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def pin(threads: int) -> None:
    """Hold this process and its children to so many threads and, for one thread, to one core, where the system can."""
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
    threadpool_limits(threads)
    if threads == 1 and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


# ---------------------------------------------------------------------------------------------------------------- run
class Benchmark:
    """Options, output and results of one script.

    Parameters
    ----------
    doc : str
        The script's docstring; its first line is the description.
    threads : int
        Threads of linear algebra; with 1, the process is pinned to one core.
    """

    def __init__(self, doc: str, *, threads: int = 1) -> None:
        self.threads, self.name = threads, Path(sys.argv[0]).stem
        self.parser = argparse.ArgumentParser(description=doc.splitlines()[0])
        self.option = self.parser.add_argument
        self.option("--json", type=Path, default=RESULTS / f"{self.name}.json", help="file of the results")
        self.results: list[dict[str, Any]] = []

    def __enter__(self) -> argparse.Namespace:
        self.options = self.parser.parse_args()
        pin(self.threads)
        warnings.simplefilter("ignore")  # fits of fixed budgets do not converge, and tables have repeated rows
        self.environment = environment()
        shown = {**self.environment, **self.environment["versions"]}
        self.line(
            ", ".join(f"{key} {shown[key]}" for key in ("processor", "instruction set", "python", *PACKAGES, "commit"))
        )
        return self.options

    def line(self, text: str, **figures: object) -> None:
        """Print a line at once, and keep its figures for the file."""
        print(text, flush=True)
        if figures:
            self.results.append(figures)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        content = {
            "benchmark": self.name,
            "complete": kind is None,
            "options": {name: value for name, value in vars(self.options).items() if name != "json"},
            "environment": self.environment,
            "results": self.results,
        }
        self.options.json.parent.mkdir(parents=True, exist_ok=True)
        self.options.json.write_text(
            json.dumps(content, indent=1, default=as_json, ensure_ascii=False) + "\n", encoding="utf-8"
        )


def as_json(value: object) -> object:
    """Times as seconds, NumPy's numbers and arrays as Python's, paths as text."""
    if isinstance(value, Times):
        return {"median": value.median, "seconds": value.seconds}
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return str(value)


def standard_error(values: object) -> float:
    """Standard error of a mean; nan of a single value."""
    array = np.asarray(values, dtype=float)
    return float(array.std(ddof=1) / np.sqrt(array.size)) if array.size > 1 else float("nan")
