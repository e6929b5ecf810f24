"""A file is read up to a limit, packed or not."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from profilers.errors import InputError
from profilers.limited import open_limited
from profilers.table import load


def packed(folder: Path, content: bytes) -> Path:
    path = folder / "x.gz"
    path.write_bytes(gzip.compress(content))
    return path


def plain(folder: Path, content: bytes) -> Path:
    path = folder / "x"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("written", [packed, plain])
def test_what_fits_the_limit_is_read_whole(tmp_path, written):
    with open_limited(written(tmp_path, bytes(1000)), most=1000) as file:
        assert file.read() == bytes(1000)


@pytest.mark.parametrize("written", [packed, plain])
def test_one_byte_more_is_refused_with_the_files_name(tmp_path, written):
    path = written(tmp_path, bytes(1001))
    with open_limited(path, most=1000) as file, pytest.raises(InputError, match=str(path)):
        file.read()


def test_what_unpacks_without_end_is_not_unpacked(tmp_path):
    """Beyond the limit at most one piece more is asked for."""
    path = packed(tmp_path, bytes(50_000_000))
    assert path.stat().st_size < 100_000
    with open_limited(path, most=1000) as file:
        with pytest.raises(InputError):
            file.read()
        assert gzip.GzipFile.tell(file.raw._source) <= 2 * 65536


def test_what_has_no_end_is_refused_at_once(tmp_path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "zero.json").symlink_to("/dev/zero")
    for read in (open_limited, load):
        for name in ("pipe.csv", "zero.json"):
            with pytest.raises(InputError, match="not a regular file"):
                read(tmp_path / name)
