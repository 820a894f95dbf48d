"""Fit a mixture density network to standardised rows: settings → plan → parameters, history and how it ended."""

from dataclasses import dataclass

import numpy as np

from condensity import kernels
from condensity.kernels.reference.network import (
    Network,
    Penalty,
    forward,
    initialize,
    initialize_xavier,
    split,
)
from condensity.kernels.reference.trainer import ROW_LOSS_CEILING, Plan, Rows, Training, steps_per_epoch
from condensity.mixture import Mixture
from condensity.scaling import resolution, weighted_quantiles
from condensity.splitting import held_out_splits
from condensity.table import OUTLIER_DISTANCE

#: Standardised inputs are held within ± this: an outlier cannot own the first layer, and far from the data the prediction
#: goes flat instead of running off along a line.
INPUT_LIMIT = 6.0

#: Fewer than this cannot carry a network at all: one normal with a linear mean.
TINY_N = 20

HINGE = 0.05
LOGNORMAL = 0.05
#: σ in units of the target's scale, unless its ties say that it is rounded more coarsely than that.
SMALLEST_SCALE = 1e-3
LARGEST_LOG_SCALE = 2.0

#: Where log σ is cut at prediction, so that an unbounded network cannot leave the range of float64.
LOG_SCALE_RANGE = (-300.0, 300.0)

#: Rows that go through the network at a time, so that its hidden layers take little memory.
PREDICTION_ROWS = 4096

CHECK_EVERY = 25
WARM_UP_STEPS = 50
MAX_GRADIENT_NORM = 100.0


@dataclass(frozen=True)
class Settings:
    """The hyper-parameters of `MDNRegressor`, by the same names, possibly 'auto'."""

    n_components: int | str
    hidden_layer_sizes: tuple | str
    activation: str
    solver: str
    learning_rate_init: float | str
    batch_size: int | str
    max_iter: int | str
    early_stopping: bool
    validation_fraction: float
    n_iter_no_change: int
    tol: float
    weight_decay: float
    scale_prior: float
    scale_bounds: tuple | str | None
    init: str


@dataclass(frozen=True)
class MDNFit:
    """A fitted network and how the fit went.

    Attributes
    ----------
    theta : ndarray (n_parameters,)
    network : Network
    converged : bool
    outcome : str
        How it ended, in a sentence with numbers.
    n_iter : int
        Epochs.
    history : dict of lists
    """

    theta: np.ndarray
    network: Network
    converged: bool
    outcome: str
    n_iter: int
    history: dict


def predict(fit: MDNFit, x) -> Mixture:
    """Mixture of every row, in standardised units, from standardised x (n, d)."""
    log_weights, means, scales = np.empty((3, len(x), fit.network.n_components))
    for start in range(0, len(x), PREDICTION_ROWS):
        rows = slice(start, start + PREDICTION_ROWS)
        log_weights[rows], means[rows], log_scales = forward(fit.theta, fit.network, limit_inputs(x[rows]))
        scales[rows] = np.exp(np.clip(log_scales, *LOG_SCALE_RANGE))
    return Mixture(log_weights=log_weights, means=means, scales=scales)


def limit_inputs(x):
    """Hold standardised inputs within ±`INPUT_LIMIT`."""
    return np.clip(x, -INPUT_LIMIT, INPUT_LIMIT)


