"""Structural fuzzing of model files with a right checksum: refused by a `ModelFileError`, or a model that works in use.

    python tests/fuzz/structural.py --cases 5000 --seed 0

Parts of real models are replaced, dropped, repeated and exchanged, and their numbers changed in value, type and shape. What still
loads must predict, score, tell its support and be examined with nothing worse than a ValueError.
"""

import argparse
import collections
import copy
import json
import tempfile
import time
import traceback
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from condensity import JointGMMRegressor, MDNRegressor
from condensity.estimators.loading import load
from condensity.persistence import ModelFileError, container

GOLDEN = sorted((Path(__file__).parents[1] / "golden").glob("*.condensity"))
VALUES = [
    None, True, False, -1, 0, 1, 2, 7, 2**31, 2**63, 10**30, 0.5, -0.5, 1e308, "", "text", "auto", "\x1b[2J", "full", "diag",
    [], {}, [[]], [1, 2], {"$tuple": []}, {"$tuple": [1, 2]}, {"$tuple": ["a", "b"]}, {"$float": "nan"}, {"$float": "inf"},
    {"$pairs": [["a", 1]]}, {"$objects": ["a"], "shape": [1]}, {"$objects": [{"$tuple": [1, 2]}], "shape": [1]},
    {"$class": "CovarianceSpec", "fields": {}}, {"$class": "Log", "fields": {}}, {"$class": "Logit", "fields": {}},
    {"$class": "NoSupport", "fields": {"reason": "none"}},
]  # fmt: skip
NUMBERS = [0, 1, -1, 2, 3, 10**9, 2**40, -(2**40), 0.5, 1e-300, 1e300, -1e300]
DTYPES = ["float64", "float32", "int64", "int32", "uint8", "bool"]


def seeds_of_golden():
    """Manifest and tensors of the golden files, and rows to ask about."""
    for path in GOLDEN:
        facts = json.loads(path.with_suffix(".json").read_text())
        X = pd.DataFrame(facts["X"]).astype({"kind": "category"})
        yield (*container.read(path), X, np.linspace(-1.0, 1.0, len(X)))


def seeds_of_other_kinds():
    """The same of models with several outputs, decades, a transform, long categories, and without support."""
    rng = np.random.default_rng(0)
    x = np.column_stack([np.exp(3 * rng.normal(size=150)), rng.normal(size=150), np.ones(150)])
    y = np.exp(0.3 * rng.normal(size=150)) + 0.01 * x[:, 1] ** 2
    many = pd.DataFrame(
        {
            "id": [f"l{min(i, 140)}" for i in range(150)],
            "x": x[:, 1],
            "day": pd.Categorical(rng.choice(list("ab"), 150)),
        }
    )
    fits = [
        (MDNRegressor(2, hidden_layer_sizes=(4,), max_iter=5, y_transform="log", random_state=0), x, y),
        (MDNRegressor(2, hidden_layer_sizes=(4,), max_iter=5, random_state=0), x, np.column_stack([y, x[:, 1]])),
        (
            MDNRegressor(
                2,
                hidden_layer_sizes=(4,),
                max_iter=5,
                n_members=3,
                support_model=None,
                categorical_features=["id"],
                random_state=0,
            ),
            many,
            y,
        ),
        (JointGMMRegressor(2, random_state=0), x, pd.DataFrame({"a": y, "b": y + x[:, 1]})),
        (
            JointGMMRegressor(
                2, covariance_type="diag", y_transform="log", categorical_features=["id"], random_state=0
            ),
            many,
            y,
        ),
    ]
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for model, X, targets in fits:
            path = model.fit(X, targets).save(Path(folder) / "m")
            yield (*container.read(path), X[:8], np.asarray(targets)[:8])


def places(tree, path=()):
    """Paths to all nodes of a tree."""
    yield path
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        yield from places(value, (*path, key))


def node_at(tree, path):
    for key in path:
        tree = tree[key]
    return tree


def change_tree(manifest, paths, rng):
    """Change one node of the manifest in place."""
    *path, last = paths[rng.integers(1, len(paths))]
    holder = node_at(manifest, path)
    old = holder[last]
    way = rng.integers(6)
    if way == 0 and isinstance(old, (int, float)) and not isinstance(old, bool):
        holder[last] = NUMBERS[rng.integers(len(NUMBERS))]
    elif way <= 1:
        holder[last] = copy.deepcopy(VALUES[rng.integers(len(VALUES))])
    elif way == 2:
        del holder[last]
    elif way == 3 and isinstance(holder, list):
        holder.insert(int(last), copy.deepcopy(old))
    elif way == 4 and isinstance(old, list) and old:
        old.extend(copy.deepcopy(old) * int(rng.integers(1, 4)))
    else:
        holder[last] = copy.deepcopy(node_at(manifest, paths[rng.integers(1, len(paths))]))


