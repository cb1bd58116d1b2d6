"""`brew devices`: the engines of the CPU, and the GPUs that can be used, or why none can."""

from __future__ import annotations

from typing import Any

import click

from brew.tools.parts.command import Command
from brew.tools.parts.output import echo

_MIB = 1 << 20
_LIMITS = {
    "multiProcessorCount": "multiprocessors",
    "maxThreadsPerBlock": "threads of a block",
    "sharedMemPerBlock": "shared bytes of a block",
    "regsPerBlock": "registers of a block",
    "warpSize": "threads of a warp",
}


@click.command(name="devices", cls=Command)
@click.option("--gpu", metavar="ID|all", default="all", help="Only this GPU.")
def verb(gpu: str) -> None:
    """Say what computes: the CPU, and which GPUs (also: device_query)."""
    from brew import cuda
    from brew.errors import DeviceError
    from brew.net import engine

    reason = cuda.why_not()
    wanted = None if gpu == "all" else [part.strip() for part in gpu.split(",")]
    if reason is not None:
        if wanted is not None:
            raise DeviceError(reason)
        echo(f"CPU: {engine.described()}")
        echo(f"no GPU: {reason}")
        return
    if wanted is None:
        echo(f"CPU: {engine.described()}")
    count = cuda.device_count()
    for name in wanted or [str(number) for number in range(count)]:
        if not name.isdecimal() or int(name) >= count:
            raise DeviceError(f"GPU {name} was asked for; this machine has {count} (0 to {count - 1})")
        echo(describe(int(name), cuda.device_properties(int(name))), lines=True)


def describe(number: int, facts: dict[str, Any]) -> str:
    """The facts about one device that decide what runs on it, one a line; the runtime need not give them all."""
    name = facts["name"].decode() if isinstance(facts["name"], bytes) else facts["name"]
    lines = [
        f"GPU {number}: {name}",
        f"  {'compute capability':<24}{facts['major']}.{facts['minor']}",
        f"  {'memory':<24}{facts['totalGlobalMem'] // _MIB} MiB",
    ]
    lines += [f"  {label:<24}{facts[key]}" for key, label in _LIMITS.items() if key in facts]
    return "\n".join(lines)
