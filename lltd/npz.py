"""The bytes of a result's file: arrays packed as NumPy's .npz, and unpacked with distrust.

What is unpacked may be cut, altered or forged. Only plain numbers are taken, in the form that `pack` gives them:
nothing is unpickled or evaluated, no name becomes a path, and memory is asked for only after all sizes that the
file states have been added up and found to agree with each other.
"""

import io
import math
import re
import struct
import zipfile
from collections.abc import Mapping

import numpy as np

LIMIT = 2**28  # bytes of a file, packed or unpacked: a hundred times the largest result there is
MEMBERS = 64  # arrays in a file, far more than any result has
FORMAT = 1  # files have an array of this name once it is higher
EPOCH = (1980, 1, 1, 0, 0, 0)  # the oldest date a zip file can hold: a date would change the bytes
END = struct.Struct(
    "<4s4H2LH"
)  # of a zip file: signature, disks, entries, bytes and place of their list, comment
LOCATOR = 20  # bytes before the end, where a larger kind of zip file says that it is one
HEADER = re.compile(
    rb"\{'descr': '([<|][biuf][1248])', 'fortran_order': False, 'shape': \((\d{1,12}(?:, \d{1,12})*)?,?\), \} *\n"
)
LONGEST = 512  # bytes of such a header; with few dimensions it has 118


class FutureFormatError(ValueError):
    """A file in a format that later versions of the package write."""


def pack(arrays: Mapping[str, np.ndarray]) -> bytes:
    """The same arrays of numbers give the same bytes. Raises ValueError for more bytes than a file may have."""
    size = sum(array.nbytes for array in arrays.values())
    if size > LIMIT // 2:
        raise ValueError(f"the arrays take {size:,} bytes: {LIMIT // 2:,} at most are allowed")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(arrays):
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(arrays[name]), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, member.getvalue())
    return packed.getvalue()


def unpack(content: bytes, limit: int = LIMIT) -> dict[str, np.ndarray]:
    """The arrays in the bytes of a file, by name; together they may claim `limit` bytes.

    Raises FutureFormatError for a later format. For all else that `pack` has not made it raises something too,
    which may be any exception, as zip files and streams have many ways of being wrong.
    """
    _check_end(content)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {entry.filename.removesuffix(".npy"): entry for entry in archive.infolist()}
        if "format" in members and (written := _array(archive, members["format"], 1024).item()) > FORMAT:
            raise FutureFormatError(f"format {written}, and this lltd reads format {FORMAT}")
        _check_members(archive.infolist(), limit)
        return {name: _array(archive, entry, limit) for name, entry in members.items()}


def _check_end(content: bytes) -> None:
    """The end of a zip file says how many entries there are, and where: it must fit these bytes exactly."""
    if len(content) < END.size:
        raise ValueError(f"{len(content)} bytes are no file")
    signature, *_, entries, size, place, comment = END.unpack(content[-END.size :])
    locator = content[-END.size - LOCATOR : -END.size][:4]
    whole = place + size + END.size == len(content) and not comment
    if signature != b"PK\5\6" or locator == b"PK\6\7" or not whole or entries > MEMBERS:
        raise ValueError("its end is not that of a result")


def _check_members(entries: list[zipfile.ZipInfo], limit: int) -> None:
    """Names, kinds and sizes as `pack` writes them."""
    names = [entry.filename for entry in entries]
    if len(set(names)) < len(names):
        raise ValueError("two arrays have the same name")
    for entry in entries:
        if not re.fullmatch(r"[A-Za-z_]\w*\.npy", entry.filename, re.ASCII):
            raise ValueError(f"{entry.filename!r} is no array of a result")
        if entry.compress_type != zipfile.ZIP_DEFLATED or entry.flag_bits:
            raise ValueError(f"{entry.filename} is not packed as arrays are")
    if (size := sum(entry.file_size for entry in entries)) > limit:
        raise ValueError(f"its arrays claim {size:,} bytes: {limit:,} at most are allowed")


def _array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, limit: int) -> np.ndarray:
    """One array, once its header agrees with the size of the entry; reading to the end compares the checksum."""
    with archive.open(entry) as member:
        start = member.read(10)
        length = int.from_bytes(start[8:], "little")
        header = HEADER.fullmatch(member.read(min(length, LONGEST)))
        if start[:8] != b"\x93NUMPY\1\0" or header is None:
            raise ValueError(f"{entry.filename} is no array of plain numbers")
        kind, sizes = header.groups(b"")
        dtype, shape = np.dtype(kind.decode()), tuple(int(size) for size in re.findall(rb"\d+", sizes))
        size = math.prod(shape) * dtype.itemsize
        if len(start) + length + size != entry.file_size or size > limit:
            raise ValueError(f"{entry.filename} claims {size:,} bytes, and its entry has {entry.file_size:,}")
        array = np.empty(shape, dtype)
        if member.readinto(array.reshape(-1).view(np.uint8)) != size or member.read(1):
            raise ValueError(f"{entry.filename} is cut")
        return array
