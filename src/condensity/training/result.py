"""`MDNFit`: fitted networks, and a record of the fit."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from condensity.engines.types import History, Network, TrainingRows

#: Statuses of runs that the user has ended: no further run is begun.
ENDED_BY_USER = ("interrupted", "stopped")


class NetworkCrossFit(NamedTuple):
    """Parameters of a network trained on some of the rows, and rows held out of its training.

    Attributes
    ----------
    kept : ndarray of int
        Training rows that it was trained on.
    out : ndarray (h,) of int
        Positions of the others; from n on, those of the caller's own validation rows.
    held_out : TrainingRows
        The rows at these.
    network : Network
    parameters : ndarray (n_parameters,)
    gaussian_init : GaussianInit or None
    """

    kept: np.ndarray
    out: np.ndarray
    held_out: TrainingRows
    network: Network
    parameters: np.ndarray
    gaussian_init: Any


@dataclass(frozen=True)
class MDNFit:
    """Fitted networks and a record of the fit.

    Attributes
    ----------
    parameters : ndarray (m, n_parameters)
    network : Network
    converged : bool
    outcome : str
        How the fit ended, in a sentence with numbers.
    n_iter : int
        Epochs.
    history : History
    held_out_log_density : ndarray (n,)
        Of every training row under the networks that were not trained on it, standardised; nan where there are none.
    candidates : list of dict
        Each with its encoding, its number of steps, its held-out NLL, and whether successive halving dropped it.
    ended_by_user : bool
        Whether Ctrl-C or the callback ended it.
    gaussian_inits : list of GaussianInit or None
        Mixture that each network corrects.
    cross_fits : list of NetworkCrossFit
        Networks that chose the number of steps, with their validation rows.
    """

    parameters: np.ndarray
    network: Network
    converged: bool
    outcome: str
    n_iter: int
    history: History
    held_out_log_density: np.ndarray
    candidates: list[dict[str, Any]] = field(default_factory=list)
    ended_by_user: bool = False
    gaussian_inits: list[Any] | None = None
    cross_fits: list[NetworkCrossFit] = field(default_factory=list)
