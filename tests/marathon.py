"""Puts thousands of faults into a record and counts what becomes of them: python tests/marathon.py [--store].

--store keeps the counts for the page on reproducibility, those of each fault once it is done; --sample tries a few
cases of each, as the suite does. Faults can be named. Ends with 1 if anything was lost, executed or unclear.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import torch
from faults import COUNTS, FAULTS, count, possible
from laboratory import every, few

from lltd.record import as_json, read_notes, replace_file
from lltd.stretches import machine

STORED = Path(__file__).parents[1] / "book" / "results" / "trust" / "faults.json"


def main() -> int:
    """Run it, print what is counted, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="FAULT", help="by default all; how it begins is enough")
    parser.add_argument("--sample", action="store_true", help="a few cases of each")
    parser.add_argument("--store", action="store_true", help="keep the counts")
    parser.add_argument("--json", action="store_true", help="print counts and complaints as JSON")
    options = parser.parse_args()
    if options.sample and options.store:
        parser.error("a sample is not stored")
    torch.set_num_threads(1)  # processes are forked, which threads do not survive
    rows, complaints = [], []
    for name in FAULTS:
        if options.names and not any(name.startswith(start) for start in options.names):
            continue
        if not possible(name):
            rows.append({"fault": name, "skipped": "it takes root, and leave to mount"})
            print(f"{name}: skipped, {rows[-1]['skipped']}", file=sys.stderr)
            continue
        began = time.time()
        counts, found = count(name, few(FAULTS[name].few) if options.sample else every)
        rows.append({"fault": name, **counts})
        complaints += found
        said = ", ".join(f"{counts[part]} {part}" for part in COUNTS)
        print(
            f"{name}: {said} ({time.time() - began:.0f} s)",
            *found[:5],
            sep="\n  ",
            file=sys.stderr,
            flush=True,
        )
        if options.store:
            store(rows[-1])
    if options.json:
        print(json.dumps({"faults": rows, "complaints": complaints}))
    return 1 if complaints else 0


def store(row: dict[str, object]) -> None:
    """Put the counts of one fault among the stored ones, with where and when they were taken."""
    kept = {old["fault"]: old for old in read_notes(STORED, "delete it").get("faults", [])}
    kept[row["fault"]] = {**row, "date": time.strftime("%Y-%m-%d", time.gmtime()), "machine": machine()}
    replace_file(STORED, as_json({"faults": [kept[name] for name in FAULTS if name in kept]}))


if __name__ == "__main__":
    sys.exit(main())
