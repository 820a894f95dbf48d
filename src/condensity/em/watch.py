"""Between two iterations: progress for the user, and whether the fit is to end."""

import threading
import time

import numpy as np

from condensity.monitor import Progress

#: Seconds between two calls of the callback.
LOOK_EVERY = 0.1


class Watch:
    """Shared by all fits of a model; safe in threads.

    Parameters
    ----------
    callback : callable (Progress), optional
        True ends all fits, which keep what they have.

    Attributes
    ----------
    ended : str
        Why all fits must end: "" as long as they need not, "interrupted" or "stopped".
    """

    def __init__(self, callback=None):
        self.ended = ""
        self._callback, self._last, self._lock = callback, time.perf_counter(), threading.Lock()

    def look(self, n_components, n_iter, max_iter, objective):
        """Tell the callback, if it is time to."""
        if self._callback is None or time.perf_counter() - self._last < LOOK_EVERY:
            return
        with self._lock:
            self._last = time.perf_counter()
            stage = f"{n_components} component{'' if n_components == 1 else 's'}"
            if self._callback(Progress(stage, n_iter, max_iter, n_iter, -objective, np.nan)) is True:
                self.ended = "stopped"
