"""Fitting by `MDNRegressor` against scikit-learn's `GaussianMixture(full)`, conditioned: the two-branch problem, one thread.

    python benchmarks/training.py [--seeds 7] [--rows 1000 5000]

For every seed all models are fitted once, one after the other, on the same data; times are those of the public `fit()`, the
medians over seeds, ratios to GMM(40) first. Test sets have 10⁵ rows; NLL in nats, mean over seeds and its standard error.
The fixed budget was chosen beforehand, on seeds 100 to 109: batches of 64, rate 0.03, 12 epochs at 1000 rows and 8 at 5000.
"""

import numpy as np

from condensity import MDNRegressor
from condensity.datasets.synthetic import make_two_branch
from harness import Benchmark, Times, standard_error, timed
from peers import ConditionedGMM

N_TEST = 100_000


def models(n, seed):
    """Name → unfitted model."""
    post = {"hidden_layer_sizes": (25, 10), "activation": "tanh", "n_components": 10, "random_state": seed}
    epochs = 12 if n <= 2000 else 8
    return {
        "GMM(40)": ConditionedGMM(40, seed),
        "GMM(20)": ConditionedGMM(20, seed),
        "GMM(10)": ConditionedGMM(10, seed),
        "MDN, fixed budget": MDNRegressor(
            max_iter=epochs, batch_size=64, learning_rate_init=0.03, early_stopping=False, **post
        ),
        "MDN, default": MDNRegressor(random_state=seed),
    }


def main():
    """Run all comparisons."""
    run = Benchmark(__doc__)
    run.option("--seeds", type=int, default=7)
    run.option("--rows", type=int, nargs="+", default=[1000, 5000])
    with run as options:
        for n in options.rows:
            seconds, losses = {}, {}
            for seed in range(options.seeds):
                train, test = make_two_branch(n, random_state=seed), make_two_branch(N_TEST, random_state=10_000 + seed)
                for name, model in models(n, seed).items():
                    seconds.setdefault(name, []).append(timed(lambda m=model, t=train: m.fit(t.X, t.y))[0])
                    losses.setdefault(name, []).append(-model.score(test.X, test.y))
            times = {name: Times(tuple(values)) for name, values in seconds.items()}
            for name, each in times.items():
                speedup = times["GMM(40)"].median / each.median
                nll, error = np.mean(losses[name]), standard_error(losses[name])
                run.line(
                    f"n = {n:5d}  {name:18s} {speedup:6.1f}×  {each}   NLL {nll:.4f} ± {error:.4f}",
                    rows=n,
                    model=name,
                    speedup=speedup,
                    times=each,
                    nll=nll,
                    error=error,
                )


if __name__ == "__main__":
    main()
