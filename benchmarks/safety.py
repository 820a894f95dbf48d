"""The torture table: are the defaults ever far worse than models that do no harm, or their intervals far from their level?

    python benchmarks/safety.py [--cells 60 | all] [--where n=10,20 noise=normal] [--seeds 1] [--models MDN,joint]
                                [--max-seconds 600] [--skip-slow] [--out FILE]
    python benchmarks/safety.py --show FILE
    python benchmarks/safety.py --compare BEFORE AFTER

A cell is a combination of rows, inputs, outputs, noise, signal, kinds of inputs and groups (`torture.py`). `--cells` takes a
pairwise covering design of the levels that `--where` leaves and fills it up with random cells to the number given; they are
fitted cheapest first. Every fit is one line of --out, and a cell that is there is not fitted again: a run may be stopped and
continued.

On TEST_ROWS fresh rows, of new groups where rows are grouped (`groups=` goes to `fit` where it takes it), the rule is

    NLL ≤ min(marginal, linear normal) + .05 + 2/√n                       in every cell
    mean coverage of the outputs' 90 % intervals within .90 ± (.03 + 1/√n)  in 95 % of cells, and never below .75

of means over seeds. Without noise too much coverage is no fault. The marginal is a mixture of normals that ignores X, the linear
normal a ridge regression (`trivial.py`). `--models trivial` mixes the two by held-out rows: what can be had without a model. A
fit that raises breaks every rule. Another version of condensity is tested by PYTHONPATH=OTHER/src; each line names the commit
of the package, and a file holds one commit.
"""

import inspect
import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

import numpy as np

import condensity
from condensity import JointGMMRegressor, MDNRegressor
from harness import Benchmark, timed
from torture import LEVELS, Cell, Rows, choose_cells, draw_test_rows, draw_training_rows
from trivial import LinearNormal, Marginal, StackedTrivial

MODELS = {"MDN": MDNRegressor, "joint": JointGMMRegressor, "trivial": StackedTrivial}
TRIVIAL = {"marginal": Marginal, "linear": LinearNormal}
TEST_ROWS = 2000

#: Cells of a larger cost are slow: a network takes half a minute or more.
SLOW = 2_000_000

LEVEL = 0.9
MIN_COVERAGE = 0.75
WORST_SHOWN = 12

Record = dict[str, object]


# ---------------------------------------------------------------------------------------------------------------- fits
def reference_figures(train: Rows, test: Rows) -> Record:
    """NLL of the truth, where it has a density, and of the trivial models on test rows."""
    truth = -float(test.log_density().mean()) if train.cell.has_density else None
    trivial = {name: make().fit(train.X, train.y, train.groups) for name, make in TRIVIAL.items()}
    return {"truth": truth, **{name: -float(model.logpdf(test.X, test.y).mean()) for name, model in trivial.items()}}


def model_figures(make_model: type, train: Rows, test: Rows, seed: int) -> Record:
    """NLL, coverage and seconds of one fit of the default, or the error that it raised."""
    y, groups = (train.y[:, 0] if train.cell.q == 1 else train.y), {}
    if train.cell.grouped and "groups" in inspect.signature(make_model.fit).parameters:
        groups = {"groups": train.groups}
    try:
        seconds, model = timed(lambda: make_model(random_state=seed).fit(train.X, y, **groups))
        nll = -float(model.score(test.X, test.y[:, 0] if train.cell.q == 1 else test.y))
        return {"nll": nll, "coverage": coverage_of(model.predict_dist(test.X), test.y), "seconds": seconds}
    except Exception as error:  # a fit that fails is a result
        return {"nll": np.inf, "coverage": 0.0, "error": f"{type(error).__name__}: {error}"[:300]}


def coverage_of(dist: condensity.Distribution, y: np.ndarray) -> float:
    """Share of y (n, q) within the central intervals of their outputs."""
    columns = [dist] if y.shape[1] == 1 else [dist.marginal([j]) for j in range(y.shape[1])]
    intervals = np.stack([column.interval(LEVEL) for column in columns], axis=1)
    return float(np.mean((y >= intervals[..., 0]) & (y <= intervals[..., 1])))


