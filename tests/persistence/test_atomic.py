"""Writing: permissions are kept, what is read-only or read meanwhile is refused, and killed writers leave nothing for long."""

import os
import signal
import stat
import subprocess
import sys
import time

import pytest

from condensity.persistence import check_writable, write_atomically
from condensity.persistence.atomic import Replacement, create_locked, remove_abandoned

POSIX = pytest.mark.skipif(os.name != "posix", reason="permissions and locks are those of POSIX")


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


@POSIX
@pytest.mark.trap(109)
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o777])
def test_a_file_that_is_replaced_keeps_its_permissions(tmp_path, mode):
    path = tmp_path / "m"
    path.write_bytes(b"old")
    path.chmod(mode)
    write_atomically(check_writable(path), b"new")
    assert (path.read_bytes(), mode_of(path)) == (b"new", mode)


@POSIX
@pytest.mark.trap(109)
def test_content_is_never_readable_by_more_than_the_old_file_was(tmp_path):
    path = tmp_path / "m"
    path.write_bytes(b"old")
    path.chmod(0o600)
    with Replacement(path) as replacement:
        assert mode_of(replacement.temporary) == 0o600


@POSIX
@pytest.mark.trap(109)
@pytest.mark.parametrize("mode", [0o444, 0o400, 0o555])
def test_a_read_only_file_is_refused(tmp_path, mode):
    path = tmp_path / "m"
    path.write_bytes(b"old")
    path.chmod(mode)
    with pytest.raises(OSError, match="read-only"):
        check_writable(path)
    assert (path.read_bytes(), os.listdir(tmp_path)) == (b"old", ["m"])


@pytest.mark.trap(110)
def test_a_file_that_is_read_meanwhile_is_refused_by_any_name(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"x\n1\n")
    (tmp_path / "link").symlink_to(tmp_path / "t.csv")
    os.link(tmp_path / "t.csv", tmp_path / "twin")
    for name in ("t.csv", "link", "twin"):
        with pytest.raises(OSError, match="read as well"):
            check_writable(tmp_path / name, [tmp_path / "missing", tmp_path / "t.csv"])
    check_writable(tmp_path / "other", [tmp_path / "t.csv"])


@POSIX
@pytest.mark.trap(108)
def test_what_a_killed_writer_leaves_is_removed_by_the_next_of_the_same_path(tmp_path):
    path = tmp_path / "m"
    code = (
        "import sys, time, pathlib\nfrom condensity.persistence import Replacement\n"
        "r = Replacement(pathlib.Path(sys.argv[1]))\nprint('ready', flush=True)\ntime.sleep(60)"
    )
    child = subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE)
    assert child.stdout.readline() == b"ready\n"
    other, stream = create_locked(tmp_path, ".condensity-another-")
    check_writable(path)
    assert len(os.listdir(tmp_path)) == 2  # that of a living writer stays
    child.kill()
    child.wait()
    child.stdout.close()
    assert len(os.listdir(tmp_path)) == 2
    check_writable(path)
    assert os.listdir(tmp_path) == [other.name]
    stream.close()
    remove_abandoned(tmp_path, ".condensity-another-")
    assert os.listdir(tmp_path) == []


@POSIX
@pytest.mark.trap(108)
def test_a_planted_link_or_pipe_of_that_name_does_no_harm(tmp_path):
    (tmp_path / "precious").write_bytes(b"x")
    (tmp_path / ".condensity-a-1.tmp").symlink_to(tmp_path / "precious")
    os.mkfifo(tmp_path / ".condensity-a-2.tmp")
    start = time.monotonic()
    remove_abandoned(tmp_path, ".condensity-a-")
    assert time.monotonic() - start < 5
    assert (tmp_path / "precious").read_bytes() == b"x"


@POSIX
@pytest.mark.trap(108)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signals_leave_neither_half_a_file_nor_a_copy_of_stdin(tmp_path, number):
    pytest.importorskip("pyarrow")
    from condensity import JointGMMRegressor

    JointGMMRegressor(1, support_model=None).fit([[0.0], [1.0], [2.0], [3.0]], [0.0, 1.1, 1.9, 3.0]).save(
        tmp_path / "m"
    )
    (tmp_path / "tmp").mkdir()
    command = [sys.executable, "-m", "condensity.cli", "predict", "m", "-", "-o", "out.csv"]
    child = subprocess.Popen(
        command,
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(tmp_path / "tmp")},
    )
    child.stdin.write(b"x\n" + b"1\n" * 100_000)
    child.stdin.flush()
    for _ in range(600):
        if os.listdir(tmp_path / "tmp"):
            break
        time.sleep(0.05)
    (copy,) = (tmp_path / "tmp").iterdir()
    assert mode_of(copy) == 0o600
    child.send_signal(number)
    errors = child.communicate(timeout=60)[1].decode()
    assert child.returncode == 128 + number
    assert errors.count("\n") == 1
    assert "nothing was written" in errors
    assert os.listdir(tmp_path / "tmp") == []
    assert sorted(os.listdir(tmp_path)) == ["m", "tmp"]
