"""Stretches of work: who made a result's shards and how long it took, noted so that no kill loses count."""

import os
import platform
import secrets
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch

import lltd
from lltd.record import RecordError, as_json, read_notes, replace_file


class Stretch:
    """The work of one process on a result: a file beside the shards that it makes."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / f"stretch-{secrets.token_hex(4)}.json"
        self._began = time.time()
        self._places: set[tuple[str, str]] = set()

    def note(self, machine: str, device: str) -> None:
        """Note that another shard is kept, and where it was made."""
        self._places.add((machine, device))
        seconds = round(time.time() - self._began, 1)
        replace_file(self._file, as_json({"seconds": seconds, "places": sorted(self._places)}))


def told(folder: Path) -> dict[str, Any]:
    """What a reader may want to know of how the shards in a folder were made; never part of a result's identity.

    seconds: of all stretches together; stretches: how many, more than one if the work was taken up again or
    shared.
    """
    kept = []
    for file in folder.glob("stretch-*.json"):
        with suppress(RecordError, KeyError, TypeError, ValueError):  # a damaged note is not worth a result
            note = read_notes(file, "delete it")
            kept.append((float(note["seconds"]), {(make, device) for make, device in note["places"]}))
    places = set().union(*(places for _, places in kept))
    here = Path(lltd.__file__).parent
    git = subprocess.run(["git", "-C", here, "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    return {
        "commit": git.stdout.strip() or "unknown",
        "versions": {
            "lltd": lltd.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
        },
        "machine": "; ".join(sorted({make for make, _ in places})) or machine(),
        "device": ", ".join(sorted({device for _, device in places})) or "unknown",
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "seconds": round(sum(seconds for seconds, _ in kept), 1),
        "stretches": len(kept),
    }


def machine(device: str = "cpu") -> str:
    """The make of a device of this machine, and how many cores the machine has."""
    model = platform.processor() or platform.machine()
    if device != "cpu":
        model = torch.cuda.get_device_name(device)
    elif Path("/proc/cpuinfo").exists():
        names = [
            line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")
        ]
        model = names[0].partition(":")[2].strip() if names else model
    return f"{model}, {os.cpu_count()} cores"
