"""Fit of mixture density networks to standardised rows: the best candidate on validation rows is trained on all rows."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from condensity.compute import AUTO, Compute
from condensity.data.splitting import fold_splits, held_out_splits
from condensity.engines.types import History, Split, TrainingResult, TrainingRows, all_rows
from condensity.monitor import Monitor
from condensity.training import cross_fits, outcome
from condensity.training.copies import merge_copies
from condensity.training.gaussian_init import GaussianInit, GaussianInitFitter
from condensity.training.initialization import initialize_silent
from condensity.training.linear import MIN_ROWS_FOR_NETWORK, describe_linear, fit_linear_gaussian
from condensity.training.predict import limit_inputs
from condensity.training.race import Candidate, CandidateRace
from condensity.training.result import ENDED_BY_USER, MDNFit
from condensity.training.settings import Recipe, Settings, recipes_to_try

#: Rows on which candidates are compared, at most, by random held-out rows of at most so many. With more rows the best candidate
#: is then trained on all but the held-out ones, once: these are so few that training again with them would change nothing.
MAX_COMPARISON_ROWS, MAX_HELD_OUT_ROWS = 200_000, 30_000


def fit_mdn(
    settings: Settings,
    rows: TrainingRows,
    rng: np.random.Generator,
    validation: TrainingRows | None = None,
    *,
    compute: Compute = AUTO,
    monitor: Monitor | None = None,
    earlier: MDNFit | None = None,
    fit_gaussian_init: GaussianInitFitter | None = None,
    cross_fit: bool = False,
) -> MDNFit:
    """Fit by the recipe of the settings.

    Parameters
    ----------
    settings : Settings
    rows : TrainingRows
        Standardised training rows, weights with mean one; their x is limited in place.
    rng : numpy Generator
    validation : TrainingRows, optional
        The caller's own validation rows; they replace the random splits.
    compute : Compute
        Its threads are members that train at a time.
    monitor : Monitor, optional
        Its checkpoint is closed when the fit is complete.
    earlier : MDNFit, optional
        Start from its parameters, in its network.
    fit_gaussian_init : callable, optional
        Fits the mixture that the networks correct, for init='gmm'.
    cross_fit : bool
        Without early stopping, train on parts of the rows as well, to be judged by the others.

    Raises
    ------
    ValueError
        If only one of `rows` and `validation` has offsets, or the settings ask for another network than `earlier`'s.
    """
    monitor = Monitor() if monitor is None else monitor
    rng = monitor.checkpoint.generator(rng)
    limit_inputs(rows.x, out=rows.x)
    if settings.early_stopping and validation is None and len(rows.y) < MIN_ROWS_FOR_NETWORK:
        fit = _fit_linear(rows, rng)
    else:
        race = CandidateRace(settings, rows, rng, monitor, compute, earlier, fit_gaussian_init)
        by_schedule = partial(_fit_without_validation, race, cross_fit=cross_fit)
        fit = _fit_validated(race, validation) if settings.early_stopping else by_schedule()
    if not fit.ended_by_user:
        monitor.checkpoint.close()
    return fit


def _fit_linear(rows: TrainingRows, rng: np.random.Generator) -> MDNFit:
    """One normal with a linear mean, cross-fitted in folds."""
    theta, network = fit_linear_gaussian(rows)
    no_history: History = {"step": [], "train_loss": [], "validation_nll": []}
    unscored = np.full(len(rows.y), np.nan)
    parts = cross_fits.of_linear(rows, rng)
    return MDNFit(theta[None], network, True, describe_linear(rows), 1, no_history, unscored, cross_fits=parts)


def _fit_without_validation(race: CandidateRace, *, cross_fit: bool) -> MDNFit:
    """A run over the whole schedule on all rows and, to `cross_fit`, such runs on parts of them."""
    settings = race.settings
    recipes = recipes_to_try(settings, race.rows)
    candidates = race.train_candidates(recipes, [all_rows(len(race.rows.y))] * settings.n_members)
    training = candidates[0].training
    fit = _describe(race, candidates[0], training, outcome.of_full_run, candidates, race.gaussian_inits)
    if not cross_fit or fit.ended_by_user or race.earlier is not None:
        return fit
    return replace(fit, cross_fits=cross_fits.of_full_runs(race, recipes))


def _fit_validated(race: CandidateRace, validation: TrainingRows | None) -> MDNFit:
    """The candidate that is best on validation rows, trained on all rows where the recipe says so."""
    settings, earlier = race.settings, race.earlier
    splits = _splits(race, validation)
    recipes = recipes_to_try(settings, race.rows) if earlier is None else recipes_to_try(settings, race.rows)[:1]
    many = len(race.rows.y) > MAX_COMPARISON_ROWS
    candidates = _candidates_of_sample(race, recipes, splits) if many else race.train_candidates(recipes, splits)
    finished = [candidate for candidate in candidates if candidate.ended and not candidate.dropped]
    best = min(finished, key=lambda candidate: candidate.training.best_loss)
    ended_by_user = any(candidate.training.status in ENDED_BY_USER for candidate in candidates)
    by_folds = len(splits) > settings.n_members
    refits = settings.n_members == 1 and validation is None and ((settings.refit and not many) or by_folds)
    if not ended_by_user and race.gaussian_inits is not None and earlier is None:
        log_density, loss = race.score_gaussian_inits(best)
        if loss <= best.training.best_loss:
            return _gaussian_init_alone(race, best, log_density, loss, candidates, refits=refits)
    if refits and not ended_by_user and best.training.best_step > 0:  # 0: diverged before the first check
        final, gaussian_inits = race.train_on_all_rows(best)
        if final.best_step > 0:  # 0: what chose the number of steps is still good
            return _describe(race, best, final, outcome.of_refit, candidates, gaussian_inits)
    return _describe(race, best, best.training, outcome.of_stopped_run, candidates, race.gaussian_inits)


def _splits(race: CandidateRace, validation: TrainingRows | None) -> list[Split]:
    """A split for each member; the caller's validation rows are appended to the race's table."""
    settings, n, splitter = race.settings, len(race.rows.y), race.rows.splitter
    if validation is not None:
        race.table = race.rows.followed_by(validation._replace(x=limit_inputs(validation.x)))
        return [Split(np.arange(n), np.arange(n, len(race.table.y)))] * settings.n_members
    if settings.n_members > 1:
        return [Split(*pair) for pair in fold_splits(n, settings.n_members, race.rng, splitter)]
    fraction = settings.validation_fraction
    if n > MAX_COMPARISON_ROWS:
        fraction = min(fraction, MAX_HELD_OUT_ROWS / n)
    return [Split(*pair) for pair in held_out_splits(n, fraction, race.rng, splitter)]


def _candidates_of_sample(race: CandidateRace, recipes: list[Recipe], splits: list[Split]) -> list[Candidate]:
    """The best of the `recipes` on a sample of the rows of each of the `splits`, trained on these, and the others as dropped.

    Networks that start from mixtures are compared on all rows, as the mixtures are fitted to these.
    """
    if len(recipes) == 1 or race.fit_gaussian_init is not None:
        return race.train_candidates(recipes, splits)
    candidates = race.train_candidates(recipes, [_sampled(split, race.rng) for split in splits])
    if any(candidate.training.status in ENDED_BY_USER for candidate in candidates):
        return candidates
    best = min((each for each in candidates if not each.dropped), key=lambda each: each.training.best_loss)
    losers = [replace(each, dropped=True) for each in candidates if each is not best]
    return race.train_candidates([best.recipe], splits) + losers


def _sampled(split: Split, rng: np.random.Generator) -> Split:
    """A split with at most `MAX_COMPARISON_ROWS` of the kept rows and `MAX_HELD_OUT_ROWS` of the others, drawn by `rng`."""
    kept, held_out = (
        rows if len(rows) <= limit else rng.choice(rows, limit, replace=False)
        for rows, limit in zip(split, (MAX_COMPARISON_ROWS, MAX_HELD_OUT_ROWS), strict=True)
    )
    return Split(kept, held_out)


def _gaussian_init_alone(
    race: CandidateRace,
    candidate: Candidate,
    log_density: np.ndarray,
    loss: float,
    candidates: list[Candidate],
    *,
    refits: bool,
) -> MDNFit:
    """The members' mixtures, with networks that add nothing."""
    gaussian_inits = race.gaussian_inits_of_all_rows() if refits else list(race.gaussian_inits or [])
    theta = initialize_silent(candidate.network, np.random.default_rng(0))
    fit = _describe(race, candidate, candidate.training, outcome.of_stopped_run, candidates, gaussian_inits)
    return replace(
        fit,
        parameters=np.array([theta] * len(gaussian_inits)),
        converged=True,
        outcome=outcome.of_gaussian_init_alone(candidate, loss),
        held_out_log_density=merge_copies(log_density, race.n_copies)[: len(race.rows.y)],
        cross_fits=[each._replace(parameters=theta) for each in fit.cross_fits],
    )


