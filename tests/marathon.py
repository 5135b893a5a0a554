"""Puts thousands of faults into a record and counts what becomes of them: python tests/marathon.py [--store].

--store keeps the counts for the page on reproducibility; --sample tries a few cases of each fault, as the suite
does. Whole classes of faults can be named. Ends with 1 if anything was lost, executed or unclear.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import torch
from faults import COUNTS, FAULTS, count, possible
from laboratory import every, few

from lltd.record import as_json, replace_file
from lltd.stretches import machine

STORED = Path(__file__).parents[1] / "book" / "results" / "trust" / "faults.json"


def main() -> int:
    """Run it, print what is counted, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="FAULT", help="by default all; the beginning is enough")
    parser.add_argument("--sample", action="store_true", help="a few cases of each")
    parser.add_argument("--store", action="store_true", help="keep the counts")
    parser.add_argument("--json", action="store_true", help="print counts and complaints as JSON")
    options = parser.parse_args()
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
    if options.json:
        print(json.dumps({"faults": rows, "complaints": complaints}))
    if options.store:
        notes = {"date": time.strftime("%Y-%m-%d", time.gmtime()), "machine": machine(), "faults": rows}
        replace_file(STORED, as_json(notes))
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
