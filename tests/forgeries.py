"""Files that someone made to do harm, or that are something else altogether."""

import io
import json
import os
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
from damage import arrays_of_one, as_file, members, npy, packed
from laboratory import ONE, Cases, Laboratory, Outcome, judge, memory

GIGA = 2**30


class Payload:
    """Whoever unpickles this makes a file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Callable, tuple]:
        return Path.touch, (self.file,)


def header(text: str, version: tuple[int, int] = (1, 0), data: bytes = b"") -> bytes:
    """An .npy file with this text for a header."""
    length = struct.pack("<H" if version == (1, 0) else "<I", len(text) + 1)
    return b"\x93NUMPY" + bytes(version) + length + text.encode() + b"\n" + data


def described(kind: str = "'<f8'", shape: str = "(12,)", order: str = "False", data: bytes = b"") -> bytes:
    text = f"{{'descr': {kind}, 'fortran_order': {order}, 'shape': {shape}, }}"
    return header(text, data=data or bytes(96))


HEADERS = {  # of the array "total", each with 96 bytes of numbers unless the case is another
    "terabytes": described(shape=f"({2**40},)"),
    "more bytes than there are addresses": described(shape=f"({2**62}, {2**62})"),
    "a size below nothing": described(shape="(-12,)"),
    "two sizes below nothing": described(shape="(-3, -4)"),
    "a size with thousands of digits": described(shape=f"({'9' * 4000},)"),
    "nothing, many times": described(shape=f"(0, {10**11}, {10**11})"),
    "a hundred dimensions": described(shape=f"({'1, ' * 100}12)"),
    "a size that is no integer": described(shape="(12.0,)"),
    "a size that is a truth": described(shape="(True, 12)"),
    "a size in words": described(shape="('12',)"),
    "no shape": header("{'descr': '<f8', 'fortran_order': False}", data=bytes(96)),
    "a shape too many": header(
        "{'descr': '<f8', 'fortran_order': False, 'shape': (12,), 'x': 1, }", data=bytes(96)
    ),
    "columns first": described(shape="(4, 3)", order="True"),
    "objects": described("'|O'"),
    "fields": described("[('a', '<f4'), ('b', '|O')]", data=bytes(144)),
    "raw bytes": described("'|V8'"),
    "long words": described("'<U1000000000'"),
    "bytes of words": described("'|S8'"),
    "dates": described("'<M8[s]'"),
    "complex numbers": described("'<c16'", shape="(6,)"),
    "the other byte order": described("'>f8'"),
    "a type of no bytes": described("'|V0'"),
    "no type": described("'<q9'"),
    "a program": described("__import__('os').mkdir('executed')"),
    "a deep nest": described("(" * 9000 + ")" * 9000),
    "a long row of signs": described("-" * 9000 + "1"),
    "a long header": described("'<f8'" + " " * 60_000),
    "version 2": header("{'descr': '<f8', 'fortran_order': False, 'shape': (12,), }", (2, 0), bytes(96)),
    "version 3": header("{'descr': '<f8', 'fortran_order': False, 'shape': (12,), }", (3, 0), bytes(96)),
    "version 99": header("{'descr': '<f8', 'fortran_order': False, 'shape': (12,), }", (99, 0), bytes(96)),
    "more numbers than it says": described(data=bytes(960)),
    "fewer numbers than it says": described(data=bytes(88)),
    "no header": b"",
    "half a header": b"\x93NUMPY\1",
}
RECIPES = {
    "no JSON": "recipe",
    "nothing": "",
    "a list": "[]",
    "a deep nest": "[" * 100_000,
    "a deep nest of objects": '{"a":' * 50_000 + "1" + "}" * 50_000,
    "a number of many digits": json.dumps(asdict(ONE.recipe)).replace('"seed": 5', f'"seed": {"5" * 9000}'),
    "no number": json.dumps({**asdict(ONE.recipe), "version": float("nan")}),
    "a version in words": json.dumps({**asdict(ONE.recipe), "version": "new\nversion"}),
    "lines and colours": json.dumps(
        {**asdict(ONE.recipe), "dtype": "\x1b[31m\r\n\u202e"}, ensure_ascii=False
    ),
    "a long name": json.dumps({**asdict(ONE.recipe), "name": "x" * 500_000}),
    "the same with spaces": json.dumps(asdict(ONE.recipe)),
}
NAMES = (
    *("../../outside.npy", "../executed.npy", "/tmp/../executed.npy", "a\\..\\b.npy", "C:x.npy", "folder/"),
    *(
        "total.npy/",
        ".npy",
        "",
        " total.npy",
        "total.npy ",
        "readme.txt",
        "total.pkl",
        "total",
        "total.npy.npy",
    ),
    *(
        "tötal.npy",
        "to\ntal.npy",
        "\x1b[31mred.npy",
        "x" * 60_000 + ".npy",
        "__class__.__init__.npy",
        "9.npy",
    ),
)


def bomb(size: int, claimed: int) -> bytes:
    """A result with an array of zeros besides, `size` bytes once unpacked, of which the entry admits `claimed`."""
    files = members(as_file(ONE.recipe.canonical(), arrays_of_one()))
    start = described("'|u1'", shape=f"(12, {claimed // 12})", data=b"\0")[:-1]
    piece, block = zlib.compressobj(9, wbits=-15), bytes(2**20)
    first = piece.compress(start) + piece.flush(zlib.Z_FULL_FLUSH)
    again = zlib.compressobj(9, wbits=-15)
    zeros = (again.compress(block) + again.flush(zlib.Z_FULL_FLUSH)) * (size // len(block))
    data, into = first + zeros + b"\3\0", io.BytesIO()
    with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(entry(name), content)
        last = entry("zeros.npy")
        last.header_offset, last.CRC = into.tell(), 0
        last.compress_size, last.file_size = len(data), len(start) + claimed
        into.write(last.FileHeader() + data)
        archive.start_dir = into.tell()
        archive.filelist.append(last)
        archive._didModify = True
    return into.getvalue()


def archive_with(entries: list[tuple[zipfile.ZipInfo, bytes]], comment: bytes = b"") -> bytes:
    """A zip file of these entries, names unchecked."""
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w") as archive:
        for entry, data in entries:
            archive.writestr(entry, data)
        archive.comment = comment
    return into.getvalue()


def entry(name: str, method: int = zipfile.ZIP_DEFLATED, mode: int = 0) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo("x", (1980, 1, 1, 0, 0, 0))
    made.filename, made.compress_type, made.external_attr = name, method, mode << 16
    return made


def forgeries(target: Path) -> list[bytes]:
    """All of them. target: the file that a pickle in one of them makes if it is ever unpickled."""
    whole = as_file(ONE.recipe.canonical(), arrays_of_one())
    files = members(whole)
    ours = [(entry(name), data) for name, data in files.items()]
    objects = npy(np.array([Payload(target)] * 12, dtype=object))
    twice = npy(np.ones(12))
    found = [
        packed({**files, "total.npy": objects}),
        packed({**files, "more.npy": objects}),
        packed({**files, "recipe.npy": objects}),
        packed({**files, "digest.npy": objects}),
        packed({**files, "format.npy": objects}),
        packed({**files, "total.npy": pickle.dumps(Payload(target))}),
        pickle.dumps(Payload(target)),
        pickle.dumps({"recipe": Payload(target)}, protocol=0),
        objects,
        npy(np.arange(12)),
        b"PK\3\4",
        b"\x1f\x8b" + whole,
        b"#!/bin/sh\ntouch executed\n" + whole,
        whole + b"more",
        whole + whole,
        whole + zip64_locator() + whole[-22:],
        archive_with(ours, comment=b"PK\5\6" + bytes(18)),
        archive_with([*ours, (entry("total.npy"), twice)]),
        archive_with([(entry("total.npy"), twice), *ours]),
        archive_with([*ours, *((entry(f"a{k}.npy"), b"") for k in range(61))]),
        archive_with([*ours, *((entry(f"a{k}.npy"), b"") for k in range(9000))]),
        archive_with([*ours, (entry("link.npy", mode=0o120777), b"/etc/passwd")]),
        *(archive_with([*ours, (entry(name), twice)]) for name in NAMES),
        *(
            archive_with([(entry(name, method), data) for name, data in files.items()])
            for method in (zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
        ),
        *(with_flag(whole, flag) for flag in (1, 1 << 5, 1 << 6, 1 << 11, 1 << 13)),
        *(with_method(whole, method) for method in (1, 6, 9, 93, 99)),
        *(packed({**files, "total.npy": data}) for data in HEADERS.values()),
        *(as_file(recipe, arrays_of_one()) for recipe in RECIPES.values()),
        packed({**files, "recipe.npy": npy(np.frombuffer(b"\xff\xfe" * 50, np.uint8))}),
        packed({**files, "digest.npy": npy(np.frombuffer(b"\xff" * 64, np.uint8))}),
        packed({**files, "digest.npy": npy(np.zeros((8, 8), np.uint8))}),
        packed({**files, "recipe.npy": npy(np.array(3))}),
        *(packed({key: data for key, data in files.items() if key != name}) for name in files),
        packed({}),
        bomb(GIGA, GIGA),
        bomb(GIGA, 12 * 2**16),
        bomb(GIGA, 12),
        bomb(GIGA, 2**32 - 4096),
        bomb(GIGA // 8, 12 * (GIGA // 96)),
    ]
    return found


def zip64_locator() -> bytes:
    """What would send a reader to an end record of the larger kind, far away."""
    return struct.pack("<4sIQI", b"PK\6\7", 0, 2**40, 1)


def with_flag(content: bytes, flag: int) -> bytes:
    """The flag set in each entry, in both places."""
    data = bytearray(content)
    for signature, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        for at in occurrences(content, signature):
            data[at + place : at + place + 2] = struct.pack("<H", flag)
    return bytes(data)


def with_method(content: bytes, method: int) -> bytes:
    """Another method of packing claimed for each entry, in both places."""
    data = bytearray(content)
    for signature, place in ((b"PK\3\4", 8), (b"PK\1\2", 10)):
        for at in occurrences(content, signature):
            data[at + place : at + place + 2] = struct.pack("<H", method)
    return bytes(data)


def occurrences(content: bytes, signature: bytes) -> list[int]:
    return [at for at in range(len(content)) if content.startswith(signature, at)]


def forged(place: Laboratory, cases: Cases) -> Iterator[Outcome]:
    files = forgeries(place.folder.parent / "executed")
    for number in cases(len(files)):
        yield judge(place, files[number], number, cure=True)


def no_file(place: Laboratory, cases: Cases) -> Iterator[Outcome]:
    """Something in the place of a result that is no file, or too large to be one."""
    path = place.path(ONE)
    path.parent.mkdir(exist_ok=True)

    def sparse() -> None:
        path.touch()
        os.truncate(path, 2**40)

    kinds = (path.mkdir, lambda: os.mkfifo(path), lambda: path.symlink_to("/dev/zero"), sparse)
    kinds += (lambda: path.symlink_to(path.name), lambda: path.symlink_to("/dev/full"))
    for number in cases(len(kinds)):
        kinds[number]()
        with memory() as swollen:
            saids = [
                place.command("replay", ONE.recipe.name, "--run", 3),
                place.command("audit", ONE.recipe.name),
            ]
            full = swollen()
        clear = all(said.clear(path, f"python -m lltd run {ONE.recipe.name}") for said in saids)
        told = "" if clear else f"{number}: {saids}"
        yield Outcome(clear, lost=not os.path.lexists(path), swollen=full, told=told)
        place.clear()
        path.parent.mkdir(exist_ok=True)
