"""Mean test NLL of the default network, alone and ten of them, on the standard UCI splits, beside published methods.

One constructor call for all tables; nothing is chosen on test rows. Needs `../shared/data/uci`; see docs/decisions.md for the
study behind the defaults, which looked only at inner splits of the training parts.

    python benchmarks/real_tables.py [--tables concrete,yacht] [--members 1,10] [--jobs 2]
"""

from pathlib import Path

import numpy as np

from condensity import MDNRegressor
from harness import SHARED_DATA, Benchmark, standard_error, timed

#: Splits that are scored, the goal for ten networks and for one, and the best published method trained from scratch.
TABLES = {
    "concrete": (5, 2.63, 2.75, 2.83),
    "energy": (5, 0.05, 0.15, 0.53),
    "kin8nm": (5, -1.39, -1.33, -1.29),
    "power-plant": (5, 2.50, 2.60, 2.58),
    "yacht": (10, -0.85, -0.5, 0.16),
}


def score_split(table, split, n_members, n_jobs):
    """Mean test NLL, fit seconds, the held-out forecast, and whether inputs were encoded."""
    train, test = (table[f"{part}_idx"][split].astype(int) for part in ("train", "test"))
    model = MDNRegressor(n_members=n_members, n_jobs=n_jobs, random_state=split)
    seconds, _ = timed(lambda: model.fit(table["X"][train], table["y"][train]))
    forecast = -np.nanmean(model.oof_score_samples_)
    encoded = min(model.candidates_, key=lambda each: each["held_out_nll"])["numeric_encoding"]
    return -model.score(table["X"][test], table["y"][test]), seconds, forecast, encoded is not None


def main():
    """Print one line a table and number of members."""
    run = Benchmark(__doc__)
    run.option("--data", type=Path, default=SHARED_DATA / "uci", help="folder of the tables, as .npz files")
    run.option("--tables", default=",".join(TABLES))
    run.option("--members", default="10,1")
    run.option("--jobs", type=int, default=1)
    with run as options:
        run.line("table         nets  test NLL ± se     goal   published  held-out  bins   fit s (median, largest)")
        for name in options.tables.split(","):
            n_splits, goal_ten, goal_one, published = TABLES[name]
            table = np.load(options.data / f"{name}.npz", allow_pickle=False)
            for n_members in map(int, options.members.split(",")):
                rows = [score_split(table, split, n_members, options.jobs) for split in range(n_splits)]
                nll, seconds, forecast, encoded = np.array(rows, dtype=float).T
                run.line(
                    f"{name:12s} {n_members:5d}  {nll.mean():7.3f} ± {standard_error(nll):.3f}"
                    f"  {goal_ten if n_members > 1 else goal_one:6.2f}  {published:8.2f}  {forecast.mean():8.3f}"
                    f"  {int(encoded.sum())}/{n_splits}   {np.median(seconds):.2f}, {seconds.max():.2f}",
                    table=name,
                    n_members=n_members,
                    nll=nll,
                    seconds=seconds,
                    held_out=forecast,
                )


if __name__ == "__main__":
    main()
