"""The engine that computes, and its number of threads."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Compute:
    """An engine and a number of threads. Results are the same to the bit for any number of threads.

    Attributes
    ----------
    engine : str
        "auto", "native", "reference", or the name of an engine registered with `condensity.engines.register`. "auto" is
        the engine named by the environment variable CONDENSITY_ENGINE or, where that is unset, the fastest one.
    n_threads : int
        At least 1.

    Examples
    --------
    >>> Compute.of("reference", n_jobs=2)
    Compute(engine='reference', n_threads=2)
    >>> Compute.of("reference", n_jobs=2).one_thread
    Compute(engine='reference', n_threads=1)
    """

    engine: str = "auto"
    n_threads: int = 1

    @classmethod
    def of(cls, engine: str = "auto", n_jobs: int | None = None) -> "Compute":
        """The `engine` on joblib's n_jobs threads: None is what `joblib.parallel_config` asks for, else 1; −1 all cores."""
        return cls(engine, _effective_n_jobs(n_jobs))

    @property
    def one_thread(self) -> "Compute":
        """The same engine on a single thread, for work that is itself run in parallel."""
        return replace(self, n_threads=1)


#: One thread of the engine that is chosen automatically.
AUTO = Compute()


def _effective_n_jobs(n_jobs: int | None) -> int:
    """Threads as joblib counts them (containers, nested workers), which is imported only where it can matter."""
    if n_jobs is None and "joblib" not in sys.modules:  # nobody can have configured what nobody has imported
        return 1
    from joblib import effective_n_jobs

    return effective_n_jobs(n_jobs)


_CURRENT: ContextVar[Compute | None] = ContextVar("condensity_compute", default=None)


def current() -> Compute:
    """The value set by `using` around the call; else engine "auto" and the threads that `joblib.parallel_config` asks for."""
    return _CURRENT.get() or Compute.of()


@contextmanager
def using(compute: Compute) -> Iterator[Compute]:
    """Context in which verbs of distributions run on `compute`.

    Examples
    --------
    >>> with using(Compute("reference")):
    ...     current().engine
    'reference'
    """
    token = _CURRENT.set(compute)
    try:
        yield compute
    finally:
        _CURRENT.reset(token)
