"""What the soak calls flat, and what it sees of a process."""

import os
import subprocess
import sys

import pytest

from tests.reliability.soak import Sample, sample, verdict


def _samples(memory=lambda at: 1000, files=lambda at: 5, threads=lambda at: 2):
    return [Sample(at, memory(at), files(at), threads(at)) for at in range(101)]


def test_what_stays_is_flat_though_it_grew_in_the_first_quarter():
    assert verdict(_samples(memory=lambda at: min(at, 20)))["flat"]


@pytest.mark.parametrize(
    "leak",
    [
        {"memory": lambda at: 1000 + 2 * at},
        {"files": lambda at: 5 + at // 30},
        {"threads": lambda at: 2 + at // 30},
    ],
)
def test_what_grows_is_not(leak):
    assert not verdict(_samples(**leak))["flat"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_process_is_seen_with_its_children():
    child = "print(1, flush=True); input()"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        process.stdout.readline()
        seen = sample(process.pid, 0.0)
        assert seen.threads >= 2
        assert seen.files >= 6
        assert seen.memory > 2 * 2**20
    finally:
        process.communicate(b"\n")
    assert sample(process.pid, 0.0) is None
    assert sample(os.getpid(), 0.0).threads >= 1
