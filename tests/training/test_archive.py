"""What the headers of an `.npz` claim is checked before memory is taken; nothing is unpickled."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

from hwnas.training import archive, data
from hwnas.training.archive import read_npz
from profilers.errors import InputError
from profilers.host import process_memory_mib

X = np.arange(12 * 64, dtype=np.uint8).reshape(12, 8, 8)
SETS = {"x_train": X, "y_train": np.arange(12) % 3, "x_test": X[:6], "y_test": np.arange(6) % 3}


def stored(array):
    content = io.BytesIO()
    np.lib.format.write_array(content, array, allow_pickle=True)
    return content.getvalue()


def header(shape, descr="|u1", version=(1, 0), pad=b""):
    """The header of an array by hand: whatever text is given as its shape."""
    text = (
        f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".encode() + pad + b"\n"
    )
    size = len(text).to_bytes(2 if version == (1, 0) else 4, "little")
    return b"\x93NUMPY" + bytes(version) + size + text


def write(path, method=zipfile.ZIP_DEFLATED, **members):
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in {
            **{name: stored(array) for name, array in SETS.items()},
            **members,
        }.items():
            file.writestr(f"{name}.npy", content)
    return path


def test_arrays_come_back_as_they_were_stored(tmp_path):
    found = read_npz(write(tmp_path / "a.npz", classes=stored(np.array(["a", "b", "c"]))))
    assert all(np.array_equal(found[name], array) for name, array in SETS.items())
    assert found["classes"].tolist() == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (
            {"y_train": stored(np.r_[np.arange(11) % 3, 2**62])},
            "y_train: label 4611686018427387904",
        ),
        ({"y_train": stored(np.r_[np.arange(11) % 3, 10**9])}, "y_train: label 1000000000"),
        (
            {"y_test": stored(np.full(6, 2**64 - 1, np.uint64))},
            "y_test: label 18446744073709551615",
        ),
        ({"y_train": stored(np.arange(12) % 3 + 1)}, "class '0' has 0"),
        ({"classes": header((10**12,), "<U0")}, "classes is of type <U0"),
        ({"classes": header((10**12,), "|S0")}, "classes is of type"),
        ({"classes": header((10**12,), "<U1")}, "classes holds 1,000,000,000,000 names"),
        (
            {"classes": stored(np.array([b"\xff", b"a", b"b"]))},
            "classes holds bytes that are not UTF-8",
        ),
        ({"classes": stored(np.array(["a" * 201, "b", "c"]))}, "a name of 201 characters"),
        ({"classes": stored(np.array([0.5, 1.5, 2.5]))}, "classes is of type float64"),
        ({"x_train": header("(" + "-" * 5000 + "1, 8, 8)")}, r"a\.npz: x_train: its header"),
        ({"x_train": header((-1, 8, 8))}, r"x_train: its header claims the shape \(-1, 8, 8\)"),
        ({"x_train": header((True, 8, 8))}, "x_train: its header claims the shape"),
        ({"x_train": header((1 << 60, 8, 8))}, "x_train claims the shape .* bytes, but holds 0"),
        ({"x_train": header((0,) * 40)}, "x_train: its header claims the shape"),
        ({"x_train": header("9" * 5000)}, r"a\.npz"),
        ({"x_train": header((12, 8, 8)) + bytes(767)}, "768 bytes, but holds 767"),
        ({"x_train": header((12, 8, 8)) + bytes(769)}, "768 bytes, but holds 769"),
        ({"x_train": header((12, 8, 8), version=(3, 0)) + bytes(768)}, r"version \(3, 0\)"),
        ({"x_train": header((12, 8, 8), version=(9, 9)) + bytes(768)}, r"version \(9, 9\)"),
        (
            {"x_train": header((12, 8, 8), version=(2, 0), pad=b" " * 20_000)},
            "a header of 20,0.. bytes",
        ),
        (
            {"x_train": stored(np.array([{}] * 12, object))},
            "not a readable .npz archive of plain arrays",
        ),
        ({"x_train": stored(np.zeros(12, "u1, (8, 8)u1"))}, "x_train"),
        ({"x_train": stored(np.zeros((12, 8, 8), "M8[s]"))}, "x_train is of type"),
        ({"x_train": b""}, r"a\.npz"),
        ({"x_train": stored(np.uint8(3))}, r"x_train: shape \(\)"),
    ],
)
def test_a_hostile_array_is_refused_in_one_line_that_names_the_file(tmp_path, members, message):
    with pytest.raises(InputError, match=message) as refused:
        data.load(write(tmp_path / "a.npz", **members))
    assert "\n" not in str(refused.value) and "a" in str(refused.value)


def test_a_header_that_unpacks_to_much_is_not_unpacked(tmp_path):
    bomb = header((12, 8, 8), version=(2, 0), pad=b" " * (40 << 20))
    path = write(tmp_path / "a.npz", x_train=bomb)
    del bomb
    before = process_memory_mib(peak=False)
    with pytest.raises(InputError, match="x_train: a header of 41,94"):
        read_npz(path)
    after = process_memory_mib(peak=False)
    assert before is None or after is None or after - before < 20


def test_a_member_that_is_there_twice_is_refused(tmp_path):
    path = write(tmp_path / "a.npz")
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(path, "a") as file:
        file.writestr("y_test.npy", stored(np.zeros(6, int)))
    with pytest.raises(InputError, match="the array 'y_test' is there 2 times"):
        read_npz(path)


def test_only_what_numpy_writes_is_unpacked(tmp_path):
    with pytest.raises(InputError, match="not packed as NumPy packs arrays"):
        read_npz(write(tmp_path / "a.npz", zipfile.ZIP_LZMA))


def test_a_sum_of_bytes_that_is_wrong_is_noticed(tmp_path):
    content = bytearray(write(tmp_path / "a.npz", zipfile.ZIP_STORED).read_bytes())
    content[content.index(X.tobytes()) + 100] ^= 1
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.npz: not a readable .npz .*CRC"):
        read_npz(tmp_path / "a.npz")


def test_zeros_that_unpack_to_a_thousand_times_their_size_are_no_images(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "_BOMB_BYTES", 1 << 20)
    zeros = np.zeros((40_000, 8, 8), np.uint8)
    with pytest.raises(InputError, match="more than 100 times as much"):
        read_npz(write(tmp_path / "a.npz", x_train=stored(zeros)))


def test_what_does_not_fit_into_the_free_memory_is_said_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "available_mib", lambda: 1)
    pixels = np.random.default_rng(0).random((20_000, 8, 8))
    with pytest.raises(InputError, match="takes 10 MiB of memory, of 1 MiB free"):
        # 8 bytes a number, and one more for the pixel that it becomes.
        read_npz(write(tmp_path / "a.npz", x_train=stored(pixels)))


def test_a_fifo_is_not_waited_for(tmp_path):
    import os

    os.mkfifo(tmp_path / "a.npz")
    with pytest.raises(InputError, match=r"a\.npz: a FIFO, not a regular file"):
        data.load(tmp_path / "a.npz")
