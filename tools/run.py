"""`brew run`: a Python script, module or prompt in which `import caffe` is Brew."""

from __future__ import annotations

import builtins
import code
import runpy
import sys
import tokenize
from collections.abc import Callable
from pathlib import Path
from types import CodeType, ModuleType, TracebackType
from typing import Any

import click

from brew.errors import UsageError
from brew.tools.parts.command import Command
from brew.tools.parts.output import echo

from .cli import INTERRUPTED


class _Run(Command):
    """Options stand before the script or `-m module`; what follows belongs to the script, as it is written."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        for number, arg in enumerate(args):
            if arg in ("-m", "--module"):
                ours = args[: number + 2]
            elif arg.startswith("-m") and not arg.startswith("--"):
                ours = [*args[:number], "-m", arg[2:]]
                args = [*args[:number], "-m", *args[number:]]
            elif arg == "--" or (arg.startswith("-") and arg != "-"):
                continue
            else:
                ours = args[:number]
            return super().parse_args(ctx, [*ours, "--", *args[len(ours) :]])
        return super().parse_args(ctx, args)


@click.command(name="run", cls=_Run)
@click.argument("script", nargs=-1, type=click.UNPROCESSED, metavar="[SCRIPT [ARGUMENT...]]")
@click.option("-m", "--module", metavar="MODULE", help="Run a module, as python -m does.")
@click.option("--py2", is_flag=True, help="It is Python 2: translate it, and the modules in its folder.")
@click.option("-i", "--interactive", is_flag=True, help="Give a prompt, after the script if there is one.")
def verb(script: tuple[str, ...], module: str | None, py2: bool, interactive: bool) -> int:
    """Run a Python script that says `import caffe`.

    It gets Brew by that name, whatever is on sys.path, and its arguments, its folder in sys.path and its exit code as
    from python SCRIPT. Child processes that do not come from a fork import what they find; brew.install_as_caffe() at
    their beginning gives them Brew.

    With --py2 a line on stderr says what was translated in each file (docs/python.md).
    """
    from brew.caffe.finder import install_as_caffe

    if module is None and not script and not interactive:
        raise UsageError("nothing to run", hint="brew run script.py, brew run -m module, or brew run -i")
    install_as_caffe()
    space: dict[str, Any] = {"__name__": "__main__", "__doc__": None}
    if py2:
        _translating(Path.cwd() if module else Path(script[0] if script else "").resolve().parent)
    if module is not None:
        _guarded(lambda: space.update(_module(module, script, py2)), py2)
    elif script:
        main = _as_main(script)
        space = main.__dict__
        _guarded(lambda: exec(translated(script[0], space) if py2 else compiled(script[0]), space), py2)
    if interactive:
        if not (module or script):
            _begin(["", *script], "")
        code.interact(local=space, exitmsg="")
    return 0


def compiled(path: str) -> CodeType:
    """The code of a script, in the encoding that it declares."""
    with tokenize.open(path) as file:
        return compile(file.read(), path, "exec", dont_inherit=True)


def translated(path: str, space: dict[str, Any]) -> CodeType:
    """The code of a script of Python 2, which `space` is made ready for."""
    from brew.caffe.python2.compiling import code_of
    from brew.caffe.python2.running import python2

    found, what = code_of(path)
    space["__builtins__"] = python2()
    _tell(f"{path}: translated from Python 2: {what or 'nothing'}")
    return found


def _translating(folder: Path) -> None:
    from brew.caffe.python2.loading import install

    install(folder, _tell)


def _tell(line: str) -> None:
    echo(line, err=True)


def _begin(argv: list[str], folder: str) -> None:
    sys.argv = argv
    if not sys.flags.safe_path:
        sys.path[0] = folder


def _as_main(argv: tuple[str, ...]) -> ModuleType:
    """A new `__main__`, with what python gives it."""
    path = argv[0]
    if not Path(path).is_file():
        raise UsageError(f"{path}: no such script")
    _begin([*argv], str(Path(path).resolve().parent))
    main = ModuleType("__main__")
    main.__file__ = path
    main.__dict__["__builtins__"] = builtins
    sys.modules["__main__"] = main
    return main


def _module(name: str, arguments: tuple[str, ...], py2: bool) -> dict[str, Any]:
    _begin([name, *arguments], str(Path.cwd()))
    space: dict[str, Any] = {}
    if py2:
        from brew.caffe.python2.running import python2

        space["__builtins__"] = python2()
    return runpy.run_module(name, space, run_name="__main__", alter_sys=True)


def _guarded(run: Callable[[], object], py2: bool) -> None:
    """Run the script; what it raises is shown as python shows it, without the frames of Brew below it."""
    try:
        run()
    except (Exception, KeyboardInterrupt) as error:
        sys.stdout.flush()
        error.__traceback__ = _of_script(error.__traceback__)
        sys.excepthook(type(error), error, error.__traceback__)
        if not py2 and isinstance(error, SyntaxError) and _is_python2(error.filename):
            _tell(f"{error.filename} is Python 2: brew run --py2 translates it")
        raise SystemExit(INTERRUPTED if isinstance(error, KeyboardInterrupt) else 1) from None


def _is_python2(path: str | None) -> bool:
    from brew.caffe.python2.compiling import code_of

    try:
        return path is not None and bool(code_of(path))
    except (SyntaxError, OSError, ValueError):
        return False


def _of_script(trace: TracebackType | None) -> TracebackType | None:
    """The traceback from the script's first frame on; all of it where there is none."""
    found = trace
    while found is not None:
        name = found.tb_frame.f_code.co_filename
        if name not in (__file__, runpy.__file__) and not name.startswith("<frozen"):
            return found
        found = found.tb_next
    return trace
