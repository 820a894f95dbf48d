"""Monitoring of a fit while it runs: progress for callbacks and the terminal, the wish to stop, checkpoints."""

import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np

#: Seconds between two reports to the callbacks, at least.
SECONDS_PER_REPORT = 0.1

#: Seconds between lines at verbose=1.
SECONDS_PER_LINE = 1.0


class Progress(NamedTuple):
    """Progress of a fit, as its callback receives it about ten times a second.

    Attributes
    ----------
    stage : str
        A candidate, a number of components, or the final network on all rows.
    n_steps, max_steps, best_step : int
        Steps of the solver, or iterations of EM. best_step is 0 before the first check; where nothing is held out it is the
        latest one.
    train_loss, validation_nll : float
        At the latest check, in nats and standardised units; nan before, and where nothing is held out.

    Examples
    --------
    >>> progress = Progress("plain inputs", n_steps=100, max_steps=2000, best_step=75, train_loss=0.9, validation_nll=1.0)
    >>> f"{progress.n_steps / progress.max_steps:.0%} done"
    '5% done'
    """

    stage: str
    n_steps: int
    max_steps: int
    best_step: int
    train_loss: float
    validation_nll: float


class RunState(Protocol):
    """The part of a training run that a monitor reads."""

    @property
    def n_steps(self) -> int: ...  # noqa: D102

    @property
    def max_steps(self) -> int: ...  # noqa: D102

    @property
    def best_step(self) -> int: ...  # noqa: D102

    @property
    def history(self) -> dict[str, list[Any]]: ...  # noqa: D102


class CheckpointSink:
    """Receiver of the states of the runs of a fit, in the order in which they begin. This one keeps nothing."""

    def generator(self, rng: np.random.Generator) -> np.random.Generator:
        """Source of all randomness in a fit, seeded by `rng` or, when the fit is resumed, as it was at first."""
        return np.random.default_rng(int(rng.integers(2**63)))

    def begin(self, run: Any) -> None:
        """Register the next run of the fit, or bring it to the state that was kept of it."""

    def write_if_due(self, run: Any) -> None:
        """Keep the state of a run, unless another was kept a moment ago."""

    def write(self, run: Any) -> None:
        """Keep the state of a run."""

    def close(self) -> None:
        """Discard what was kept: the fit is complete."""


class Monitor:
    """Monitor of one fit, shared by all its runs and threads.

    Parameters
    ----------
    callback : callable (Progress) -> object, optional
        The user's; returning True ends the fit, which keeps the best so far.
    verbose : int
        A line on the terminal about every 1/verbose seconds; 0 for none.
    hook : callable (Progress) -> bool, optional
        Called before the callback, as scikit-learn's callbacks are; True ends the fit, too.
    checkpoint : CheckpointSink, optional

    Attributes
    ----------
    stop_reason : str
        "" while the fit may go on, else "stopped" (by a callback) or "interrupted" (by Ctrl-C).

    Examples
    --------
    >>> monitor = Monitor(lambda progress: progress.n_steps >= 20)
    >>> monitor.stop_reason
    ''
    """

    checkpoint: CheckpointSink
    stop_reason: str

    def __init__(
        self,
        callback: Callable[[Progress], object] | None = None,
        *,
        verbose: int = 0,
        hook: Callable[[Progress], bool] | None = None,
        checkpoint: CheckpointSink | None = None,
    ):
        self.checkpoint = CheckpointSink() if checkpoint is None else checkpoint
        self.stop_reason = ""
        self._callback, self._hook, self._verbose = callback, hook, verbose
        self._is_silent = callback is None and hook is None and not verbose
        self._last_report = self._last_line = time.perf_counter()
        self._lock = threading.Lock()

    def report(self, progress: Progress) -> bool:
        """Pass progress on, if the last report is not too recent; True if the fit must end."""
        if not (self.stop_reason or self._is_silent) and time.perf_counter() - self._last_report >= SECONDS_PER_REPORT:
            with self._lock:
                self._last_report = time.perf_counter()
                self._print(progress)
                hook_stops = self._hook is not None and self._hook(progress)
                if (self._callback is not None and self._callback(progress) is True) or hook_stops:
                    self.stop_reason = "stopped"
        return bool(self.stop_reason)

    def after_slice(self, stage: str, run: RunState) -> bool:
        """Write the checkpoint and report a `stage`, after a slice of a training run's work; True if the fit must end."""
        self.checkpoint.write_if_due(run)
        history = run.history
        latest = [history[name][-1] if history[name] else np.nan for name in ("train_loss", "validation_nll")]
        return self.report(Progress(stage, run.n_steps, run.max_steps, run.best_step, *latest))

    def stop(self, reason: str) -> None:
        """End all runs of the fit, which keep the best so far, for a reason: "interrupted" or "stopped"."""
        self.stop_reason = reason

    def _print(self, progress: Progress) -> None:
        now = time.perf_counter()
        if not self._verbose or now - self._last_line <= SECONDS_PER_LINE / self._verbose:
            return
        self._last_line = now
        losses = f"train loss {progress.train_loss:.4f}"
        if not np.isnan(progress.validation_nll):
            losses += f", held-out NLL {progress.validation_nll:.4f}"
        print(f"[{progress.stage}] step {progress.n_steps} of {progress.max_steps}: {losses}", flush=True)  # noqa: T201