def _describe(
    race: CandidateRace,
    candidate: Candidate,
    training: TrainingResult,
    sentence: Callable[[Candidate, TrainingResult, int], tuple[bool, str]],
    candidates: list[Candidate],
    gaussian_inits: list[GaussianInit] | None,
) -> MDNFit:
    """A fit from its last run, its outcome in the words of `sentence`."""
    n, chooser = len(race.rows.y), candidate.training
    is_refit = training is not chooser
    converged, text = sentence(candidate, training, n)
    return MDNFit(
        parameters=training.parameters,
        network=candidate.fitted,
        converged=converged,
        outcome=text,
        n_iter=outcome.epochs(training.n_steps, candidate.plan, n if is_refit else candidate.n_kept),
        history=chooser.history,  # with the validation curve that chose the number of steps
        held_out_log_density=merge_copies(chooser.held_out_log_density, candidate.n_copies)[:n],
        candidates=[_summary(each) for each in candidates],
        ended_by_user=training.status in ENDED_BY_USER,
        gaussian_inits=gaussian_inits,
        cross_fits=cross_fits.of_candidate(race, candidate),
    )


def _summary(candidate: Candidate) -> dict[str, Any]:
    """Recipe, steps and validation NLL of a candidate."""
    training, dropped = candidate.training, candidate.dropped
    return {
        "numeric_encoding": candidate.recipe.encoding,
        "covariance_type": candidate.recipe.covariance_type,
        "n_components": candidate.network.n_components,
        "n_steps": candidate.race_step if dropped else training.best_step,
        "held_out_nll": candidate.race_loss if dropped else training.best_loss,
        "dropped": dropped,
    }
