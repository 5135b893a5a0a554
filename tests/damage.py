"""Files that are cut, flipped bit by bit, mended to fit, or of other versions."""

import io
import json
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import partial
from types import SimpleNamespace

import numpy as np
from laboratory import ONE, Cases, Laboratory, Outcome, judge

from lltd import experiments, npz
from lltd.record import digest, write

CURED = 40  # of so many damaged files, one is also remade by the command that the message names


def members(content: bytes) -> dict[str, bytes]:
    """What a file holds, name → the bytes of the .npy file."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(files: dict[str, bytes]) -> bytes:
    """A file that holds these, all checksums right."""
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, npz.EPOCH), data, zipfile.ZIP_DEFLATED)
    return into.getvalue()


def flipped(content: bytes, bit: int) -> bytes:
    data = bytearray(content)
    data[bit // 8] ^= 1 << bit % 8
    return bytes(data)


def structures(content: bytes) -> dict[str, list[int]]:
    """Which bytes of a file belong to which structure of a zip file."""
    found = {
        name: [] for name in ("local headers", "names", "packed arrays", "list of entries", "end of the file")
    }
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for entry in archive.infolist():
            name = entry.header_offset + 30
            start = name + len(entry.filename)
            found["local headers"] += range(entry.header_offset, name)
            found["names"] += range(name, start)
            found["packed arrays"] += range(start, start + entry.compress_size)
        found["list of entries"] += range(archive.start_dir, len(content) - 22)
    found["end of the file"] += range(len(content) - 22, len(content))
    return found


def cut(place: Laboratory, cases: Cases) -> Iterator[Outcome]:
    whole = place.whole[ONE.recipe.name]
    for number in cases(len(whole)):
        yield judge(place, whole[:number], number, cure=number % CURED == 0)


def blanked(place: Laboratory, cases: Cases) -> Iterator[Outcome]:
    whole = place.whole[ONE.recipe.name]
    for number in cases(len(whole)):
        yield judge(place, whole[:number].ljust(len(whole), b"\0"), number, cure=number % CURED == 0)


def flips_in(structure: str, place: Laboratory, cases: Cases) -> Iterator[Outcome]:
    whole = place.whole[ONE.recipe.name]
    places = structures(whole)[structure]
    for number in cases(8 * len(places)):
        bit = 8 * places[number // 8] + number % 8
        yield judge(place, flipped(whole, bit), number, cure=number % (8 * CURED) == 0)


def flips_inside(headers: bool, place: Laboratory, cases: Cases) -> Iterator[Outcome]:
    """One bit of an array's own header, or of its numbers, with the checksums of the zip file made to fit."""
    files = members(place.whole[ONE.recipe.name])
    ends = {name: 10 + struct.unpack("<H", data[8:10])[0] for name, data in files.items()}
    bits = [
        (name, bit)
        for name, data in files.items()
        for bit in (range(8 * ends[name]) if headers else range(8 * ends[name], 8 * len(data)))
    ]
    for number in cases(len(bits)):
        name, bit = bits[number]
        content = packed({**files, name: flipped(files[name], bit)})
        yield judge(place, content, number, cure=number % (8 * CURED) == 0)


FLIPS = {
    f"one bit flipped: {structure}": partial(flips_in, structure)
    for structure in ("local headers", "names", "packed arrays", "list of entries", "end of the file")
} | {
    "one bit flipped, checksum made to fit: headers of arrays": partial(flips_inside, True),
    "one bit flipped, checksum made to fit: contents of arrays": partial(flips_inside, False),
}


def later_files() -> list[bytes]:
    """Results as later versions may write them: another recipe, other fields in it, another format."""
    arrays = arrays_of_one()
    recipes = [
        replace(ONE.recipe, version=1 + more, runs=runs).canonical()
        for more in range(1, 8)
        for runs in (12, 99)
    ]
    fields = [{**asdict(ONE.recipe), f"field_{k}": k} for k in range(8)]
    recipes += [json.dumps(one, sort_keys=True, separators=(",", ":")) for one in fields]
    files = [as_file(recipe, arrays) for recipe in recipes]
    for number in range(2, 10):
        files.append(npz.pack({**npz.unpack(as_file(recipes[0], arrays)), "format": np.array(number)}))
        files.append(packed({"format.npy": npy(np.array(number)), "a new kind/of member": b"unknown"}))
    return files


