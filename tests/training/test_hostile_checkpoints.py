"""Checkpoints with a right digest and altered content: an error or a fit, never a crash, and no more memory than their bytes."""

import hashlib
import io
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from condensity.training import checkpoint

FITS = """
import sys, warnings
import numpy as np
from condensity import MDNRegressor, monitor
from condensity.engines import driver
from condensity.training import checkpoint

warnings.simplefilter("ignore")
rng = np.random.default_rng(0)
X, y = rng.normal(size=(150, 1)), rng.normal(size=150)
path = sys.argv[1]
model = MDNRegressor(2, hidden_layer_sizes=(4,), max_iter=6, n_members=2, support_model=None, random_state=0, checkpoint=path)

class Stop(Exception):
    pass

def stop(progress):
    raise Stop

checkpoint.SECONDS_PER_WRITE, driver.SLICE_SECONDS, monitor.SECONDS_PER_REPORT = -1.0, 0.0, 0.0
try:
    model.set_params(callback=stop).fit(X, y)
except Stop:
    pass
model.set_params(callback=None)
whole = open(path, "rb").read()
fit_of = {}
print_of = checkpoint._parse(whole[checkpoint.DIGEST_SIZE:])
ended = {"refused": 0, "fitted": 0}
for case in range(60):
    rng = np.random.default_rng(case)
    states = [bytearray(state) for state in print_of[2]]
    state = states[rng.integers(len(states))]
    if case % 4 == 3:
        del state[int(rng.integers(len(state))):]
    else:
        for _ in range(1 + 40 * (case % 4)):  # few or many words, so that the row numbers are hit
            start = 4 * int(rng.integers(len(state) // 4))
            state[start : start + 4] = int(rng.choice([2**32 - 1, 2**31, 10**6, 7])).to_bytes(4, "little")
    checkpoint.write(model_path := __import__("pathlib").Path(path), *print_of[:2], [bytes(each) for each in states])
    try:
        model.fit(X, y)
        ended["fitted"] += 1
    except ValueError:
        ended["refused"] += 1
        model_path.unlink()
print(ended)
assert ended["refused"] > 10
"""


@pytest.mark.trap(111)
def test_altered_states_are_refused_before_they_are_used(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FITS, tmp_path / "c"], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr


def sealed(body):
    return hashlib.sha256(body).digest() + body


def bomb():
    """A small archive that unpacks to a gigabyte, as np.load would read it."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("state0.npy", bytes(2**24))
    return content.getvalue()


def header(text, body=b""):
    return len(text).to_bytes(8, "little") + text.encode() + body


@pytest.mark.trap(111)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        bomb(),
        header("{}"),
        header('{"__metadata__":{"fit":"[1, 2]"}}'),
        header('{"__metadata__":{"fit":"[\\"print\\", -1]"}}'),
        header(
            '{"__metadata__":{"fit":"[\\"print\\", 1]"},'
            '"0":{"dtype":"U8","shape":[4000000000],"data_offsets":[0,4000000000]}}'
        ),
        header('{"__metadata__":{"fit":"[\\"print\\", 1]"},"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', b"x"),
    ],
    ids=["nothing", "zip bomb", "no metadata", "no text", "a seed below zero", "four gigabytes", "an unknown name"],
)  # fmt: skip
def test_files_that_no_fit_writes_are_damaged(tmp_path, body):
    path = tmp_path / "c"
    path.write_bytes(sealed(body))
    with pytest.raises(ValueError, match="damaged"):
        checkpoint.read(path, "print")


def test_a_checkpoint_comes_back(tmp_path):
    states = [np.arange(9, dtype=np.uint8).tobytes(), b""]
    checkpoint.write(tmp_path / "c", "print", 2**63 - 1, states)
    assert checkpoint.read(tmp_path / "c", "print") == (2**63 - 1, states)
