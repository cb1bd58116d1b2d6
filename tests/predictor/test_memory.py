"""Memory of a model: flat over calls of changing sizes, and over models that come and go. Each in a new process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

# glibc's keeps what was freed in its heap; in mappings of their own, large arrays leave the process when they are freed.
ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "32768", "MALLOC_TRIM_THRESHOLD_": "0", "MALLOC_ARENA_MAX": "1"}
GROWTH = 4  # MiB
ROOT = Path(__file__).resolve().parents[2]
HEAD = """
import gc, sys, numpy as np, brew
def resident():
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 2**20
folder = sys.argv[1]
rng = np.random.default_rng(0)
"""
# Fifty sizes, three times over: whatever is kept for a size would stand out against the first round's.
SIZES = """
model = brew.load(folder, size="keep")
sizes = [(int(h), int(w)) for h, w in rng.integers(40, 400, (50, 2))] + [(400, 400)]
found = []
for _ in range(4):
    for h, w in sizes:
        model.predict(rng.integers(0, 256, (h, w, 3), dtype=np.uint8))
        model.features("conv", np.zeros((h, w, 3), np.uint8))
    found.append(resident())
print(*found)
"""
MODELS = """
found = []
for i in range(200):
    with brew.load(folder) as model:
        model.predict(np.zeros((1, 3, 100, 100), np.float32))
    if i % 2:
        dropped = brew.load(folder)
        dropped.predict(np.zeros((1, 3, 100, 100), np.float32))
        dropped.gradient(np.zeros((1, 3, 50, 50), np.float32))
        del dropped
    if i in (100, 199):
        found.append(resident())
print(*found)
"""
THREADS = """
import threading
model = brew.load(folder, size="keep", nets=2)
def work():
    for _ in range(3):
        model.predict(np.zeros((100, 100, 3), np.uint8))
found = []
for i in range(200):
    threads = [threading.Thread(target=work) for _ in range(3)]
    [t.start() for t in threads]; [t.join() for t in threads]
    if i in (30, 199):
        found.append(resident())
print(*found)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
@pytest.mark.parametrize(
    "script", [SIZES, pytest.param(MODELS, marks=pytest.mark.slow), THREADS], ids=["sizes", "models", "threads"]
)
def test_memory_is_flat(script: str, folder: Path) -> None:
    """In MiB. A net for these pictures has half a MiB of blobs and more: 200 that stay would be seen."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, **ALLOCATOR}
    done = subprocess.run(
        [sys.executable, "-c", HEAD + script, str(folder)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = np.array(done.stdout.split(), float)
    assert found[-1] - found[0] < GROWTH, found
