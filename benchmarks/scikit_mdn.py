"""Fitting by `MDNRegressor` against scikit-mdn 0.0.3 with its defaults: the two-branch problem, one thread.

    python3 -m venv peer && peer/bin/pip install torch==2.13.0 scikit-mdn==0.0.3
    python benchmarks/scikit_mdn.py peer/bin/python [--seeds 20]

The peer runs in a process and an environment of its own; both see the same rows, one seed after the other, and time their
public `fit()` alone. Test sets have 10⁵ rows. The fixed budget, whose NLL must be no worse than the peer's, was chosen on
seeds 100 to 109: batches of 64, rate 0.03, 30 epochs at 1000 rows and 12 at 5000.
"""

import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from condensity import MDNRegressor, Mixture
from condensity.datasets.synthetic import make_two_branch
from harness import Benchmark, Times, standard_error, timed

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


def own_models(n, seed):
    """Name → unfitted model of ours."""
    fixed = {"hidden_layer_sizes": (25, 10), "activation": "tanh", "n_components": 10, "batch_size": 64}
    budget = {"learning_rate_init": 0.03, "early_stopping": False, "max_iter": 30 if n <= 2000 else 12}
    return {
        "MDN, fixed budget": MDNRegressor(**fixed, **budget, random_state=seed),
        "MDN, default": MDNRegressor(random_state=seed),
    }


def ask_peer(peer, path, seed, y):
    """Seconds and NLL of the peer's fit to the rows in a file."""
    peer.stdin.write(json.dumps([path, seed]) + "\n")
    peer.stdin.flush()
    return json.loads(peer.stdout.readline()), -log_density(path + ".out.npz", y)


def main():
    """Run the comparison."""
    run = Benchmark(__doc__)
    run.option("python", help="interpreter of the peer's environment")
    run.option("--seeds", type=int, default=20)
    run.option("--rows", type=int, nargs="+", default=[1000, 5000])
    with run as options, tempfile.TemporaryDirectory() as folder:
        command = [options.python, "-c", PEER]
        path = str(Path(folder) / "rows.npz")
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as peer:
            for n in options.rows:
                compare(run, peer, path, n, options.seeds)
            peer.stdin.close()


def compare(run, peer, path, n, seeds):
    """All models on n rows, one seed after the other."""
    pairs: dict = {}
    for seed in range(seeds):
        train, test = make_two_branch(n, random_state=seed), make_two_branch(N_TEST, random_state=10_000 + seed)
        np.savez(path, X=train.X, y=train.y, X_test=test.X)
        pairs.setdefault("scikit-mdn", []).append(ask_peer(peer, path, seed, test.y))
        for name, model in own_models(n, seed).items():
            seconds, _ = timed(lambda m=model, t=train: m.fit(t.X, t.y))
            pairs.setdefault(name, []).append((seconds, -model.score(test.X, test.y)))
    times = {name: Times(tuple(seconds for seconds, _ in rows)) for name, rows in pairs.items()}
    for name, each in times.items():
        losses = [loss for _, loss in pairs[name]]
        speedup, nll, error = times["scikit-mdn"].median / each.median, np.mean(losses), standard_error(losses)
        run.line(
            f"n = {n:5d}  {name:18s} {speedup:7.1f}×  {each}   NLL {nll:.4f} ± {error:.4f}",
            rows=n,
            model=name,
            speedup=speedup,
            times=each,
            nll=nll,
            error=error,
        )


if __name__ == "__main__":
    main()
