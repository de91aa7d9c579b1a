"""Archives that would fill the disk or the memory: refused by the limit's name, with nothing left behind."""

import bz2
import gzip
import io
import lzma
import os
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from akstwin.errors import Conflict, InvalidSetting
from akstwin.uploads import Tally, UploadLimits
from akstwin.worker.archive import extract

MEGABYTE = 1 << 20
GIGABYTE = 1 << 30
DIR, SYM, LNK = tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
Member = tuple[str, dict[str, Any], bytes]


class Zeros(io.RawIOBase):
    """So many of them."""

    def __init__(self, size: int) -> None:
        self._left = size

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """The next ones."""
        size = min(len(buffer), self._left)
        buffer[:size] = bytes(size)
        self._left -= size
        return size


def tar(*members: Member, form: int = tarfile.PAX_FORMAT) -> bytes:
    """A plain archive."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as archive:
        for name, fields, data in members:
            item = tarfile.TarInfo(name)
            item.size = len(data)
            for field, value in fields.items():
                setattr(item, field, value)
            archive.addfile(item, io.BytesIO(data))
    return file.getvalue()


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE, form: int = tarfile.GNU_FORMAT) -> bytes:
    """A header alone, which may lie."""
    item = tarfile.TarInfo(name)
    item.size, item.type = size, kind
    return item.tobuf(form)


def zeros(name: str, size: int) -> bytes:
    """A gzip tar with a file of zeros: a thousandth of its size."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz", compresslevel=1) as archive:
        item = tarfile.TarInfo(name)
        item.size = size
        archive.addfile(item, Zeros(size))  # type: ignore[arg-type]
    return file.getvalue()


def many(number: int, name: str = "f/{}") -> bytes:
    """So many empty files."""
    return tar(*((name.format(index), {}, b"") for index in range(number)), form=tarfile.USTAR_FORMAT)


@pytest.fixture
def unpack(tmp_path: Path) -> Callable[..., Path]:
    """Unpack into a folder, within limits."""

    def call(data: bytes, *, files: int = 10_000, size: int = 10**9, tally: Tally | None = None) -> Path:
        (tmp_path / "archive").write_bytes(data)
        folder = tmp_path / "app"
        folder.mkdir(exist_ok=True)
        tally = tally or Tally(UploadLimits(files, size), "assets[0] (code)")
        extract(tmp_path / "archive", folder, tally, setting="assets[0]", name="code")
        return folder

    return call


def size_of(folder: Path) -> int:
    """All bytes below."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


# -- files


@pytest.mark.parametrize(
    "data",
    [
        many(101),
        gzip.compress(many(100_000)),
        many(60, "{}/x"),  # and as many folders
        tar(("a/" * 200 + "x", {}, b"")),
        tar(*(("/".join(["d"] * depth), {"type": DIR}, b"") for depth in range(1, 102))),
        tar(("x", {}, b"x"), *((f"l{index}", {"type": SYM, "linkname": "x"}, b"") for index in range(101))),
        tar(("x", {}, b"x"), *((f"h{index}", {"type": LNK, "linkname": "x"}, b"") for index in range(101))),
        many(101, "same"),  # one after the other in the same place: it is the work that counts
    ],
    ids=["one too many", "a hundred thousand", "folders", "deep", "nested", "links", "hard links", "the same"],
)
def test_files_folders_and_links_count_alike(unpack: Any, tmp_path: Path, data: bytes) -> None:
    """The one that is over the limit is not made."""
    with pytest.raises(InvalidSetting) as caught:
        unpack(data, files=100)
    assert str(caught.value) == (
        "assets[0] (code): 101 is not a number of files and folders within max_upload_files, which is 100; "
        "`akstwin serve --max-upload-files N` or `Workspace.simulated(max_upload_files=...)` raises it"
    )
    assert len(list((tmp_path / "app").rglob("*"))) <= 100


def test_as_many_as_are_allowed_are_unpacked(unpack: Any) -> None:
    """And no folder counts twice."""
    folder = unpack(many(99), files=100)
    assert len(list(folder.rglob("*"))) == 100


def test_a_thousand_nested_folders_take_no_quadratic_time(unpack: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each folder is looked at once, however many members lie in it."""
    looked = 0
    is_symlink = Path.is_symlink

    def watched(path: Path) -> bool:
        nonlocal looked
        looked += 1
        return is_symlink(path)

    monkeypatch.setattr(Path, "is_symlink", watched)
    deep = "a/" * 450
    unpack(tar(*((f"{deep}{index}", {}, b"") for index in range(500))))
    assert looked == 450 + 500