def fit_mdn(settings: Settings, rows: Rows, rng, validation: Rows | None = None, *, engine: str = "auto") -> MDNFit:
    """Fit by the recipe of the settings.

    Parameters
    ----------
    settings : Settings
    rows : Rows
        Standardised training rows, weights with mean one.
    rng : numpy Generator
    validation : Rows, optional
        The caller's own held-out rows; they replace the random split and the K-fold choice.
    engine : {"auto", "native", "reference"}
    """
    train = kernels.operation("train", engine=engine)
    n = len(rows.y)
    rows = rows._replace(x=limit_inputs(rows.x))
    if settings.early_stopping and validation is None and n < TINY_N:
        return _linear_gaussian(rows)
    network, plan = make_network(settings, rows), make_plan(settings, n)
    theta = _start(settings, network, rows, rng)
    if not settings.early_stopping:
        plan = plan._replace(check_every=max(1, plan.max_steps // 40))
        return _describe_full_run(train(theta, network, plan, rng, rows), network, plan, n)
    if validation is not None:
        held_out = validation._replace(x=limit_inputs(validation.x))
        return _describe_stopped_run(train(theta, network, plan, rng, rows, held_out), network, plan, n)
    splits = held_out_splits(n, settings.validation_fraction, rng)
    if len(splits) > 1:
        return _fit_by_folds(train, theta, network, plan, rng, rows, splits)
    ((kept, held_out),) = splits
    plan = make_plan(settings, n, len(held_out))
    run = train(theta, network, plan, rng, rows.take(kept), rows.take(held_out))
    return _describe_stopped_run(run, network, plan, len(kept))


# ------------------------------------------------------------------------------------------------- settings → plan
def make_network(settings: Settings, rows: Rows) -> Network:
    """Resolve the 'auto' choices about the network."""
    n, d = rows.x.shape
    hidden = settings.hidden_layer_sizes
    hidden = (32, 32) if hidden == "auto" else tuple(np.atleast_1d(np.asarray(hidden, dtype=int)).tolist())
    n_components = settings.n_components
    if n_components == "auto":
        n_components = 20 if n >= 5000 else 10
    bounds = settings.scale_bounds
    if bounds == "auto":
        bounds = (np.log(max(SMALLEST_SCALE, resolution(rows.y) / 2)), LARGEST_LOG_SCALE)
    elif bounds is not None:
        bounds = (float(np.log(bounds[0])), float(np.log(bounds[1])))
    return Network(d, hidden, int(n_components), settings.activation, bounds)


def make_plan(settings: Settings, n: int, n_held_out: int = 0) -> Plan:
    """Resolve the 'auto' choices about training on n rows, of which some are held out."""
    solver = "schedule_free_adamw" if settings.solver == "auto" else settings.solver
    averaged = solver == "schedule_free_adamw"
    rate = settings.learning_rate_init
    if rate == "auto":
        rate = (0.01 if n < 500 else 0.02) if averaged else 0.005
    batch_size = settings.batch_size
    if batch_size == "auto":
        batch_size = 64 if n < 2000 else 128 if n < 5000 else 256
    n_trained = n - n_held_out
    batch_size = n_trained if batch_size == "full" else min(int(batch_size), n_trained)
    per_epoch = steps_per_epoch(n_trained, batch_size)
    epochs = settings.max_iter
    if epochs == "auto":
        epochs = max(60, -(-MAX_STEPS // per_epoch))
    return Plan(
        solver=solver,
        learning_rate=float(rate),
        warm_up=WARM_UP_STEPS if averaged else 0,
        batch_size=batch_size,
        max_steps=int(epochs) * per_epoch,
        check_every=CHECK_EVERY,
        patience=settings.n_iter_no_change,
        tolerance=settings.tol,
        weight_decay=settings.weight_decay,
        penalty=Penalty(
            hinge=HINGE * settings.scale_prior,
            lognormal=LOGNORMAL * min(1.0, (1000.0 / n) ** 2) * settings.scale_prior,
            ceiling=ROW_LOSS_CEILING if averaged else np.inf,
        ),
        max_gradient_norm=MAX_GRADIENT_NORM if averaged else np.inf,
    )


#: Steps before 'auto' gives up waiting for patience; a schedule-free average needs no horizon, so this is only a cap.
MAX_STEPS = 3000


def _start(settings, network, rows, rng):
    """Initial θ."""
    if settings.init == "xavier":
        return initialize_xavier(network, rng)
    levels = (np.arange(network.n_components) + 0.5) / network.n_components
    return initialize(network, weighted_quantiles(rows.y, rows.weight, levels), rng)


# ----------------------------------------------------------------------------------------------------- small tables
def _fit_by_folds(train, theta, network, plan, rng, rows, splits) -> MDNFit:
    """Choose the number of steps by K-fold (median of each fold's best), then train on all rows for that many."""
    folds = []
    for kept, held_out in splits:
        folds.append(train(theta, network, plan, rng, rows.take(kept), rows.take(held_out)))
        if folds[-1].status == "interrupted":
            return _describe_stopped_run(folds[-1], network, plan, len(kept))
    n_steps = max(1, int(np.median([fold.best_step for fold in folds])))
    final = train(theta, network, plan._replace(max_steps=n_steps), rng, rows)
    history = {**final.history, "validation_nll": _mean_curve(folds, final.history["step"])}
    n_patient = sum(fold.status == "patience" for fold in folds)
    if final.status == "interrupted":
        return _describe_stopped_run(final, network, plan, len(rows.y))
    diverged = final.status == "diverged" or any(fold.status == "diverged" for fold in folds)
    outcome = (
        f"Trained on all {len(rows.y)} rows for {n_steps} steps, the median of the best steps of {len(folds)} folds; "
        f"{n_patient} of {len(folds)} folds stopped because their held-out NLL no longer improved."
    )
    if diverged:
        outcome = f"Diverged: a loss or gradient was not finite. {outcome}"
    return MDNFit(
        theta=final.theta,
        network=network,
        converged=n_patient > len(folds) // 2 and not diverged,
        outcome=outcome,
        n_iter=_epochs(final.n_steps, plan, len(rows.y)),
        history=history,
    )


def _mean_curve(folds, steps):
    """Mean held-out NLL of the folds that reached each step; nan where none did."""
    by_step: dict[int, list] = {step: [] for step in steps}
    for fold in folds:
        for step, value in zip(fold.history["step"], fold.history["validation_nll"], strict=True):
            by_step.get(step, []).append(value)
    return [float(np.mean(values)) if values else np.nan for values in by_step.values()]


def _linear_gaussian(rows) -> MDNFit:
    """One normal whose mean is linear in x: ridge with a unit prior on the standardised coefficients.

    A single normal cannot set a wild row aside as a mixture does: one in 16 cost 12 nats. Those that were warned of are
    left out.
    """
    n_given = len(rows.y)
    rows = rows.take(np.abs(rows.y) <= OUTLIER_DISTANCE)
    n, d = rows.x.shape
    network = Network(d, (), 1, "tanh", None)
    x = np.column_stack([rows.x, np.ones(n)])
    gram = (x * rows.weight[:, None]).T @ x
    prior = np.diag([1.0] * d + [0.0])
    coefficients = np.linalg.solve(gram + prior, (x * rows.weight[:, None]).T @ rows.y)
    effective = np.trace(np.linalg.solve(gram + prior, gram))
    residual = rows.y - x @ coefficients
    variance = np.sum(rows.weight * residual**2) / max(n - effective, 1.0)
    theta = np.zeros(network.n_parameters)
    weight, bias = split(theta, network)[0]
    weight[:, 1], bias[1] = coefficients[:d], coefficients[d]
    bias[2] = np.log(max(np.sqrt(variance), SMALLEST_SCALE))
    outcome = f"Fitted one normal with a linear mean: {n_given} rows are too few for a network (fewer than {TINY_N})."
    if n < n_given:
        outcome += f" Left out as outliers: {n_given - n}."
    return MDNFit(theta, network, True, outcome, 1, {"step": [], "train_loss": [], "validation_nll": []})


# ------------------------------------------------------------------------------------------------- how it went
def _epochs(n_steps, plan, n) -> int:
    return max(1, -(-n_steps // steps_per_epoch(n, plan.batch_size)))


def _describe_stopped_run(run: Training, network, plan, n) -> MDNFit:
    """Outcome of a run with held-out rows."""
    epochs = _epochs(run.n_steps, plan, n)
    if run.status == "patience":
        ending = f"Stopped after {run.n_steps} steps ({epochs} epochs): held-out NLL no longer improved"
    elif run.status == "diverged":
        ending = f"Diverged after {run.n_steps} steps: a loss or gradient was not finite"
    elif run.status == "interrupted":
        ending = f"Interrupted after {run.n_steps} steps ({epochs} epochs)"
    else:
        ending = f"Reached max_iter ({epochs} epochs, {run.n_steps} steps) while held-out NLL was still improving"
    outcome = f"{ending}; the parameters of step {run.best_step}, the best, were kept.{_clipping(run)}"
    return MDNFit(run.theta, network, run.status == "patience", outcome, epochs, run.history)


def _describe_full_run(run: Training, network, plan, n) -> MDNFit:
    """Outcome of a run without held-out rows: converged when the training loss had stopped falling before the end."""
    if run.status == "interrupted":
        return _describe_stopped_run(run, network, plan, n)
    epochs = _epochs(run.n_steps, plan, n)
    losses = run.history["train_loss"]
    earlier, late = losses[: -plan.patience], losses[-plan.patience :]
    settled = run.status == "max_steps" and bool(earlier) and min(late) > min(earlier) - plan.tolerance
    if run.status == "diverged":
        outcome = f"Diverged after {run.n_steps} steps: a loss or gradient was not finite."
    else:
        state = "had settled" if settled else "was still falling"
        outcome = f"Ran all {epochs} epochs ({run.n_steps} steps) without a held-out check; training loss {state}."
    return MDNFit(run.theta, network, settled, outcome + _clipping(run), epochs, run.history)


def _clipping(run) -> str:
    if not run.n_clipped:
        return ""
    return f" {run.n_clipped} of {run.n_steps} gradients were longer than {MAX_GRADIENT_NORM:g} and were cut: look for outliers."
