"""`MDNFit`: fitted networks, and a record of the fit."""

from dataclasses import dataclass, field

import numpy as np

from condensity.engines.types import ACTIVATIONS, History, Network

#: Statuses of runs that the user has ended: no further run is begun.
ENDED_BY_USER = ("interrupted", "stopped")


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
    """

    parameters: np.ndarray
    network: Network
    converged: bool
    outcome: str
    n_iter: int
    history: History
    held_out_log_density: np.ndarray
    candidates: list = field(default_factory=list)
    ended_by_user: bool = False
    gaussian_inits: list | None = None

    def check_loaded(self) -> None:
        """Refuse networks whose parameters do not have the length of their architecture, before anything is allocated.

        Raises
        ------
        ValueError
        """
        network, shape = self.network, np.shape(self.parameters)
        widths = (*network.hidden, network.n_components, network.n_outputs)
        if not all(type(width) is int and width > 0 for width in widths) or network.activation not in ACTIVATIONS:
            raise ValueError("widths must be positive numbers, and the activation one that there is")
        fits = len(shape) == 2 and shape[0] >= 1 and shape[1] == network.n_parameters
        if not fits or not np.isfinite(self.parameters).all():
            raise ValueError("a network must have as many numbers as its layers need, all finite")

    @property
    def log_scale_bounds(self) -> tuple | None:
        """Bounds of log σ, or None."""
        return self.network.log_scale_bounds
