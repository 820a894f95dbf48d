"""Where a long fit stands: what its callback sees, and the line that `verbose` prints."""

import time
from typing import NamedTuple

import numpy as np

#: Seconds between lines at verbose=1.
SECONDS_PER_LINE = 1.0


class Progress(NamedTuple):
    """Where a fit stands, as its callback sees it about ten times a second.

    Attributes
    ----------
    stage : str
        What is being fitted: a candidate, a number of components, or the last network on all rows.
    n_steps, max_steps, best_step : int
        Steps of the solver, or iterations of EM. best_step is 0 before the first check; where nothing is held out it is the
        latest one.
    train_loss, validation_nll : float
        At the latest check, in nats and standardised units; nan before, and where nothing is held out.
    """

    stage: str
    n_steps: int
    max_steps: int
    best_step: int
    train_loss: float
    validation_nll: float


def watcher(callback, verbose):
    """The caller's callback, after a line on the terminal where verbose asks for it; None if there is nothing to do."""
    if not verbose:
        return callback
    last = [time.perf_counter()]

    def look(progress):
        if time.perf_counter() - last[0] > SECONDS_PER_LINE / verbose:
            last[0] = time.perf_counter()
            losses = f"train loss {progress.train_loss:.4f}"
            if not np.isnan(progress.validation_nll):
                losses += f", held-out NLL {progress.validation_nll:.4f}"
            print(f"[{progress.stage}] step {progress.n_steps} of {progress.max_steps}: {losses}", flush=True)  # noqa: T201
        return None if callback is None else callback(progress)

    return look