# -- bytes


def test_a_bomb_is_not_written(unpack: Any, tmp_path: Path) -> None:
    """Its header says what it is."""
    with pytest.raises(InvalidSetting) as caught:
        unpack(zeros("zeros", 40 * MEGABYTE), size=10 * MEGABYTE)
    assert str(caught.value) == (
        f"assets[0] (code): '{40 * MEGABYTE} bytes' is not a size within max_upload_bytes, which is 10485760B; "
        "`akstwin serve --max-upload-bytes SIZE` or `Workspace.simulated(max_upload_bytes=...)` raises it"
    )
    assert size_of(tmp_path / "app") == 0


def test_all_files_together_count(unpack: Any, tmp_path: Path) -> None:
    """Each alone would be small enough."""
    data = tar(*((f"f{index}", {}, bytes(MEGABYTE)) for index in range(12)))
    with pytest.raises(InvalidSetting, match=r"within max_upload_bytes, which is 10485760B"):
        unpack(gzip.compress(data), size=10 * MEGABYTE)
    assert size_of(tmp_path / "app") <= 10 * MEGABYTE


def test_a_sparse_file_counts_as_what_it_would_be(unpack: Any, tmp_path: Path) -> None:
    """It says 1 TB, and holds nothing."""
    pax = {"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.name": "sp", "GNU.sparse.size": str(1 << 40)}
    sparse = tar(("sp", {"pax_headers": {**pax, "GNU.sparse.map": f"{1 << 39},1"}}, b"x"))
    for data in (sparse, header("sp", 1 << 50) + bytes(1024)):
        with pytest.raises(InvalidSetting, match=r"bytes' is not a size within max_upload_bytes"):
            unpack(data)
    assert size_of(tmp_path / "app") == 0


def test_a_sparse_file_within_the_limit_is_unpacked(unpack: Any) -> None:
    """With its holes filled."""
    pax = {"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.name": "sp", "GNU.sparse.size": "10"}
    folder = unpack(tar(("sp", {"pax_headers": {**pax, "GNU.sparse.map": "4,2"}}, b"xy")))
    assert (folder / "sp").read_bytes() == b"\0\0\0\0xy\0\0\0\0"


@pytest.mark.parametrize(
    "data",
    [
        header("long", 900) + bytes(512),
        tar(("ok", {}, b"x"))[:-10240] + header("long", 5000) + b"x" * 600,
        header("short", 10) + b"x" * 2048 + bytes(1024),
        header("negative", 0).replace(b"00000000000\0", b"\xff" * 12, 1) + bytes(1024),
        header("x", 900 * MEGABYTE, tarfile.XHDTYPE) + bytes(1024),
        gzip.compress(header("x", 900 * MEGABYTE, tarfile.XHDTYPE) + bytes(20 * MEGABYTE)),
        header("L", 900 * MEGABYTE, tarfile.GNUTYPE_LONGNAME) + bytes(1024),
        b"".join(header("x", 0, tarfile.XHDTYPE) for _ in range(3000)) + bytes(1024),
        header("x", 0, tarfile.XHDTYPE) * 1500 + bytes(1024),
    ],
    ids=["cut", "cut later", "longer", "negative", "pax", "pax bomb", "long name", "chain", "another chain"],
)
def test_sizes_that_lie_are_refused(unpack: Any, data: bytes) -> None:
    """As what they are: no archive that can be unpacked."""
    with pytest.raises(InvalidSetting, match=r"is not (an archive that can be unpacked|a size within|a path of)"):
        unpack(data)


def test_a_map_without_end_is_refused(unpack: Any) -> None:
    """The extended headers of an old sparse file: 21 entries of memory for each 512 bytes, which gzip makes of one."""
    entry = b"00000000001\0" * 2
    more = (entry * 21).ljust(504, b"\0") + b"\1" + bytes(7)
    item = bytearray(header("sp", 1, tarfile.GNUTYPE_SPARSE))
    item[482] = 1
    item[148:156] = b" " * 8
    item[148:156] = f"{sum(item):06o}\0 ".encode()
    with pytest.raises(InvalidSetting, match="headers of more than 1048576 bytes"):
        unpack(gzip.compress(bytes(item) + more * 20_000))