def package_commit() -> str | None:
    """Commit of the checkout that condensity is imported from, with '+' if its sources differ from it."""
    folder = Path(condensity.__file__).parent

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", folder, *arguments], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        return git("rev-parse", "--short=12", "HEAD") + ("+" if git("status", "--porcelain", ".") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def read(path: Path) -> list[Record]:
    """Records of a file; none where there is no file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def missing_fits(
    cells: list[Cell], seeds: int, models: list[str], done: list[Record]
) -> Iterator[tuple[Cell, int, list[str]]]:
    """Cells and seeds with the models that were not fitted yet."""
    known = {(record["cell"], record["seed"], record["model"]) for record in done}
    for cell, seed in product(cells, range(seeds)):
        left = [model for model in models if (cell.key, seed, model) not in known]
        if left:
            yield cell, seed, left


def fit_all(todo: list[tuple[Cell, int, list[str]]], path: Path, environment: Record, max_seconds: float) -> None:
    """Fit what is missing and append a line a fit, until the time is up."""
    end = time.monotonic() + max_seconds
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        for number, (cell, seed, models) in enumerate(todo):
            if time.monotonic() > end:
                print(
                    f"time is up: {len(todo) - number} of {len(todo)} cells and seeds are left; the same line continues"
                )
                return
            train, test = draw_training_rows(cell, seed), draw_test_rows(cell, seed, TEST_ROWS)
            references = reference_figures(train, test)
            for model in models:
                figures = model_figures(MODELS[model], train, test, seed)
                record = {
                    "cell": cell.key,
                    **asdict(cell),
                    "seed": seed,
                    "model": model,
                    **references,
                    **figures,
                    **environment,
                }
                file.write(json.dumps(record, ensure_ascii=False) + "\n")
                file.flush()


# ------------------------------------------------------------------------------------------------------------ judgement
@dataclass(frozen=True)
class Verdict:
    """A model in one cell: means over seeds."""

    model: str
    levels: dict[str, object]
    above_trivial: float
    above_truth: float
    coverage: float
    error: str

    @property
    def allowance(self) -> float:
        """Nats that the NLL may be above the better trivial model."""
        return 0.05 + 2 / np.sqrt(self.levels["n"])

    @property
    def excess(self) -> float:
        """Nats beyond what is allowed; above 0 the rule is broken."""
        return self.above_trivial - self.allowance

    @property
    def covers(self) -> bool:
        """Whether coverage is near its level, or, without noise, not below it."""
        width = 0.03 + 1 / np.sqrt(self.levels["n"])
        return LEVEL - width <= self.coverage and (self.coverage <= LEVEL + width or self.levels["noise"] == "none")

    def __str__(self) -> str:
        cell = "".join(f"{self.levels[name]!s:{width}}" for name, width in WIDTHS.items())
        return (
            f"{self.model:9}{cell}{self.above_trivial:12.3g}{self.above_truth:10.3g}{self.coverage:9.3f}  {self.error}"
        )


WIDTHS = {"n": 6, "d": 5, "q": 4, "noise": 14, "signal": 12, "inputs": 12, "rows": 12}
HEADER = (
    "model "
    + "".join(f"{name:{width}}" for name, width in WIDTHS.items())
    + f"{'− trivial':>12}{'− truth':>10}{'covers':>9}"
)


def verdicts_of(records: list[Record]) -> dict[tuple[str, str], Verdict]:
    """(Model, cell) → verdict."""
    together: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        together.setdefault((record["model"], record["cell"]), []).append(record)
    return {key: judge(each) for key, each in together.items()}


def judge(records: list[Record]) -> Verdict:
    """Verdict of the seeds of one model in one cell."""
    trivial = [record["nll"] - min(record["marginal"], record["linear"]) for record in records]
    truth = [np.nan if record["truth"] is None else record["nll"] - record["truth"] for record in records]
    return Verdict(
        records[0]["model"],
        {name: records[0][name] for name in LEVELS},
        float(np.mean(trivial)),
        float(np.mean(truth)),
        float(np.mean([record["coverage"] for record in records])),
        next((record["error"] for record in records if "error" in record), ""),
    )


def rule(verdicts: list[Verdict]) -> Record:
    """The three numbers of the rule, the number of cells and the largest excess."""
    return {
        "cells": len(verdicts),
        "nll held": float(np.mean([each.excess <= 0 for each in verdicts])),
        "coverage held": float(np.mean([each.covers for each in verdicts])),
        f"below {MIN_COVERAGE}": int(sum(each.coverage < MIN_COVERAGE for each in verdicts)),
        "largest excess": max(each.excess for each in verdicts),
    }


def shown(numbers: Record) -> str:
    """The numbers of the rule on a line."""
    held, covered, low, largest = (numbers[name] for name in list(numbers)[1:])
    return f"{numbers['cells']:5d}{held:10.0%}{covered:10.0%}{low:8d}{largest:12.3g}"


NUMBERS = f"{'cells':>5}{'NLL holds':>10}{'coverage':>10}{'< .75':>8}{'excess':>12}"


def print_summary(run: Benchmark, verdicts: dict[tuple[str, str], Verdict]) -> None:
    """The rule by model, the worst cells, and shares by level."""
    run.line("\n" + f"{'':25}" + NUMBERS)
    by_model = {model: [each for each in verdicts.values() if each.model == model] for model in MODELS}
    by_model = {model: each for model, each in by_model.items() if each}
    for model, each in by_model.items():
        run.line(f"{model:25}" + shown(rule(each)), model=model, **rule(each))
    for model, each in by_model.items():
        print_worst(run, model, each)
    run.line(f"{'':29}{NUMBERS}")
    for name, levels in LEVELS.items():
        for level, (model, each) in product(levels, by_model.items()):
            those = [verdict for verdict in each if verdict.levels[name] == level]
            if those:
                label = f"{name}={level}"
                run.line(
                    f"{model:9}{label:20}" + shown(rule(those)), model=model, factor=name, level=level, **rule(those)
                )


def print_worst(run: Benchmark, model: str, verdicts: list[Verdict]) -> None:
    """The cells that break a rule by most."""
    broken = {
        "NLL farthest above what is allowed": sorted((e for e in verdicts if e.excess > 0), key=lambda e: -e.excess),
        "coverage lowest": sorted((e for e in verdicts if not e.covers), key=lambda e: e.coverage),
    }
    for title, cells in broken.items():
        run.line(f"\n{model}: {title}, {min(WORST_SHOWN, len(cells))} of {len(cells)}\n{HEADER}")
        for each in cells[:WORST_SHOWN]:
            run.line(str(each), worst=title, **asdict(each))
    run.line("")


def print_comparison(run: Benchmark, before: list[Record], after: list[Record]) -> None:
    """The rule before and after, of the fits that both have, and the cells that changed most."""
    fits = [{(r["model"], r["cell"], r["seed"]): r for r in records} for records in (before, after)]
    common = [key for key in fits[0] if key in fits[1]]
    old, new = (verdicts_of([side[key] for key in common]) for side in fits)
    run.line(f"\n{len(common)} fits that both have\n{'':36}{NUMBERS}")
    for model, (name, levels) in product(MODELS, {"": ("",), **LEVELS}.items()):
        for level in levels:
            keys = [
                key for key, each in old.items() if each.model == model and (not name or each.levels[name] == level)
            ]
            for label, side in {"before": old, "after": new}.items() if keys else ():
                numbers, title = rule([side[key] for key in keys]), f"{name}={level}" if name else "all"
                run.line(f"{model:9}{title:20}{label:7}" + shown(numbers), model=model, of=title, side=label, **numbers)
    change = {key: finite(new[key].above_trivial) - finite(old[key].above_trivial) for key in old}
    for title, sign in {"better": 1, "worse": -1}.items():
        run.line(f"\n{title} by most: before, after\n{HEADER}")
        for key in sorted((key for key in change if sign * change[key] < 0), key=lambda key: sign * change[key])[
            :WORST_SHOWN
        ]:
            run.line(f"{old[key]}\n{new[key]}", changed=title, before=asdict(old[key]), after=asdict(new[key]))


def finite(nats: float) -> float:
    """Nats, or a large number instead of infinity."""
    return min(nats, 1e12)


# ------------------------------------------------------------------------------------------------------------- options
def chosen_levels(where: list[str]) -> dict[str, tuple]:
    """Levels that restrictions such as 'n=10,20' leave."""
    levels = dict(LEVELS)
    for restriction in where:
        name, _, texts = restriction.partition("=")
        kept = tuple(level for level in LEVELS.get(name, ()) if str(level) in texts.split(","))
        if not kept:
            raise SystemExit(f"--where {restriction!r} names no level; give FACTOR=LEVEL,LEVEL of {LEVELS}")
        levels[name] = kept
    return levels


def main() -> None:
    """Fit and judge, or compare."""
    run = Benchmark(__doc__)
    run.option("--cells", default="60", help="number of cells, or 'all'; the covering design is never cut short")
    run.option("--where", nargs="*", default=[], metavar="FACTOR=LEVELS", help="only these levels, as in n=10,20 q=1")
    run.option("--seeds", type=int, default=1)
    run.option("--models", default="MDN,joint", help=f"of {', '.join(MODELS)}")
    run.option("--max-seconds", type=float, default=np.inf, help="start no further cell after so long")
    run.option("--skip-slow", action="store_true", help="leave out cells in which a fit takes half a minute or more")
    run.option("--out", type=Path, help="file of the fits, continued if it exists (default: beside --json)")
    run.option(
        "--compare", nargs=2, type=Path, metavar=("BEFORE", "AFTER"), help="two files of --out; nothing is fitted"
    )
    run.option("--show", type=Path, metavar="FILE", help="the summary of a file of --out; nothing is fitted")
    with run as options:
        if options.show:
            print_summary(run, verdicts_of(read(options.show)))
            return
        if options.compare:
            print_comparison(run, *map(read, options.compare))
            return
        out = options.out or options.json.with_suffix(".jsonl")
        done, commit = read(out), package_commit()
        if any(record["commit"] != commit for record in done):
            raise SystemExit(
                f"{out} has fits of commit {done[0]['commit']}, and condensity is at {commit}: give another --out"
            )
        cells = choose_cells(None if options.cells == "all" else int(options.cells), chosen_levels(options.where))
        cells = [cell for cell in cells if not (options.skip_slow and cell.cost > SLOW)]
        todo = list(missing_fits(cells, options.seeds, options.models.split(","), done))
        run.line(
            f"{len(cells)} cells, {len(todo)} of {len(cells) * options.seeds} cells and seeds to fit; lines go to {out}"
        )
        environment = {"commit": commit, "machine": run.environment["processor"], "date": run.environment["date"]}
        fit_all(todo, out, environment, options.max_seconds)
        print_summary(run, verdicts_of(read(out)))


if __name__ == "__main__":
    main()