def arrays_of_one() -> dict[str, np.ndarray]:
    """The arrays of the small result."""
    return experiments.recompute(ONE, ONE.recipe, list(range(ONE.recipe.runs)))


def npy(array: np.ndarray) -> bytes:
    """The bytes of an .npy file."""
    into = io.BytesIO()
    np.lib.format.write_array(into, array, allow_pickle=True)
    return into.getvalue()


def as_file(recipe: str, arrays: dict[str, np.ndarray]) -> bytes:
    """A result's file with any text for a recipe, and the digest that fits."""
    signature = digest(SimpleNamespace(canonical=lambda: recipe), arrays)
    texts = {"recipe": recipe, "digest": signature}
    return npz.pack(
        {**arrays, **{name: np.frombuffer(text.encode(), np.uint8) for name, text in texts.items()}}
    )


def later(place: Laboratory, cases: Cases) -> Iterator[Outcome]:
    files = later_files()
    for number in cases(len(files)):
        yield judge(place, files[number], number, cure=True, newer=True)


def earlier(place: Laboratory, cases: Cases) -> Iterator[Outcome]:
    """Results of versions before, of other experiments, seeds and sizes: a run replaces them."""
    recipe, arrays = ONE.recipe, arrays_of_one()
    others = [replace(recipe, version=version) for version in range(-4, 1)]
    others += [replace(recipe, seed=seed) for seed in range(6, 10)] + [
        replace(recipe, runs=6 + k) for k in range(4)
    ]
    others += [replace(recipe, name=name, version=9) for name in ("faults/beside", "tests/counting")]
    for number in cases(len(others)):
        yield judge(place, as_file(others[number].canonical(), arrays), number, cure=True)


def forged_whole(place: Laboratory, cases: Cases) -> Iterator[Outcome]:
    """One number changed, and the digest made to fit: only computing again can tell."""
    path, arrays = place.path(ONE), arrays_of_one()
    for number in cases(2 * ONE.recipe.runs):
        name, run = ("total", "positive")[number % 2], number // 2
        forged = {key: array.copy() for key, array in arrays.items()}
        forged[name][run] += 1
        write(path, ONE.recipe, forged)
        audit = place.command("audit", ONE.recipe.name, "--ids", ONE.recipe.runs)
        replay = place.command("replay", ONE.recipe.name, "--run", run)
        found = audit.code == 1 and f"{name} differs in runs {run}\n" in audit.out and not audit.errors
        clear = found and replay.code == 1 and "DIFFERENT" in replay.out and not replay.errors
        yield Outcome(clear=clear, told="" if clear else f"{audit} {replay}")


def forged_arrays(place: Laboratory, cases: Cases) -> Iterator[Outcome]:
    """Arrays that the experiment does not have, with a digest that fits: an audit and a replay say so."""
    arrays = arrays_of_one()
    total, positive = arrays["total"], arrays["positive"]
    forged = [
        *({}, {"total": total}, {**arrays, "extra": total}, {"sum": total, "positive": positive}),
        *({**arrays, "total": total.astype(np.float32)}, {**arrays, "positive": positive[:, None]}),
        *({**arrays, "total": np.stack([total, total], 1)}, {**arrays, "total": np.empty((12, 0))}),
    ]
    for number in cases(len(forged)):
        write(place.path(ONE), ONE.recipe, forged[number])
        audit = place.command("audit", ONE.recipe.name)
        replay = place.command("replay", ONE.recipe.name, "--run", 3)
        clear = all(
            said.code == 1 and "are stored" in said.out and not said.errors for said in (audit, replay)
        )
        yield Outcome(clear=clear, told="" if clear else f"{audit} {replay}")


def notes_cut(place: Laboratory, cases: Cases) -> Iterator[Outcome]:
    """The notes on code, cut at every byte: an audit names them, and the result is untouched."""
    place.make(ONE)
    file = experiments.code_file("faults")
    whole = file.read_bytes()
    for number in cases(len(whole)):
        file.write_bytes(whole[:number])
        said = place.command("audit", ONE.recipe.name, "--ids", 1)
        kept = place.path(ONE).read_bytes() == place.whole[ONE.recipe.name]
        readable = whole[:number].rstrip() == whole.rstrip()  # but for the end of its last line
        clear = said.code == 0 if readable else said.clear(file, "--accept", silent=False)
        yield Outcome(clear and not readable, readable and clear, not kept, told="" if clear else f"{said}")
