"""Caffe's spellings on click's commands: `-solver=x`, `--sigint_effect stop`, `--gray=true`, near names."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from typing import Any, NamedTuple

import click

from brew.errors import did_you_mean

_TRUE, _FALSE = ("true", "t", "yes", "y", "1"), ("false", "f", "no", "n", "0")  # of gflags
_SPELLING = re.compile(r"--?(?P<name>[A-Za-z][\w-]+)(?P<value>=.*)?", re.DOTALL)


@dataclass
class Settings:
    """The options of every command and whose process it is; click's context carries them as `obj`."""

    verbosity: int = 0
    traceback: bool = False
    own_process: bool = False  # it is there for the command alone, and may be ended with it

    @property
    def terminal(self) -> bool:
        """Whether stderr is a terminal, so that it gets a live line and no time stamps."""
        return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"

    @property
    def colour(self) -> bool:
        return self.terminal and not os.environ.get("NO_COLOR")


class Command(click.Command):
    """A verb. Long options are taken with one dash as well, and with underscores for dashes, as gflags took them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += everywhere()

    def invoke(self, ctx: click.Context) -> Any:
        from .log import attach, detach  # a verb that runs logs; help does not

        settings = ctx.ensure_object(Settings)
        attach(terminal=settings.terminal, colour=settings.colour, verbosity=settings.verbosity)
        sys.meta_path.insert(0, _CaffeOfLayers)
        try:
            return super().invoke(ctx)
        finally:
            detach()
            if _CaffeOfLayers in sys.meta_path:
                sys.meta_path.remove(_CaffeOfLayers)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        options = {name: p for p in self.get_params(ctx) if isinstance(p, click.Option) for name in p.opts}
        return super().parse_args(ctx, _respell(args, options, ctx))


class _CaffeOfLayers:
    """Gives the Python layers of a net that say `import caffe` Brew, which is imported when one does."""

    @classmethod
    def find_spec(cls, name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:
        if name.partition(".")[0] != "caffe":
            return None
        from brew.caffe.finder import install_as_caffe

        sys.meta_path.remove(cls)
        install_as_caffe()
        return importlib.util.find_spec(name)


class Listed(NamedTuple):
    """A verb that is imported when it is named: its module, where it stands as `verb`, and its row of the group's help.

    The row has either `help`, the first sentence of the verb's own, cut to fit; or `short_help`, made for the row.
    A verb without a row is hidden.
    """

    module: str
    short_help: str = ""
    help: str = ""

    @property
    def hidden(self) -> bool:
        return not (self.short_help or self.help)

    def row(self) -> click.Command:
        """A command that stands for the verb in help and does nothing."""
        return click.Command(None, short_help=self.short_help or None, help=self.help)


class _InOrder(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


class Group(click.Group):
    """Verbs that are `Command`s; `lazy` ones are imported from their module when they are named, and not for help.

    A name with underscores is taken with dashes, too.
    """

    command_class = Command

    def __init__(self, *args: Any, lazy: dict[str, Listed] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lazy = lazy or {}
        self.params += everywhere()

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args:
            click.echo(ctx.get_help())
            ctx.exit()
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*(name for name, listed in self.lazy.items() if not listed.hidden), *super().list_commands(ctx)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """As click does it, but that it would import every lazy verb for its row."""
        rows = {
            name: self.lazy[name].row() if name in self.lazy else self.commands[name]
            for name in self.list_commands(ctx)
        }
        _InOrder(commands=rows).format_commands(ctx, formatter)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        name = next((n for n in (cmd_name, cmd_name.replace("-", "_")) if n in self.lazy), None)
        if name is None:
            return super().get_command(ctx, cmd_name)
        verb: click.Command = importlib.import_module(self.lazy[name].module).verb
        return verb

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            shown = [verb for verb in self.list_commands(ctx) if verb in self.lazy or not self.commands[verb].hidden]
            hint = did_you_mean(name, shown) or "verbs: " + ", ".join(shown)
            raise click.UsageError(f'no such command "{name}"; {hint}', ctx)
        return super().resolve_command(ctx, args)


class Choice(click.Choice[str]):
    """A choice whose error names the nearest allowed value; letters of either case are taken."""

    def __init__(self, choices: Iterable[str]) -> None:
        super().__init__(tuple(choices), case_sensitive=False)

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        near = did_you_mean(str(value), self.choices)
        message = super().get_invalid_choice_message(value, ctx)
        return f"{message} {near[0].upper()}{near[1:]}" if near else message


def everywhere() -> list[click.Parameter]:
    """The options that every command takes, before the verb and after it."""

    def louder(ctx: click.Context, _: click.Parameter, count: int) -> None:
        ctx.ensure_object(Settings).verbosity += count

    def quieter(ctx: click.Context, _: click.Parameter, count: int) -> None:
        ctx.ensure_object(Settings).verbosity -= count

    def keep_traceback(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
        ctx.ensure_object(Settings).traceback |= wanted

    return [
        click.Option(
            ["-v", "--verbose"], count=True, expose_value=False, callback=louder, help="Say more.", is_eager=True
        ),
        click.Option(
            ["-q", "--quiet"], count=True, expose_value=False, callback=quieter, help="Warnings only.", is_eager=True
        ),
        click.Option(
            ["--traceback"],
            is_flag=True,
            expose_value=False,
            callback=keep_traceback,
            help="Show where an error came from.",
            is_eager=True,
        ),
    ]


def _respell(args: list[str], options: dict[str, click.Option], ctx: click.Context) -> list[str]:
    """`args` in the one spelling the parser knows; values of options are left as they are."""
    spelled: list[str] = []
    rest = iter(args)
    for arg in rest:
        match = _SPELLING.fullmatch(arg)
        if arg == "--":
            return [*spelled, arg, *rest]
        if match is None or _is_cluster(arg, options):
            spelled.append(arg)
        else:
            name, value = "--" + match["name"].replace("_", "-"), match["value"] or ""
            name, value, is_off = _flag(name, value, options)
            if is_off:
                continue
            if name not in options and not arg.startswith("--"):
                raise click.NoSuchOption(arg.partition("=")[0], possibilities=options, ctx=ctx)
            spelled.append(name + value)
        option = options.get(spelled[-1])
        if option is not None and not option.is_flag and not option.count and not isinstance(option.flag_value, str):
            spelled.extend(value for value in [next(rest, None)] if value is not None)
    return spelled


def _flag(name: str, value: str, options: dict[str, click.Option]) -> tuple[str, str, bool]:
    """Name and value of an option, where a flag has none; and whether it is a flag that is off, as gflags wrote that:
    `--gray=false`, `--nogray`.
    """
    positive = "--" + name.removeprefix("--no")
    if name not in options and name.startswith("--no") and _is_flag(options.get(positive)) and not value:
        return positive, "", True
    if value and _is_flag(options.get(name)) and (said := value[1:].lower()) in _TRUE + _FALSE:
        return name, "", said in _FALSE
    return name, value, False


def _is_flag(option: click.Option | None) -> bool:
    """Whether the option is on where it stands, and off where not."""
    return option is not None and option.is_bool_flag and not option.secondary_opts


def _is_cluster(arg: str, options: dict[str, click.Option]) -> bool:
    """Whether `arg` is one-letter flags written together, like `-vv`."""
    return not arg.startswith("--") and all(f"-{letter}" in options for letter in arg[1:])
