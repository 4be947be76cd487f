"""``python -m tests.parity FIXTURE.npz...``: prints every comparison; exit 1 if one fails."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.parity.fixture import Check
from tests.parity.runner import run


def main() -> int:
    """Runs the fixtures that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m tests.parity", description=__doc__)
    parser.add_argument("fixtures", nargs="+", type=Path, metavar="FIXTURE.npz")
    failed: list[str] = []
    total = 0
    for path in parser.parse_args().fixtures:
        print(f"== {path.name}")
        try:
            checks = run(path)
        except Exception as error:  # one fixture that cannot be run must not hide the others
            print(f"FAILED  {type(error).__name__}: {error}")
            failed.append(path.name)
            continue
        for check in checks:
            print(line(check))
        total += len(checks)
        failed += [f"{path.name} {check.name}" for check in checks if not check.passed]
    for name in failed:
        print(f"FAILED  {name}")
    print(f"{total} comparisons, {len(failed)} failed")
    return 1 if failed else 0


def line(check: Check) -> str:
    """One comparison as text."""
    verdict = "ok" if check.passed else "FAILED"
    return f"{verdict:<7} {check.error:9.2e} <= {check.limit:9.2e}  {check.name}"


if __name__ == "__main__":
    sys.exit(main())