def change_tensor(tensors, rng):
    """Change one tensor: a value, the type, the shape, or which is which."""
    names = sorted(tensors)
    name, other = names[rng.integers(len(names))], names[rng.integers(len(names))]
    array = tensors[name]
    way = rng.integers(7)
    with np.errstate(all="ignore"):
        if way == 0:
            tensors[name], tensors[other] = tensors[other], array
        elif way == 1:
            tensors[name] = array.astype(DTYPES[rng.integers(len(DTYPES))])
        elif way == 2:
            tensors[name] = array[: len(array) // 2] if array.ndim else array.reshape(1)
        elif way == 3:
            tensors[name] = np.concatenate([array, array]) if array.ndim else array.reshape(1, 1)
        elif way == 4:
            tensors[name] = array.reshape(array.shape[::-1]) if rng.random() < 0.5 else array.ravel()
        elif array.size:
            values = [np.nan, np.inf, 0.0, -1.0, 1e300, -1e300, 1e-300, 1e15, 5e-324]
            flat = array.copy().ravel()
            flat[rng.integers(flat.size)] = np.array(values[rng.integers(len(values))]).astype(array.dtype)
            if way == 6:
                flat[:] = flat[rng.integers(flat.size)]
            tensors[name] = flat.reshape(array.shape)


def named_tensors(tree):
    """Names of the tensors that a manifest refers to."""
    if isinstance(tree, dict):
        own = {tree[tag] for tag in ("$tensor", "$bytes", "$texts", "$numbers") if isinstance(tree.get(tag), str)}
        return own.union(*map(named_tensors, tree.values()))
    return set().union(*map(named_tensors, tree)) if isinstance(tree, list) else set()


def mutated(manifest, tensors, rng):
    """Bytes of a file with a right checksum that differs from a real one."""
    manifest, tensors = copy.deepcopy(manifest), dict(tensors)
    manifest.pop("format_version", None)
    state = manifest["state"]
    for _ in range(int(rng.integers(0, 3))):
        try:
            change_tree(state, list(places(state)), rng)
        except (KeyError, IndexError, TypeError):
            continue
    for _ in range(int(rng.integers(0, 3))):
        change_tensor(tensors, rng)
    if rng.random() < 0.95:
        wanted = named_tensors(state)
        tensors = {name: array for name, array in tensors.items() if name in wanted}
    return container.serialize(manifest, tensors)


def use(model, X, y):
    """Ask a model for all that a user would."""
    model.predict(X)
    if len(model.target_names_) == 1:
        model.predict_quantiles(X, [0.1, 0.9])
        model.predict_interval(X)
    model.sample(X, 2, random_state=0)
    if model.has_support:
        model.support(X)
        model.predict_dist(X, outside="prior").mean()
    _ = [str(finding) for finding in model.health_], model.outcome_, model.target_names_, repr(model)
    model.score(X, y)


def attempt(content, X, y, path):
    """'refused', 'works', or 'ValueError' of a file's content; other errors pass."""
    Path(path).write_bytes(content)
    try:
        model = load(path)
    except ModelFileError:
        return "refused"
    try:
        use(model, X, y)
    except ValueError:
        return "ValueError"
    return "works"


def run(seeds, n_cases, seed, path, *, report=None):
    """Outcomes of so many mutated files, by their number; errors of other kinds go to `report`, or pass."""
    counts = collections.Counter()
    for case in range(n_cases):
        rng = np.random.default_rng([seed, case])
        manifest, tensors, X, y = seeds[case % len(seeds)]
        content = mutated(manifest, tensors, rng)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # ours
                counts[attempt(content, X, y, path)] += 1
        except Exception:
            if report is None:
                raise
            counts["error"] += 1
            report(case)
    return counts


def main():
    """Run, and print each kind of error once with its number."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    seen = collections.Counter()
    examples = {}

    def report(case):
        text = traceback.format_exc().strip().splitlines()
        kind = text[-1][:100], *[line.strip()[:110] for line in text if line.strip().startswith("File")][-2:]
        seen[kind] += 1
        examples.setdefault(kind, case)

    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("error", RuntimeWarning)
        seeds = [*seeds_of_golden(), *seeds_of_other_kinds()]
        counts = run(seeds, options.cases, options.seed, Path(folder) / "m", report=report)
    print(dict(counts), f"{time.perf_counter() - start:.0f} s")  # noqa: T201
    for kind, number in seen.most_common():
        print(number, "cases, such as", examples[kind], *kind, sep="\n  ")  # noqa: T201


if __name__ == "__main__":
    main()
