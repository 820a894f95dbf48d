"""Two versions of condensity side by side: fits, predictions, import, files. Ratios are above 1 where the second is faster.

    python benchmarks/trunk.py BEFORE/bin/python AFTER/bin/python [--rounds 9] [--scale 1.0]

Each version runs in a process of its own, pinned to the same core with one thread; they take turns task by task, and every second
round goes backwards. Only public names are used, so that versions with other insides can be compared. An import is timed in a
fresh process. Where a version is not installed, PYTHON:FOLDER adds a folder to the path of that Python.
"""

import json
import os
import statistics
import subprocess
from types import TracebackType

from harness import MIN_ROUNDS, Benchmark, Times, timed

WORKER = """
import json, os, sys, tempfile, time, warnings
import numpy as np
from condensity import JointGMMRegressor, MDNRegressor, load
from condensity.datasets.synthetic import make_two_branch
warnings.simplefilter("ignore")
scale = float(sys.argv[1])
size = lambda n: max(60, int(scale * n))
small = make_two_branch(size(1000), random_state=0)
rng = np.random.default_rng(0)
X = rng.normal(size=(size(5000), 8))
y = np.sin(X[:, 0]) + X[:, 1] * X[:, 2] + (0.2 + 0.1 * np.abs(X[:, 3])) * rng.normal(size=len(X))
network = MDNRegressor(max_iter=20, random_state=0).fit(small.X, small.y)
mixture = JointGMMRegressor(8, random_state=0).fit(small.X, small.y)
many = np.random.default_rng(1).normal(size=(size(100_000), 1))
dist = network.predict_dist(many)
path = os.path.join(tempfile.mkdtemp(), "model.condensity")
network.save(path)
levels = [0.05, 0.25, 0.5, 0.75, 0.95]
tasks = {
    "fit, network, 1000 rows": lambda: MDNRegressor(random_state=0).fit(small.X, small.y),
    "fit, network, 5000 x 8": lambda: MDNRegressor(max_iter=20, random_state=0).fit(X, y),
    "fit, joint mixture, 1000 rows": lambda: JointGMMRegressor(random_state=0).fit(small.X, small.y),
    "fit, joint mixture of 20, 5000 x 8": lambda: JointGMMRegressor(20, random_state=0).fit(X, y),
    "predict_dist, network": lambda: network.predict_dist(many),
    "predict_dist, one row": lambda: [network.predict_dist(many[:1]) for _ in range(100)],
    "predict_dist, joint mixture": lambda: mixture.predict_dist(many),
    "logpdf": lambda: dist.logpdf(0.5),
    "ppf": lambda: dist.ppf(levels),
    "sample": lambda: dist.sample(20, random_state=0),
    "save": lambda: network.save(path),
    "load": lambda: load(path),
}
print(json.dumps({"tasks": list(tasks), "score": network.score(small.X, small.y),
                  "file bytes": os.path.getsize(path)}), flush=True)
for line in sys.stdin:
    start = time.perf_counter()
    tasks[line.strip()]()
    print(time.perf_counter() - start, flush=True)
"""


class Version:
    """A process that runs tasks with one installed version."""

    def __init__(self, python: str, scale: float) -> None:
        self.python, _, folder = python.partition(":")
        self.environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        self.environment["PYTHONPATH"] = folder
        self.process = subprocess.Popen(
            [self.python, "-c", WORKER, str(scale)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=self.environment,
        )
        self.facts = json.loads(self._answer())

    def seconds(self, task: str) -> float:
        """Wall seconds of one run of a task."""
        assert self.process.stdin is not None
        self.process.stdin.write(task + "\n")
        self.process.stdin.flush()
        return float(self._answer())

    def import_seconds(self, statement: str) -> float:
        """Wall seconds of a fresh process that runs a statement."""
        return timed(lambda: subprocess.run([self.python, "-c", statement], check=True, env=self.environment))[0]

    def _answer(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.python}: the worker ended; its error is above")
        return line

    def __enter__(self) -> "Version":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.communicate()


IMPORTS = {
    "start of Python": "pass",
    "import condensity": "import condensity",
    "import an estimator": "from condensity import MDNRegressor",
}


def take_turns(versions: list[Version], rounds: int) -> dict[str, list[Times]]:
    """Task → times of each version, after one run of each that is not counted."""
    tasks = {task: [lambda v=v, t=task: v.seconds(t) for v in versions] for task in versions[0].facts["tasks"]}
    tasks |= {name: [lambda v=v, s=code: v.import_seconds(s) for v in versions] for name, code in IMPORTS.items()}
    seconds: dict[str, list[list[float]]] = {task: [[] for _ in versions] for task in tasks}
    for number in range(rounds + 1):
        for task, runs in tasks.items():
            order = range(len(runs)) if number % 2 == 0 else reversed(range(len(runs)))
            for which in order:
                value = runs[which]()
                if number:
                    seconds[task][which].append(value)
    return {task: [Times(tuple(values)) for values in pair] for task, pair in seconds.items()}


def main() -> None:
    """Print one line a task."""
    run = Benchmark(__doc__)
    run.option("before", help="python of an environment with the first version")
    run.option("after", help="python of an environment with the second version")
    run.option("--rounds", type=int, default=MIN_ROUNDS + 2)
    run.option("--scale", type=float, default=1.0, help="factor of the numbers of rows; small to see that it works")
    with (
        run as options,
        Version(options.before, options.scale) as before,
        Version(options.after, options.scale) as after,
    ):
        ratios = []
        for task, (old, new) in take_turns([before, after], options.rounds).items():
            ratios.append(new.speedup(old))
            run.line(
                f"{ratios[-1]:6.2f}×  {task:36s} {old}  →  {new}", task=task, ratio=ratios[-1], before=old, after=new
            )
        run.line(
            f"{statistics.geometric_mean(ratios):6.2f}×  geometric mean",
            geometric_mean=statistics.geometric_mean(ratios),
        )
        for fact in ("file bytes", "score"):
            run.line(
                f"{fact}: {before.facts[fact]} → {after.facts[fact]}",
                fact=fact,
                before=before.facts[fact],
                after=after.facts[fact],
            )


if __name__ == "__main__":
    main()
