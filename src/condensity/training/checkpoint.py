"""Checkpoint file from which a fit can be resumed after a crash: always whole, never code."""

import hashlib
import json
import time
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors import numpy as safetensors

from condensity.engines.api import Engine, ResumableRun
from condensity.engines.types import TrainingRows
from condensity.monitor import CheckpointSink
from condensity.persistence import check_writable, write_atomically
from condensity.training.settings import Settings

DIGEST_SIZE = hashlib.sha256().digest_size

#: Seconds between two writes of the file, at least.
SECONDS_PER_WRITE = 1.0


def fingerprint(engine: Engine, settings: Settings, tables: Sequence[TrainingRows], start: np.ndarray | None) -> str:
    """Digest of everything that decides the bits of a fit: `engine`, `settings`, `tables` and the `start` (m, n_parameters).

    Raises
    ------
    ValueError
        For an engine whose runs cannot be resumed.
    """
    if engine.source_hash is None:
        raise ValueError(f"checkpoint needs the native engine; the {engine.name} engine cannot be resumed.")
    digest = hashlib.sha256(f"{engine.source_hash} {settings}".encode())
    splits = [array for table in tables if table.splitter is not None for array in table.splitter.arrays()]
    for part in (*(column for table in tables for column in table[:4]), *splits, start):
        if part is not None:
            digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()


class Checkpoint(CheckpointSink):
    """States of the runs of a fit, in a file.

    Parameters
    ----------
    path : path-like
        If it exists, the fit is resumed from it.
    fingerprint : str
        Of data and hyper-parameters: a checkpoint of others is refused.

    Raises
    ------
    ValueError
        If the file is damaged, or of another fit.

    Examples
    --------
    >>> checkpoint = Checkpoint("fit.checkpoint", "digest of data and hyper-parameters")
    >>> generator = checkpoint.generator(np.random.default_rng(0))
    >>> checkpoint.close()
    """

    def __init__(self, path: str | PathLike[str], fingerprint: str):
        self._path, self._fingerprint = check_writable(path), fingerprint
        self._seed: int | None = None
        self._states: list[bytes] = []
        self._runs: list[ResumableRun] = []
        self._last_write = time.perf_counter()
        if self._path.exists():
            self._seed, self._states = read(self._path, fingerprint)

    def generator(self, rng: np.random.Generator) -> np.random.Generator:
        """Source of all randomness in the fit, seeded by `rng` or, when the fit is resumed, as it was at first."""
        drawn = int(rng.integers(2**63))
        self._seed = drawn if self._seed is None else self._seed
        return np.random.default_rng(self._seed)

    def begin(self, run: ResumableRun) -> None:
        """Register the next run of the fit; it is brought to the state in the file, if there is one."""
        self._runs.append(run)
        if len(self._runs) <= len(self._states):
            run.restore(self._states[len(self._runs) - 1])
        else:
            self._states.append(run.save())

    def write_if_due(self, run: ResumableRun) -> None:
        """Write the present state of `run`, unless the last write was less than `SECONDS_PER_WRITE` ago."""
        if time.perf_counter() - self._last_write > SECONDS_PER_WRITE:
            self.write(run)

    def write(self, run: ResumableRun) -> None:
        """Write the file, with the present state of this run and the last ones of the others."""
        number = next(i for i, each in enumerate(self._runs) if each is run)
        self._states[number] = run.save()
        if self._seed is not None:
            write(self._path, self._fingerprint, self._seed, self._states)
        self._last_write = time.perf_counter()

    def close(self) -> None:
        """Remove the file: the fit is complete."""
        self._path.unlink(missing_ok=True)


def write(path: Path, fingerprint: str, seed: int, states: list[bytes]) -> None:
    """Write `fingerprint`, `seed` and the runs' `states` to `path`, atomically: no crash leaves half a file."""
    arrays = {str(i): np.frombuffer(state, dtype=np.uint8) for i, state in enumerate(states)}
    body = safetensors.save(arrays, metadata={"fit": json.dumps([fingerprint, seed])})
    write_atomically(path, hashlib.sha256(body).digest() + body)


def read(path: Path, fingerprint: str) -> tuple[int, list[bytes]]:
    """Seed and states of the runs of the fit with this `fingerprint` that was broken off, from the file at `path`.

    Raises
    ------
    ValueError
        If the file is damaged, or of a fit with other data or hyper-parameters.
    """
    content = path.read_bytes() if path.is_file() else b""
    digest, body = content[:DIGEST_SIZE], content[DIGEST_SIZE:]
    try:
        found, seed, states = _parse(body)
        whole = hashlib.sha256(body).digest() == digest
    except (SafetensorError, ValueError, TypeError, KeyError, RecursionError, OverflowError):
        whole = False
    if not whole:
        raise ValueError(f"checkpoint={str(path)!r} is damaged, or no checkpoint; delete it to start afresh.")
    if found != fingerprint:
        raise ValueError(
            f"checkpoint={str(path)!r} is of a fit with other data, hyper-parameters or version; "
            "delete it to start afresh, or give each fit a path of its own."
        )
    return seed, states


def _parse(body: bytes) -> tuple[str, int, list[bytes]]:
    """Fingerprint, seed and states of the runs in the content of a checkpoint; no more than its bytes is allocated."""
    arrays = safetensors.load(body)
    length = int.from_bytes(body[:8], "little")
    fingerprint, seed = json.loads(json.loads(body[8 : 8 + length])["__metadata__"]["fit"])
    if not isinstance(fingerprint, str) or type(seed) is not int or not 0 <= seed < 2**63:
        raise ValueError("no fingerprint and seed")
    return fingerprint, seed, [arrays[str(i)].tobytes() for i in range(len(arrays))]
