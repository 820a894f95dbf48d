"""The file from which a fit can go on after a crash: always whole, never code."""

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np

from condensity.persistence import write_atomically

DIGEST_SIZE = hashlib.sha256().digest_size


def write(path: Path, fingerprint: str, seed: int, states: list) -> None:
    """Write the states of the runs, atomically: no crash leaves half a file."""
    parts: dict[str, Any] = {f"state{i}": np.frombuffer(state, dtype=np.uint8) for i, state in enumerate(states)}
    content = io.BytesIO()
    np.savez(content, fingerprint=np.array(fingerprint), seed=np.array(seed), **parts)
    body = content.getvalue()
    write_atomically(path, hashlib.sha256(body).digest() + body)


def read(path: Path, fingerprint: str):
    """The seed and the states of the runs of the fit that was broken off.

    Raises
    ------
    ValueError
        If the file is damaged, or of a fit with other data or hyper-parameters.
    """
    content = path.read_bytes()
    digest, body = content[:DIGEST_SIZE], content[DIGEST_SIZE:]
    if hashlib.sha256(body).digest() != digest:
        raise ValueError(f"checkpoint={str(path)!r} is damaged, or no checkpoint; delete it to start afresh.")
    with np.load(io.BytesIO(body), allow_pickle=False) as parts:
        if str(parts["fingerprint"]) != fingerprint:
            raise ValueError(
                f"checkpoint={str(path)!r} is of a fit with other data, hyper-parameters or version; "
                "delete it to start afresh, or give each fit a path of its own."
            )
        return int(parts["seed"]), [parts[f"state{i}"].tobytes() for i in range(len(parts.files) - 2)]
