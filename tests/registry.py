"""What the tests walk: estimators, engines, tables, problems, transforms and distributions, one dictionary each.

A member added here is tested by `estimators/test_estimator_contract.py` or `distributions/test_distribution_contract.py`, and
by every test that is parametrised over the dictionary.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
from scipy.special import expit, logit

from condensity import JointGMMRegressor, MDNRegressor, Mixture, TransformedMixture
from condensity.datasets import synthetic
from condensity.distributions import Distribution
from condensity.distributions.transforms import FunctionTransform, Log, Log1p, Logit, YeoJohnson

#: As a user makes them, but for the seed.
DEFAULTS = {"MDN": MDNRegressor(random_state=0), "GMM": JointGMMRegressor(random_state=0)}

#: Enough for a shape, too few epochs to converge.
QUICK = {"MDN": MDNRegressor(n_components=4, max_iter=30, random_state=0), "GMM": JointGMMRegressor(4, random_state=0)}

ENGINES = ("native", "reference")

#: Problems whose log p(y | x) is known.
PROBLEMS = {
    **synthetic.ODD_SETS,
    "Bishop inverse": synthetic.make_bishop_inverse,
    "two-branch": synthetic.make_two_branch,
}


# ------------------------------------------------------------------------------------------------------- transforms
@dataclass(frozen=True)
class TransformCase:
    """A `y_transform`, and the open interval that its targets must lie in."""

    y_transform: Any
    low: float = -np.inf
    high: float = np.inf
    can_be_saved: bool = True


def own_logit(y):
    """A function that files do not know."""
    return logit(y)


def own_expit(u):
    """Its inverse."""
    return expit(u)


TRANSFORMS = {
    "none": TransformCase(None),
    "log": TransformCase("log", low=0.0),
    "log1p": TransformCase("log1p", low=-1.0),
    "logit": TransformCase("logit", low=0.0, high=1.0),
    "sqrt": TransformCase("sqrt"),
    "box-cox": TransformCase("box-cox", low=0.0),
    "yeo-johnson": TransformCase("yeo-johnson"),
    "auto": TransformCase("auto"),
    "functions": TransformCase((own_logit, own_expit), low=0.0, high=1.0, can_be_saved=False),
    "ufuncs": TransformCase((np.arcsinh, np.sinh)),
}

# ----------------------------------------------------------------------------------------------------------- tables
N_ROWS = 120


def _columns():
    """Numbers, numbers with missing values (nan), and words of which some are missing (None)."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=N_ROWS)
    sparse = np.where(rng.random(N_ROWS) < 0.15, np.nan, 2.0 * x + rng.normal(size=N_ROWS))
    kind = rng.choice(["cat", "dog", "eel"], N_ROWS).astype(object)
    kind[::11] = None
    return x, sparse, kind


_X, _SPARSE, _KIND = _columns()

#: Targets within (0, 1), so that every transform takes them; they depend on every column of the tables.
TARGET = expit(_X + 0.5 * (_KIND == "dog") + 0.3 * np.random.default_rng(1).normal(size=N_ROWS))

#: The same rows from every library: numbers alone, and with missing values and categories where the library has them.
TABLES = {
    "NumPy": np.column_stack([_X, np.nan_to_num(_SPARSE)]),
    "NumPy, missing values": np.column_stack([_X, _SPARSE]),
    "pandas": pd.DataFrame({"x": _X, "kind": pd.Categorical(_KIND), "sparse": _SPARSE}),
    "polars": pl.DataFrame(
        {"x": _X, "kind": list(_KIND), "sparse": _SPARSE}, schema_overrides={"kind": pl.Categorical}
    ).with_columns(pl.col("sparse").fill_nan(None)),
    "Arrow": pa.table({"x": _X, "kind": pa.array(list(_KIND)), "sparse": pa.array(_SPARSE, from_pandas=True)}),
}


def first_rows(table, count):
    """The first rows of a table of any library."""
    return table.slice(0, count) if isinstance(table, pa.Table) else table[:count]


# ---------------------------------------------------------------------------------------------------- distributions
def _mixture(q=1, *, correlated=False, **changes):
    """Five rows of three components over q outputs, near 0.4 and narrow enough for a logit."""
    rng, n, k = np.random.default_rng(q), 5, 3
    shape = (n, k) if q == 1 else (n, k, q)
    parts = {"weights": rng.dirichlet(np.ones(k), n), "means": rng.normal(0.4, 1.0, shape)}
    parts["scales"] = rng.uniform(0.3, 0.9, shape)
    if correlated:
        triangles = np.tril(rng.normal(0.0, 0.2, (n, k, q, q)), -1) + parts.pop("scales")[..., None] * np.eye(q)
        parts["covariances"] = triangles @ np.swapaxes(triangles, 2, 3)
    return Mixture(**{**parts, **changes})


_GATE = np.log([0.2, 0.9, 1.0, 0.5, 0.7])
_FALLING = FunctionTransform(np.negative, np.negative, rises=False)

DISTRIBUTIONS = {
    "one output": _mixture(),
    "one output, gated": _mixture().gated(_GATE),
    "independent outputs": _mixture(2),
    "correlated outputs": _mixture(3, correlated=True, output_names=["a", "b", "c"]),
    "correlated outputs, gated": _mixture(3, correlated=True).gated(_GATE),
    "log": TransformedMixture(_mixture(), Log()),
    "log, gated": TransformedMixture(_mixture().gated(_GATE), Log()),
    "log of several outputs": TransformedMixture(_mixture(2, correlated=True, output_names=["a", "b"]), Log()),
    "logit": TransformedMixture(_mixture(), Logit()),
    "logit of several outputs": TransformedMixture(_mixture(2), Logit()),
    "falling functions": TransformedMixture(_mixture(), _FALLING),
    "falling functions, gated": TransformedMixture(_mixture().gated(_GATE), _FALLING),
    "log1p": TransformedMixture(_mixture(), Log1p()),
    "yeo-johnson": TransformedMixture(_mixture(), YeoJohnson(0.4)),
    "gathered": Distribution.concatenate([_mixture()[:2], TransformedMixture(_mixture(), YeoJohnson(0.4))[2:]]),
}
