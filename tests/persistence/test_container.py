"""The file around a model: whole or not there, never code, refused in a sentence where it is anything else (traps 45–50)."""

import errno
import json
import os
import pickle
import struct
import time

import numpy as np
import pytest
from safetensors.numpy import save

from condensity import persistence
from condensity.persistence import ModelFileError, container, is_model_file, parse, read, write

MANIFEST = {"library_version": "0.1.0", "class": "Thing", "state": {"größe": [1, 2.5, None]}}
TENSORS = {
    "a": np.arange(3.0),
    "b": np.array([[1, -2]], dtype=np.int64),
    "flag": np.array([True, False]),
    "empty": np.empty((0, 4), dtype=np.float32),
    "one": np.array(7, dtype=np.int32),
    "bytes": np.arange(5, dtype=np.uint8),
}
CONTENT = container.serialize(MANIFEST, TENSORS)


def with_header(header, body=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + body


def sealed(manifest, tensors=None):
    """A file whose checksum is right whatever it holds."""
    tensors = TENSORS if tensors is None else tensors
    text = manifest if isinstance(manifest, str) else json.dumps(manifest)
    return save(tensors, metadata={"condensity": f"{container._digest(text, tensors)}\n{text}"})


def test_a_file_comes_back_as_it_was(tmp_path):
    path = write(tmp_path / "m.condensity", MANIFEST, TENSORS)
    assert is_model_file(path)
    manifest, tensors = read(path)
    assert manifest == {"format_version": persistence.FORMAT_VERSION, **MANIFEST}
    assert set(tensors) == set(TENSORS)
    for name, array in TENSORS.items():
        assert tensors[name].dtype == array.dtype
        assert tensors[name].shape == array.shape
        np.testing.assert_array_equal(tensors[name], array)
        assert tensors[name].flags.writeable
    assert os.listdir(tmp_path) == ["m.condensity"]


def test_a_file_whose_first_byte_is_that_of_a_pickle_is_read():
    for length in range(256):  # one of them makes the header's length end in 0x80
        content = container.serialize({**MANIFEST, "padding": "x" * length}, TENSORS)
        assert parse(content)[0]["padding"] == "x" * length


def test_arrays_in_any_layout_are_written_as_they_read(tmp_path):
    values = np.arange(12.0).reshape(3, 4)
    mapped = np.memmap(tmp_path / "map", dtype=float, mode="w+", shape=(3, 4))
    mapped[:] = values
    layouts = {"f": np.asfortranarray(values), "r": values[::-1][::-1], "s": values.astype(">f8"), "m": mapped}
    _, tensors = parse(container.serialize(MANIFEST, layouts))
    for array in tensors.values():
        np.testing.assert_array_equal(array, values)


@pytest.mark.parametrize("dtype", [np.float16, np.longdouble, np.complex128, np.int8])
def test_other_types_are_refused_when_saving(dtype):
    with pytest.raises(TypeError, match="cannot be saved"):
        container.serialize(MANIFEST, {"a": np.zeros(2, dtype=dtype)})


# ------------------------------------------------------------------------------------------------------- writing
@pytest.mark.trap(45)
def test_a_full_disk_leaves_the_old_file_and_no_debris(tmp_path, monkeypatch):
    path = write(tmp_path / "m.condensity", MANIFEST, TENSORS)
    before = path.read_bytes()

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        persistence.write_atomically(path, b"new")
    with pytest.raises(OSError, match="No space left"):
        write(path, MANIFEST, {"a": np.zeros(9)})
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["m.condensity"]


@pytest.mark.trap(46)
def test_what_cannot_be_written_is_refused_before_anything_is(tmp_path):
    for path in (tmp_path, "/dev/null", tmp_path / "missing" / "m"):
        with pytest.raises(OSError, match="cannot write"):
            write(path, MANIFEST, TENSORS)
    assert os.listdir(tmp_path) == []


# ------------------------------------------------------------------------------------------------------- reading
@pytest.mark.trap(47)
def test_a_truncated_file_is_refused_at_every_length():
    for length in range(len(CONTENT)):
        with pytest.raises(ModelFileError):
            parse(CONTENT[:length])
    with pytest.raises(ModelFileError):
        parse(CONTENT + b"\0")


@pytest.mark.trap(48)
def test_a_flipped_bit_is_found_wherever_it_is():
    for place in range(len(CONTENT)):
        for bit in range(8):
            damaged = bytearray(CONTENT)
            damaged[place] ^= 1 << bit
            with pytest.raises(ModelFileError):
                parse(bytes(damaged))


@pytest.mark.trap(49)
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (with_header({}, length=2**62), "truncated"),
        (with_header({"a": {"dtype": "F64", "shape": [2**40, 2**40], "data_offsets": [0, 8]}}), "another program"),
        (with_header(b"{" * 100_000), "cannot be read"),
        (with_header(b'{"a":' * 100_000), "cannot be read"),
        (with_header(b'{"a":' + b"9" * 10_000 + b"}"), "cannot be read"),
        (b"PAR1" + b"\0" * 20, "not a model file"),
        (b"a,b\n1,2\n3,4\n5,6\n", "not a model file"),
        (b"PK\x03\x04" + b"\0" * 20, "pickle or an archive"),
        (sealed({"format_version": 99, "library_version": "7.0"}), r"condensity 7.0 in format 99.*up to 1; upgrade"),
        (sealed({"format_version": True}), "no format version"),
        (sealed({"format_version": 0}), "no format version"),
        (sealed({"format_version": "1"}), "no format version"),
        (sealed("[" * 100_000), "cannot be read"),
        (sealed("[]"), "no format version"),
        (sealed({"format_version": 1}, {"a": np.zeros(2, dtype=np.float16)}), "type float16"),
        (save({"a": np.zeros(2)}), "another program"),
        (save({"a": np.zeros(2)}, metadata={"condensity": 'abc\n{"format_version": 1}'}), "checksum"),
    ],
)
def test_hostile_files_are_refused_in_a_sentence_and_in_no_time(content, words):
    start = time.perf_counter()
    with pytest.raises(ModelFileError, match=words):
        parse(content)
    assert time.perf_counter() - start < 5.0


@pytest.mark.trap(49)
@pytest.mark.parametrize("shape", [[2**62, 4], [2**40, 2**40], [-1], [3, 3]])
def test_shapes_that_are_not_there_are_refused(shape):
    header = {
        "__metadata__": {"condensity": '\n{"format_version": 1}'},
        "a": {"dtype": "F64", "shape": shape, "data_offsets": [0, 8]},
    }
    with pytest.raises(ModelFileError, match="damaged or truncated"):
        parse(with_header(header, b"\0" * 8))


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("bomb-went-off",)


@pytest.mark.trap(50)
@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_that_poses_as_a_model_is_not_opened(tmp_path, monkeypatch, protocol):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "m.condensity"
    path.write_bytes(pickle.dumps(Bomb(), protocol))
    with pytest.raises(ModelFileError, match=r"pickle|not a model|truncated"):
        read(path)
    assert not (tmp_path / "bomb-went-off").exists()


def test_errors_name_the_file_and_a_missing_one_is_an_oserror(tmp_path):
    (tmp_path / "m").write_bytes(b"nonsense, and more of it")
    with pytest.raises(ModelFileError, match="m'"):
        read(tmp_path / "m")
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "missing")
    with pytest.raises(OSError, match=r"directory|denied"):
        read(tmp_path)
