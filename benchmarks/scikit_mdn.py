"""Fitting by `MDNRegressor` against scikit-mdn 0.0.3 with its defaults: the two-branch problem, one thread.

    python3 -m venv peer && peer/bin/pip install torch==2.13.0 scikit-mdn==0.0.3
    OMP_NUM_THREADS=1 python benchmarks/scikit_mdn.py peer/bin/python [--seeds 20]

The peer runs in a process and an environment of its own; both see the same rows, one seed after the other, and time their
public `fit()` alone. Test sets have 10⁵ rows. The fixed budget, whose NLL must be no worse than the peer's, was chosen on
seeds 100 to 109: batches of 64, rate 0.03, 30 epochs at 1000 rows and 12 at 5000.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

from condensity import MDNRegressor, Mixture
from condensity.datasets.synthetic import make_two_branch

N_TEST = 100_000

PEER = """
import json, sys, time
import numpy as np
import torch
from skmdn import MixtureDensityEstimator
torch.set_num_threads(1)
while True:
    line = sys.stdin.readline()
    if not line:
        break
    path, seed = json.loads(line)
    data = np.load(path)
    torch.manual_seed(seed)
    model = MixtureDensityEstimator()
    start = time.perf_counter()
    model.fit(data["X"], data["y"][:, None])
    seconds = time.perf_counter() - start
    with torch.no_grad():
        pi, mu, sigma = model.forward(torch.tensor(data["X_test"], dtype=torch.float32))
    parts = {name: np.asarray(part).reshape(len(pi), -1) for name, part in (('pi', pi), ('mu', mu), ('sigma', sigma))}
    np.savez(path + ".out.npz", **parts)
    print(json.dumps(seconds), flush=True)
"""


def log_density(path, y):
    """Mean log p(y | x) of the mixtures that the peer wrote, in float64."""
    out = np.load(path)
    pi = out["pi"].astype(float)
    dist = Mixture(weights=pi / pi.sum(axis=1, keepdims=True), means=out["mu"], scales=out["sigma"])
    return float(np.mean(dist.logpdf(y)))


def main():
    """Run the comparison."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("python", help="interpreter of the peer's environment")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--rows", type=int, nargs="+", default=[1000, 5000])
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # an unsettled run of a fixed budget is what was asked for
    peer = subprocess.Popen([options.python, "-c", PEER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert peer.stdin is not None
    assert peer.stdout is not None
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "rows.npz")
        for n in options.rows:
            rows: dict = {"scikit-mdn": [], "MDN, fixed budget": [], "MDN, default": []}
            for seed in range(options.seeds):
                train, test = make_two_branch(n, random_state=seed), make_two_branch(N_TEST, random_state=10_000 + seed)
                np.savez(path, X=train.X, y=train.y, X_test=test.X)
                peer.stdin.write(json.dumps([path, seed]) + "\n")
                peer.stdin.flush()
                seconds = json.loads(peer.stdout.readline())
                rows["scikit-mdn"].append((seconds, -log_density(path + ".out.npz", test.y)))
                budget = MDNRegressor(
                    hidden_layer_sizes=(25, 10), activation="tanh", n_components=10, batch_size=64,
                    learning_rate_init=0.03, early_stopping=False, max_iter=30 if n <= 2000 else 12, random_state=seed,
                )  # fmt: skip
                for name, model in (("MDN, fixed budget", budget), ("MDN, default", MDNRegressor(random_state=seed))):
                    start = time.perf_counter()
                    model.fit(train.X, train.y)
                    rows[name].append((time.perf_counter() - start, -model.score(test.X, test.y)))
            base = statistics.median(row[0] for row in rows["scikit-mdn"])
            for name, pairs in rows.items():
                times, losses = zip(*pairs, strict=True)
                median = statistics.median(times)
                error = statistics.stdev(losses) / len(losses) ** 0.5
                sys.stdout.write(
                    f"n = {n:5d}  {name:18s} {base / median:7.1f}×  {median * 1e3:8.2f} ms ({min(times) * 1e3:.1f} to "
                    f"{max(times) * 1e3:.1f})   NLL {statistics.mean(losses):.4f} ± {error:.4f}\n"
                )
                sys.stdout.flush()
    peer.stdin.close()
    peer.wait()


if __name__ == "__main__":
    main()
