"""What goes on between slices of a fit: progress for the user, the state of its runs for a checkpoint."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from condensity.monitor import Progress
from condensity.training import checkpoint

#: Seconds between two writings of the checkpoint.
WRITE_EVERY = 1.0


class Journal:
    """Passes progress on, and keeps the states of the runs of a fit, in order, in a file.

    Parameters
    ----------
    path : path-like, optional
        Checkpoint; None keeps none. If it exists, the fit goes on from it.
    fingerprint : str
        Of data and hyper-parameters: a checkpoint of others is refused.
    callback : callable (Progress), optional
        True ends the fit, which keeps the best so far.
    """

    def __init__(self, path=None, fingerprint="", callback: Callable[[Progress], object] | None = None):
        self._path, self._fingerprint, self._callback = None if path is None else Path(path), fingerprint, callback
        self._seed: int | None = None
        self._states: list[bytes] = []
        self._n_runs, self._written = 0, time.perf_counter()
        if self._path is not None and self._path.exists():
            self._seed, self._states = checkpoint.read(self._path, fingerprint)

    def generator(self, rng) -> np.random.Generator:
        """The source of all randomness in the fit: that of the fit that goes on, or a fresh one."""
        drawn = int(rng.integers(2**63))
        self._seed = drawn if self._seed is None else self._seed
        return np.random.default_rng(self._seed)

    def begin(self, run) -> int:
        """The number of the next run of the fit, which goes on from where the checkpoint left it."""
        number = self._n_runs
        self._n_runs += 1
        if number < len(self._states):
            run.restore(self._states[number])
        elif self._path is not None:
            self._states.append(run.save())
        return number

    def between(self, stage, number):
        """What `trainer.run_to_end` calls between slices of a run; True to end it."""

        def look(run):
            if self._path is not None and time.perf_counter() - self._written > WRITE_EVERY:
                self.keep(number, run)
            if self._callback is None:
                return False
            history = run.history
            latest = [history[name][-1] if history[name] else np.nan for name in ("train_loss", "validation_nll")]
            return self._callback(Progress(stage, run.n_steps, run.max_steps, run.best_step, *latest)) is True

        return look

    def keep(self, number, run) -> None:
        """Write how far a run has come."""
        if self._path is None or self._seed is None:
            return
        self._states[number] = run.save()
        checkpoint.write(self._path, self._fingerprint, self._seed, self._states)
        self._written = time.perf_counter()

    def close(self) -> None:
        """The fit is done, and the checkpoint with it."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)