def test_what_is_skipped_counts(unpack: Any) -> None:
    """A sparse file's data that its map does not name has to be decompressed to come to the next member."""
    pax = {"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.name": "sp", "GNU.sparse.size": "1"}
    members = [
        (f"sp{index}", {"pax_headers": {**pax, "GNU.sparse.map": "0,1"}}, bytes(MEGABYTE)) for index in range(12)
    ]
    with pytest.raises(InvalidSetting, match="within max_upload_bytes"):
        unpack(gzip.compress(tar(*members)), size=10 * MEGABYTE)


# -- what is an archive


@pytest.mark.parametrize("compress", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_every_compression_of_tar_is_unpacked(unpack: Any, compress: Callable[[bytes], bytes]) -> None:
    """With its modes, without setuid."""
    folder = unpack(
        compress(tar(("d/run", {"mode": 0o4755}, b"x"), ("./", {"type": DIR}, b""), ("t", {"mode": 0}, b"")))
    )
    assert (folder / "d/run").read_bytes() == b"x"
    assert [oct((folder / name).stat().st_mode & 0o7777) for name in ("d/run", "t")] == ["0o755", "0o644"]


def test_a_zip_file_is_named_as_one(unpack: Any) -> None:
    """The service was sent tar files alone."""
    with pytest.raises(InvalidSetting, match="it is a zip file; a tar file is needed"):
        unpack(b"PK\x03\x04" + bytes(100))


def test_a_file_replaces_one_of_its_name_and_no_other(unpack: Any) -> None:
    """Not the one that it shares its data with by a hard link."""
    members = [("a", {}, b"1"), ("b", {"type": LNK, "linkname": "a"}, b""), ("b", {}, b"2"), ("b", {}, b"3")]
    folder = unpack(tar(*members, ("a", {"type": LNK, "linkname": "./a"}, b"")))
    assert [(folder / name).read_bytes() for name in "ab"] == [b"1", b"3"]


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([("d/l", {"type": SYM, "linkname": "../../x"}, b"")], "'d/l -> ../../x' is not a link within"),
        ([("d/l", {"type": SYM, "linkname": "a/../../../x"}, b"")], "is not a link within"),
        ([("l", {"type": SYM, "linkname": "/"}, b"")], "'l -> /' is not a link within"),
        ([("h", {"type": LNK, "linkname": "/etc/passwd"}, b"")], "'h -> /etc/passwd' is not a link within"),
        (
            [("h", {"type": LNK, "linkname": "later"}, b""), ("later", {}, b"")],
            "a link to later, which is no file before it",
        ),
        ([("d", {"type": DIR}, b""), ("h", {"type": LNK, "linkname": "d"}, b"")], "a link to d, which is no file"),
        ([("x" * 1025, {}, b"")], "is not a path of at most 1024 bytes"),
        ([("z", {"type": b"Z"}, b"")], "'z' is not a file, a folder or a link"),
    ],
)
def test_links_and_names_stay_within(unpack: Any, members: list[Member], message: str) -> None:
    """By name and target."""
    with pytest.raises(InvalidSetting, match=message.replace(".", r"\.")):
        unpack(tar(*members))


def test_no_chain_of_links_leads_out(unpack: Any, tmp_path: Path) -> None:
    """What a link's way up means is known when it is made: `..` after a name could mean another link's parent."""
    members = [
        ("a/b/c/down", {"type": SYM, "linkname": "../../../d"}, b""),
        ("d/x", {}, b"x"),
        ("a/b/c/out", {"type": SYM, "linkname": "down/../../x"}, b""),
    ]
    folder = unpack(tar(*members))
    root = os.path.realpath(folder)
    for path in folder.rglob("*"):
        assert os.path.realpath(path).startswith(root)


def test_unpacking_can_be_stopped(unpack: Any, tmp_path: Path) -> None:
    """From another thread, between two pieces of a file."""
    tally = Tally(UploadLimits())
    count, counted = tally.count_bytes, threading.Event()

    def watched(size: int) -> None:
        count(size)
        counted.set()
        tally.stop()

    tally.count_bytes = watched  # type: ignore[method-assign]
    with pytest.raises(Conflict, match="is no longer needed"):
        unpack(zeros("zeros", 40 * MEGABYTE), tally=tally)
    assert counted.is_set()
    assert size_of(tmp_path / "app") < MEGABYTE
