"""`--gpu`: which device a command runs on. On the command line a GPU is an order, not a wish."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from brew.errors import UsageError


def gpu_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: add `--gpu` to a verb."""
    return click.option("--gpu", metavar="ID|all", help="Run on this GPU; an error where there is none.")(command)


def device_for(gpu: str | None) -> str | None:
    """ "cuda", with the asked GPU made current, or None where the option was not given.

    Raises DeviceError where no GPU can be used, UsageError for several of them or for something else.
    """
    if not gpu:
        return None
    from brew import cuda

    wanted = [part.strip() for part in gpu.split(",")]
    if gpu != "all" and not all(part.isdecimal() for part in wanted):
        raise UsageError(f'--gpu takes a number or "all", not "{gpu}"', hint='"brew devices" lists the GPUs')
    count = cuda.device_count()
    numbers = list(range(count)) if gpu == "all" else [int(part) for part in wanted]
    if len(numbers) > 1:
        raise UsageError(
            f"{len(numbers)} GPUs at once are not supported yet",
            hint=f"--gpu {numbers[0]} runs on the first of them",
        )
    cuda.use_device(numbers[0] if numbers else 0)
    return "cuda"
