"""How categories are best shown to a model: a column a level, ±1 codes, or ranks; behind `table.schema.MOST_ONE_HOT`.

    python benchmarks/categories.py

The target is an effect of the level + sin 2x + noise, levels come unequally often; NLL of fresh rows, mean over seeds.
Ranks follow the order of the effects, or none.
"""

import time
import warnings

import numpy as np
import pandas as pd

from condensity import JointGMMRegressor, MDNRegressor
from condensity.data import schema

NOISE = 0.3


def make_table(n_levels, n_rows, seed, *, monotone, ordered):
    """Frame and targets; levels are in the order of their effects, or in none, and the column says that they have one, or not."""
    rng = np.random.default_rng(seed)
    effects = np.random.default_rng(n_levels).normal(size=n_levels)
    effects = np.sort(effects) if monotone else effects
    shares = np.random.default_rng(n_levels + 1).dirichlet(np.full(n_levels, 2.0))
    level, x = rng.choice(n_levels, n_rows, p=shares), rng.normal(size=n_rows)
    names = [f"level {k:04d}" for k in range(n_levels)]
    frame = pd.DataFrame({"x": x, "level": pd.Categorical.from_codes(level, names, ordered=ordered)})
    return frame, effects[level] + np.sin(2 * x) + NOISE * rng.normal(size=n_rows)


def score(make_model, n_levels, n_rows, how, *, monotone):
    """Mean NLL of fresh rows and seconds a fit, over seeds."""
    schema.MOST_ONE_HOT = 2 if how == "signs" else 10_000
    results, spec = [], {"monotone": monotone, "ordered": how == "ranks"}
    for seed in range(3):
        X, y = make_table(n_levels, n_rows, seed, **spec)
        fresh, fresh_y = make_table(n_levels, 5000, seed + 100, **spec)
        start = time.perf_counter()
        model = make_model(seed).fit(X, y)
        seconds = time.perf_counter() - start
        results.append((-model.score(fresh, fresh_y), seconds))
    nll, seconds = np.mean(results, axis=0)
    return f"{nll:8.3f} ({seconds:4.1f} s)"


def main():
    """Print one line a setting."""
    warnings.simplefilter("ignore")
    truth = 0.5 * np.log(2 * np.pi * np.e * NOISE**2)
    print(
        f"NLL of the truth {truth:.3f}\nmodel  levels   rows  effects     column a level             signs             ranks"
    )
    models = {
        "MDN": lambda s: MDNRegressor(random_state=s, support_model=None),
        "GMM": lambda s: JointGMMRegressor(random_state=s),
    }
    for name, make_model in models.items():
        for n_levels, n_rows in ((8, 1000), (30, 1000), (30, 5000), (100, 5000), (300, 5000)):
            if name == "GMM" and n_levels > 100:
                continue
            for monotone in (False, True):
                cells = [
                    score(make_model, n_levels, n_rows, how, monotone=monotone) for how in ("columns", "signs", "ranks")
                ]
                order = "in order" if monotone else "in none "
                print(f"{name}    {n_levels:6d}  {n_rows:5d}  {order}  {'  '.join(cells)}", flush=True)


if __name__ == "__main__":
    main()
