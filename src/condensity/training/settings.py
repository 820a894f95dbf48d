"""Networks and plans from hyper-parameters, possibly 'auto'; every default that depends on the data."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from condensity.data.scaling import log_reach, resolution
from condensity.engines import SOLVERS
from condensity.engines.types import (
    ROW_LOSS_CAP,
    Network,
    Penalty,
    TrainingPlan,
    TrainingRows,
    steps_per_epoch,
)

HINGE = 0.3
LOGNORMAL = 0.02
#: σ in units of the target's scale, unless its ties say that it is rounded more coarsely than that.
MIN_SCALE = 1e-3
MAX_LOG_SCALE = 2.0

MAX_GRADIENT_NORM = 100.0

#: Data-dependent noise for noise=1 (Rothfuss et al. 2019, arXiv:1907.08982): c n^(−1/(4 + d + q)), c for inputs and targets.
NOISE = (0.2, 0.1)

#: More outputs than this, and 'auto' compares full covariances with tied ones.
MAX_FULL_OUTPUTS = 3
#: K of more outputs than that.
MANY_OUTPUTS_COMPONENTS = 5
#: Rows for every regression coefficient between outputs, of all components, below which 'auto' does not try full covariances.
MIN_ROWS_PER_COEFFICIENT = 5

#: Bins per column for the piecewise-linear encoding; twice that from `MANY_ROWS` on.
MAX_BINS, MANY_ROWS = 32, 5000
#: Rows needed for 'auto' to try the encoding; it never does for a single column.
MIN_ROWS_FOR_ENCODING = 150
#: Encoded inputs at most: with many columns these have fewer bins each, and 'auto' does not try the encoding with fewer than 16.
MAX_ENCODED_INPUTS, MIN_BINS = 4096, 16


@dataclass(frozen=True)
class Settings:
    """The hyper-parameters of `MDNRegressor`, by the same names, possibly 'auto'."""

    n_components: int | str
    hidden_layer_sizes: int | Sequence[int] | str
    activation: str
    covariance_type: str
    solver: str
    numeric_encoding: str | None
    learning_rate_init: float | str
    batch_size: int | str
    max_iter: int | str
    early_stopping: bool
    validation_fraction: float
    n_iter_no_change: int
    tol: float
    weight_decay: float | str
    scale_prior: float
    scale_bounds: tuple[Any, Any] | str | None
    noise: float
    init: str
    n_members: int
    refit: bool


class Recipe(NamedTuple):
    """Choices that validation likelihood decides.

    Attributes
    ----------
    encoding : {'piecewise'} or None
    covariance_type : {'full', 'tied', 'diag'}
    n_components : int or 'auto'
    """

    encoding: str | None
    covariance_type: str
    n_components: int | str

    def applied_to(self, settings: Settings) -> Settings:
        """The `settings` with the choices about components."""
        return replace(settings, covariance_type=self.covariance_type, n_components=self.n_components)


def recipes_to_try(settings: Settings, rows: TrainingRows) -> list[Recipe]:
    """Recipes among which validation likelihood decides, by `settings` and the size of `rows`; one without validation."""
    kinds = covariances_to_try(settings, *rows.y.shape)
    recipes = [Recipe(encoding, *kind) for kind in kinds for encoding in encodings_to_try(settings, rows)]
    return recipes if settings.early_stopping else recipes[:1]


def covariances_to_try(settings: Settings, n: int, q: int) -> list[tuple[str, int | str]]:
    """Covariance types and numbers of components to compare for `n` rows of `q` outputs, by `settings`.

    Raises
    ------
    ValueError
        For tied covariances with init='gmm'.
    """
    kind, n_components = settings.covariance_type, settings.n_components
    if kind == "tied" and settings.init == "gmm":
        raise ValueError(
            "covariance_type='tied' cannot start from init='gmm'; use 'auto', 'full' or 'diag', or another init."
        )
    if kind != "auto":
        return [(kind, n_components)]
    if q <= MAX_FULL_OUTPUTS or settings.init == "gmm":
        return [("full", n_components)]
    if not settings.early_stopping:
        return [("tied", n_components)]
    sizes = [1, MANY_OUTPUTS_COMPONENTS] if n_components == "auto" else [int(n_components)]
    most = 2 * n / (MIN_ROWS_PER_COEFFICIENT * q * (q - 1))
    return [*(("tied", size) for size in sizes), *(("full", size) for size in sizes if size <= most)]


def encodings_to_try(settings: Settings, rows: TrainingRows) -> list[str | None]:
    """Encodings to compare, 'piecewise' or None, by `settings` and the size of `rows`."""
    if settings.numeric_encoding != "auto":
        return [settings.numeric_encoding]
    n, d = rows.x.shape
    tried = d > 1 and n >= MIN_ROWS_FOR_ENCODING and settings.early_stopping and d * MIN_BINS <= MAX_ENCODED_INPUTS
    return [None, "piecewise"] if tried else [None]


def make_network(settings: Settings, rows: TrainingRows, encoding: str | None) -> Network:
    """Resolve the 'auto' choices of `settings` about the network for `rows`, with an `encoding` ('piecewise' or None)."""
    (n, d), q = rows.x.shape, rows.y.shape[1]
    hidden = settings.hidden_layer_sizes
    if isinstance(hidden, str):
        hidden = (32, 32) if d == 1 else (128, 128) if encoding else (128, 128, 128)
    else:
        hidden = tuple(np.atleast_1d(np.asarray(hidden, dtype=int)).tolist())
    n_components = settings.n_components
    if n_components == "auto":
        n_components = (
            MANY_OUTPUTS_COMPONENTS if q > MAX_FULL_OUTPUTS else 20 if n >= 5000 and q == 1 and d == 1 else 10
        )
    bounds = settings.scale_bounds
    if isinstance(bounds, str):
        low = [float(np.log(max(MIN_SCALE, resolution(column) / 2))) for column in rows.y.T]
        bounds = (tuple(low), MAX_LOG_SCALE + _log_reach(rows))
    elif bounds is not None:
        bounds = (float(np.log(bounds[0])), float(np.log(bounds[1])))
    edges = bin_edges(rows.x) if encoding == "piecewise" else None
    coupled = settings.covariance_type != "diag"
    return Network(d, hidden, int(n_components), settings.activation, bounds, q, coupled, edges)


def require_same_network(settings: Settings, rows: TrainingRows, network: Network) -> None:
    """Refuse `settings` and `rows` that ask for another network than `network`, that of an earlier fit.

    Raises
    ------
    ValueError
    """
    wanted = make_network(settings, rows, None)
    asked = {"n_components": "n_components", "hidden_layer_sizes": "hidden"}
    for name, attribute in asked.items():
        has, wants = getattr(network, attribute), getattr(wanted, attribute)
        if not isinstance(getattr(settings, name), str) and has != wants:
            raise ValueError(
                f"The fitted network has {name}={has}, which cannot become {wants}; set it back, or fit a new model "
                "(warm_start=False)."
            )
    if (network.activation, network.n_inputs, network.n_outputs) != (
        wanted.activation, wanted.n_inputs, wanted.n_outputs,
    ):  # fmt: skip
        raise ValueError("The fitted network has another activation, or other columns of X or y; fit a new model.")


def bin_edges(x: np.ndarray) -> tuple[np.ndarray, ...]:
    """Edges of at most `MAX_BINS` bins for each column of x (n, d), between quantiles (Gorishniy et al. 2022, arXiv:2203.05556).

    A column of few values has a bin between each two of them.
    """
    bins = MAX_BINS if len(x) < MANY_ROWS else 2 * MAX_BINS
    bins = max(1, min(bins, MAX_ENCODED_INPUTS // x.shape[1]))
    return tuple(_column_edges(column, bins) for column in x.T)


def _column_edges(column: np.ndarray, bins: int) -> np.ndarray:
    distinct = np.unique(column)
    if len(distinct) <= bins + 1:
        return distinct
    # Whole values of the column, so that a change of unit changes no bit; rounded, so that all engines have the same bins.
    return np.unique(np.quantile(column, np.linspace(0, 1, bins + 1), method="inverted_cdf"))


def make_plan(settings: Settings, rows: TrainingRows, n_kept: int, n_held_out: int = 0) -> TrainingPlan:
    """Resolve the 'auto' choices of `settings` about training on `n_kept` of the `rows`, with `n_held_out` for validation."""
    (n, d), q = rows.x.shape, rows.y.shape[1]
    n_units = n if rows.splitter is None else rows.splitter.n_units
    solver = settings.solver
    if solver == "auto":
        solver = "schedule_free_adamw" if d == 1 else "adamw"
    traits = SOLVERS[solver]
    rate = settings.learning_rate_init
    if rate == "auto":
        rate = traits.rate_for(n_units)
    batch_size = settings.batch_size
    if batch_size == "auto":
        batch_size = _batch(n, d)
    batch_size = n_kept if batch_size == "full" else min(int(batch_size), n_kept)
    per_epoch = steps_per_epoch(n_kept, batch_size)
    max_steps = _budget(n, d, per_epoch) if settings.max_iter == "auto" else int(settings.max_iter) * per_epoch
    robust = traits.is_robust
    horizon = max_steps if traits.is_annealed else 0
    # A check costs a third of a training step per row: at most about a sixth of the time goes into checks.
    check_every = max(25, min(horizon // 60, 500), -(-2 * n_held_out // batch_size))
    patience = settings.n_iter_no_change
    if n_units < n:  # what rows of a group share is learned within a few steps: more checks, the same patience in steps
        often = max(5, -(-n_held_out // batch_size))
        check_every, patience = min(often, check_every), patience * max(1, check_every // often)
    spread = settings.noise * n_units ** (-1.0 / (4 + d + q))
    return TrainingPlan(
        solver=solver,
        learning_rate=float(rate),
        warm_up=0 if not robust else 50 if d == 1 else max(1, max_steps // 20),
        horizon=horizon,
        batch_size=batch_size,
        max_steps=max_steps,
        check_every=check_every if settings.early_stopping else max(1, max_steps // 40),
        patience=patience,
        min_steps=horizon // 4,
        tolerance=settings.tol,
        weight_decay=traits.weight_decay if settings.weight_decay == "auto" else float(settings.weight_decay),
        penalty=Penalty(
            hinge=0.0 if _log_reach(rows) else HINGE * settings.scale_prior,
            lognormal=LOGNORMAL * min(1.0, (1000.0 / n_units) ** 2) * settings.scale_prior,
            loss_cap=ROW_LOSS_CAP * q if robust else np.inf,
        ),
        max_gradient_norm=MAX_GRADIENT_NORM if robust else np.inf,
        input_noise=NOISE[0] * spread,
        target_noise=NOISE[1] * spread,
    )


def _log_reach(rows: TrainingRows) -> float:
    """Log of the largest σ that an output's far rows ask for; 0 for ordinary targets, which keep ceiling and hinge."""
    return max(log_reach(column, rows.weight) for column in rows.y.T)


def _batch(n: int, d: int) -> int:
    if d == 1:
        return 64 if n < 2000 else 128 if n < 5000 else 256
    return 16 if n < 500 else 32 if n < 2000 else 128 if n < 20_000 else 256


def _budget(n: int, d: int, per_epoch: int) -> int:
    """Steps at most. For a single column, where a schedule-free average needs no horizon, this is only a cap."""
    if d == 1:
        return per_epoch * max(60, -(-3000 // per_epoch))
    if n < 2000:
        return int(np.clip(400 * per_epoch, 5000, 8000))
    return max(2500, min(40 * per_epoch, 6000), 10 * per_epoch)


def for_all_rows(plan: TrainingPlan, best_step: int, n_kept: int, n: int) -> TrainingPlan:
    """The `plan` carried over to all n rows: as many epochs as `best_step` steps are on `n_kept` rows."""
    factor = n / n_kept
    steps = max(1, round(best_step * factor))
    return plan._replace(
        max_steps=steps, horizon=round(plan.horizon * factor), check_every=max(1, min(plan.check_every, steps))
    )
