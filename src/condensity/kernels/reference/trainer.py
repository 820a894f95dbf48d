"""The training loop: shuffle, batches, schedule, held-out checks, best parameters kept. NumPy float64."""

from typing import NamedTuple

import numpy as np

from condensity.kernels.reference.network import Penalty, log_density, loss_and_gradient, matrix_mask
from condensity.kernels.reference.optimizer import SOLVERS

#: A held-out row counts for at most this many nats, so that one wild row cannot choose the stopping point.
ROW_LOSS_CEILING = 20.0


class Rows(NamedTuple):
    """Standardised training or validation rows: x (n, d), y (n,), weight (n,) with mean one."""

    x: np.ndarray
    y: np.ndarray
    weight: np.ndarray

    def take(self, index) -> "Rows":
        """The rows at `index`."""
        return Rows(self.x[index], self.y[index], self.weight[index])


class Plan(NamedTuple):
    """How to train, every choice made.

    Attributes
    ----------
    solver : str
        A key of `optimizer.SOLVERS`.
    learning_rate : float
    warm_up : int
        Steps over which the rate rises linearly.
    batch_size, max_steps, check_every : int
    patience : int
        Checks without an improvement of `tolerance` nats after which held-out training stops.
    tolerance : float
    weight_decay : float
    penalty : Penalty
    max_gradient_norm : float
        Longer gradients are cut to this length and counted.
    """

    solver: str
    learning_rate: float
    warm_up: int
    batch_size: int
    max_steps: int
    check_every: int
    patience: int
    tolerance: float
    weight_decay: float
    penalty: Penalty
    max_gradient_norm: float


class Training(NamedTuple):
    """What training gave.

    Attributes
    ----------
    theta : ndarray (n_parameters,)
        The best parameters: lowest held-out loss, or the last usable ones where nothing is held out.
    status : str
        'patience' (held-out loss stopped improving), 'max_steps', 'diverged' (a loss or gradient was not finite, or a
        checked model gave nan), or 'interrupted' (Ctrl-C).
    n_steps, best_step, n_clipped : int
    history : dict of lists
        'step', 'train_loss' (mean over the steps since the last check) and 'validation_nll', one entry a check.
    """

    theta: np.ndarray
    status: str
    n_steps: int
    best_step: int
    n_clipped: int
    history: dict


def steps_per_epoch(n_rows, batch_size) -> int:
    """Batches that one pass over the rows takes."""
    return -(-n_rows // batch_size)


def batches(n_rows, batch_size, rng):
    """Endless row indices: a new permutation each epoch, cut into batches whose sizes differ by at most one."""
    while True:
        yield from np.array_split(rng.permutation(n_rows), steps_per_epoch(n_rows, batch_size))


def held_out_loss(theta, network, rows) -> float:
    """Weighted mean held-out NLL, each row's share limited by `ROW_LOSS_CEILING`."""
    row_loss = np.minimum(-log_density(theta, network, rows.x, rows.y), ROW_LOSS_CEILING)
    return float(np.average(row_loss, weights=rows.weight))


class _Watch:
    """Records the run at every check, keeps the best parameters, and says when patience is over."""

    def __init__(self, theta, network, plan, validation):
        self.network, self.plan, self.validation = network, plan, validation
        self.best, self.best_step, self.best_loss = theta.copy(), 0, np.inf
        self.reference_loss, self.stale = np.inf, 0
        self.history: dict[str, list] = {"step": [], "train_loss": [], "validation_nll": []}

    def check(self, step, theta, train_loss, batch) -> str | None:
        """Look at the model, on the last batch where nothing is held out; why training should stop, if it should."""
        loss = held_out_loss(theta, self.network, batch if self.validation is None else self.validation)
        held_out = np.nan if self.validation is None else loss
        for name, value in (("step", step), ("train_loss", float(train_loss)), ("validation_nll", held_out)):
            self.history[name].append(value)
        if np.isnan(loss):
            return "diverged"
        if self.validation is None or held_out < self.best_loss:
            self.best, self.best_step, self.best_loss = theta.copy(), step, held_out
        if self.validation is None:
            return None
        if held_out < self.reference_loss - self.plan.tolerance:
            self.reference_loss, self.stale = held_out, 0
        else:
            self.stale += 1
        return "patience" if self.stale >= self.plan.patience else None


@np.errstate(over="ignore", invalid="ignore")  # what overflows is looked for, and ends the run as 'diverged'
def train(theta, network, plan, rng, rows, validation=None) -> Training:
    """Minimise the penalised NLL on `rows`; with `validation` rows, stop early and keep the best parameters.

    Parameters
    ----------
    theta : ndarray (n_parameters,)
        Start; not written to.
    network : Network
    plan : Plan
    rng : numpy Generator
        Shuffles the rows.
    rows, validation : Rows

    Raises
    ------
    KeyboardInterrupt
        At Ctrl-C, if no parameters have been looked at yet; later, the best so far are kept.
    """
    solver = SOLVERS[plan.solver](theta, weight_decay=plan.weight_decay, decay_mask=matrix_mask(network))
    watch = _Watch(theta, network, plan, validation)
    stream = batches(len(rows.y), plan.batch_size, rng)
    status, step, losses, n_clipped = "max_steps", 0, [], 0
    try:
        while step < plan.max_steps:
            batch = rows.take(next(stream))
            loss, gradient = loss_and_gradient(solver.query(), network, batch.x, batch.y, batch.weight, plan.penalty)
            length = float(np.linalg.norm(gradient))
            if not (np.isfinite(loss) and np.isfinite(length)):
                status = "diverged"
                break
            if length > plan.max_gradient_norm:
                gradient, n_clipped = gradient * (plan.max_gradient_norm / length), n_clipped + 1
            step += 1
            losses.append(loss)
            solver.step(gradient, plan.learning_rate * min(1.0, step / max(plan.warm_up, 1)))
            if step % plan.check_every == 0 or step == plan.max_steps:
                ending = watch.check(step, solver.model(), np.mean(losses), batch)
                losses = []
                if ending:
                    status = ending
                    break
    except KeyboardInterrupt:
        if watch.best_step == 0:
            raise
        status = "interrupted"
    return Training(watch.best, status, step, watch.best_step, n_clipped, watch.history)
