"""Fits that go on: from a checkpoint after a crash, from the last fit, and epoch by epoch."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import fields

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from condensity import MDNRegressor, engines, monitor, training
from condensity.datasets.synthetic import make_cross
from condensity.engines import driver
from condensity.engines.types import TrainingRows
from condensity.training import checkpoint

needs_native = pytest.mark.skipif(not engines.native_available(), reason="the compiled extension is not built")
DATA = make_cross(400, random_state=0)


def model(**changes):
    settings = {
        "hidden_layer_sizes": (16,),
        "n_components": 4,
        "random_state": 0,
        "max_iter": 60,
        "tol": 0.0,
        **changes,
    }
    return MDNRegressor(**settings)


pytestmark = [
    pytest.mark.filterwarnings(f"ignore:.*{words}:sklearn.exceptions.ConvergenceWarning")
    for words in ("Reached max_iter", "Ran all 5 epochs")
]


class CrashError(Exception):
    """What a callback raises to break a fit off."""


def crash_after(calls):
    left = [calls]

    def callback(progress):
        left[0] -= 1
        if left[0] < 0:
            raise CrashError

    return callback


@pytest.mark.trap(52, 56)
@needs_native
@pytest.mark.parametrize("changes", [{}, {"n_members": 3}, {"numeric_encoding": "piecewise"}], ids=str)
def test_a_fit_broken_off_anywhere_goes_on_to_the_same_bits(tmp_path, monkeypatch, changes):
    monkeypatch.setattr(driver, "SLICE_SECONDS", 0.0)
    monkeypatch.setattr(checkpoint, "SECONDS_PER_WRITE", 0.0)
    monkeypatch.setattr(monitor, "SECONDS_PER_REPORT", 0.0)
    x, y = np.column_stack([DATA.X, DATA.X**2]), DATA.y
    straight = model(**changes).fit(x, y)
    path = tmp_path / "fit.checkpoint"
    n_crashes = 0
    while True:
        again = model(checkpoint=path, callback=crash_after(150), **changes)
        try:
            again.fit(x, y)
        except CrashError:
            n_crashes += 1
            assert path.exists()
            continue
        break
    assert n_crashes >= 2
    np.testing.assert_array_equal(again.model_.parameters, straight.model_.parameters)
    np.testing.assert_array_equal(again.oof_score_samples_, straight.oof_score_samples_)
    assert again.outcome_ == straight.outcome_
    assert not path.exists()  # it has served


@pytest.mark.trap(52)
@needs_native
def test_kill_9_loses_nothing(tmp_path):
    """A process killed in the middle of a fit, without any random_state: the next one ends as if nothing had happened."""
    path = tmp_path / "fit.checkpoint"
    script = textwrap.dedent(f"""
        import numpy as np, sys, warnings
        from condensity import MDNRegressor
        from condensity.training import checkpoint
        warnings.simplefilter("ignore")
        checkpoint.SECONDS_PER_WRITE = 0.05
        x = np.random.default_rng(0).normal(size=(3000, 4))
        model = MDNRegressor(n_members=2, random_state=int(sys.argv[2]), checkpoint=sys.argv[1] or None)
        model.fit(x, x[:, 0] + 0.1 * x[:, 1] ** 3)
        np.save({str(tmp_path / "thetas.npy")!r}, model.model_.parameters)
    """)

    def start(path, seed):
        return subprocess.Popen(
            [sys.executable, "-c", script, str(path), str(seed)], env={**os.environ, "OMP_NUM_THREADS": "1"}
        )

    assert start("", 1).wait(timeout=300) == 0
    straight = np.load(tmp_path / "thetas.npy")
    (tmp_path / "thetas.npy").unlink()
    process = start(path, 1)
    deadline = time.monotonic() + 120
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert path.exists()
    assert not (tmp_path / "thetas.npy").exists()
    assert start(path, 1).wait(timeout=300) == 0
    np.testing.assert_array_equal(np.load(tmp_path / "thetas.npy"), straight)


@needs_native
def test_without_a_random_state_the_checkpoint_keeps_the_seed(tmp_path, monkeypatch):
    monkeypatch.setattr(driver, "SLICE_SECONDS", 0.0)
    monkeypatch.setattr(checkpoint, "SECONDS_PER_WRITE", 0.0)
    monkeypatch.setattr(monitor, "SECONDS_PER_REPORT", 0.0)
    path = tmp_path / "fit.checkpoint"
    with pytest.raises(CrashError):
        model(random_state=None, checkpoint=path, callback=crash_after(60)).fit(DATA.X, DATA.y)
    content = path.read_bytes()
    fits = []
    for _ in range(2):
        path.write_bytes(content)
        fits.append(model(random_state=None, checkpoint=path).fit(DATA.X, DATA.y).model_.parameters)
    np.testing.assert_array_equal(*fits)


@needs_native
def test_checkpoints_of_other_fits_and_damaged_ones_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(driver, "SLICE_SECONDS", 0.0)
    monkeypatch.setattr(checkpoint, "SECONDS_PER_WRITE", 0.0)
    monkeypatch.setattr(monitor, "SECONDS_PER_REPORT", 0.0)
    path = tmp_path / "fit.checkpoint"
    with pytest.raises(CrashError):
        model(checkpoint=path, callback=crash_after(60)).fit(DATA.X, DATA.y)
    for other, x, y in [(model(), DATA.X * 1.5 + 1e-3 * DATA.X**2, DATA.y), (model(weight_decay=0.5), DATA.X, DATA.y)]:
        with pytest.raises(ValueError, match="other data, hyper-parameters"):
            other.set_params(checkpoint=path).fit(x, y)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    for damaged in (bytes(content), bytes(content[:50]), b""):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="damaged"):
            model(checkpoint=path).fit(DATA.X, DATA.y)


@needs_native
def test_offsets_are_part_of_what_makes_a_fit_the_same():
    offset = np.zeros((5, 12))
    bare = TrainingRows(np.ones((5, 1)), np.ones((5, 1)), np.ones(5))
    tables = [bare, bare._replace(offset=offset), bare._replace(offset=offset + 1.0)]
    engine, settings = (
        engines.resolve("train", "native"),
        training.Settings(**{field.name: getattr(model(), field.name) for field in fields(training.Settings)}),
    )
    pairs = [(rows, *others) for rows in tables for others in ((), (rows,))] + [(tables[1], tables[2])]
    prints = [training.fingerprint(engine, settings, pair, None) for pair in pairs]
    assert len(set(prints)) == len(prints)
    assert training.fingerprint(engine, settings, (bare,), None) == prints[0]


def test_the_reference_engine_has_no_checkpoint(tmp_path):
    with pytest.raises(ValueError, match="native engine"):
        model(checkpoint=tmp_path / "x", engine="reference").fit(DATA.X, DATA.y)


def test_a_checkpoint_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "x"
    checkpoint.write(path, "print", 7, [b"abc", b""])
    assert checkpoint.read(path, "print") == (7, [b"abc", b""])

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        checkpoint.write(path, "print", 8, [b"other"])
    assert checkpoint.read(path, "print") == (7, [b"abc", b""])


def test_the_callback_sees_progress_and_can_stop(monkeypatch):
    monkeypatch.setattr(driver, "SLICE_SECONDS", 0.0)
    monkeypatch.setattr(monitor, "SECONDS_PER_REPORT", 0.0)
    seen = []

    def callback(progress):
        seen.append(progress)
        return progress.n_steps >= 60

    with pytest.warns(ConvergenceWarning, match="Stopped by the callback after 60 steps"):
        fitted = model(callback=callback).fit(DATA.X, DATA.y)
    assert [progress.n_steps for progress in seen] == list(range(1, 61))
    assert seen[-1].max_steps == 60 * 6
    assert np.isnan(seen[0].validation_nll)
    assert np.isfinite(seen[-1].validation_nll)
    assert np.isfinite(fitted.score(DATA.X, DATA.y))


def test_verbose_prints_progress(capsys, monkeypatch):
    monkeypatch.setattr(driver, "SLICE_SECONDS", 0.0)
    monkeypatch.setattr(monitor, "SECONDS_PER_REPORT", 0.0)
    model(verbose=10**6).fit(DATA.X, DATA.y)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("[plain inputs] step 1 of 360: train loss")
    assert any(line.startswith("[all rows]") for line in lines)
    model().fit(DATA.X, DATA.y)
    assert capsys.readouterr().out == ""


# ------------------------------------------------------------------------------------------------------- more of the same
def test_warm_start_goes_on_from_the_last_fit():
    warm = model(warm_start=True, max_iter=5, early_stopping=False).fit(DATA.X, DATA.y)
    scores = [warm.score(DATA.X, DATA.y)]
    scores += [warm.fit(DATA.X, DATA.y).score(DATA.X, DATA.y) for _ in range(4)]
    assert scores[-1] > scores[0] + 0.05
    cold = model(max_iter=5, early_stopping=False).fit(DATA.X, DATA.y)
    assert cold.score(DATA.X, DATA.y) == scores[0]
    cold.fit(DATA.X, DATA.y)
    assert cold.score(DATA.X, DATA.y) == scores[0]
    # Units stay: the same rows in other units are other rows.
    assert warm.fit(DATA.X, DATA.y).target_.scaler is warm.fit(DATA.X, 3.0 * DATA.y).target_.scaler


@pytest.mark.parametrize(
    "changes", [{"n_components": 5}, {"hidden_layer_sizes": (17,)}, {"activation": "tanh"}], ids=str
)
def test_warm_start_refuses_another_network(changes):
    warm = model(warm_start=True).fit(DATA.X, DATA.y)
    with pytest.raises(ValueError, match="The fitted network has"):
        warm.set_params(**changes).fit(DATA.X, DATA.y)
    with pytest.raises(ValueError, match="1 features"):
        model(warm_start=True).fit(DATA.X, DATA.y).fit(np.column_stack([DATA.X, DATA.X**2]), DATA.y)


@pytest.mark.trap("T18")
@pytest.mark.parametrize("engine", ["native", "reference"])
def test_partial_fit_learns_epoch_by_epoch(engine):
    if engine == "native" and not engines.native_available():
        pytest.skip("the compiled extension is not built")
    all_rows = model(engine=engine)
    scores = []
    for _ in range(60):
        all_rows.partial_fit(DATA.X, DATA.y)
        scores.append(all_rows.score(DATA.X, DATA.y))
    assert (all_rows.n_iter_, all_rows.converged_) == (60, False)
    assert "60 in all" in all_rows.outcome_
    assert len(all_rows.history_["train_loss"]) == 60
    assert np.isfinite(scores).all()
    assert scores[-1] > scores[0] + 1.0
    assert scores[-1] > -0.6  # the truth's is about -.16; one normal's -1.2
    again = model(engine=engine)
    for _ in range(60):
        again.partial_fit(DATA.X, DATA.y)
    np.testing.assert_array_equal(again.model_.parameters, all_rows.model_.parameters)


@pytest.mark.trap("T18")
def test_partial_fit_goes_on_from_fit_and_takes_other_rows():
    fitted = model().fit(DATA.X, DATA.y)
    before = fitted.score(DATA.X, DATA.y)
    more = make_cross(500, random_state=1)
    for _ in range(20):
        fitted.partial_fit(more.X, more.y)
    assert fitted.score(DATA.X, DATA.y) > before - 0.1
    with pytest.raises(ValueError, match="1 features"):
        fitted.partial_fit(np.column_stack([more.X, more.X]), more.y)
    with pytest.raises(ValueError, match="1 columns"):
        fitted.partial_fit(more.X, np.column_stack([more.y, more.y]))
    assert not hasattr(clone(fitted), "n_iter_")
