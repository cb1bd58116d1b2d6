"""`brew upgrade`: files of Caffe's earlier formats in today's. Also by the names of Caffe's tools."""

from __future__ import annotations

import click

from brew.tools.parts.command import Command, Group

_overwrite = click.option("--overwrite", is_flag=True, help="Replace OUT where it is another file of IN's kind.")


class _Upgrade(Group):
    """`upgrade_net_proto_text IN OUT` is `upgrade net IN OUT`, and so on."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        caffes = (ctx.info_name or "").split("_")
        return super().parse_args(ctx, [*caffes[1:2], *args])


@click.group(name="upgrade", cls=_Upgrade)
def verb() -> None:
    """Write old nets and solvers in today's format.

    There is no need to: every command reads old files as they are.
    """


@verb.command(name="net", cls=Command)
@click.argument("source", metavar="IN")
@click.argument("target", metavar="OUT")
@_overwrite
def net(source: str, target: str, overwrite: bool) -> int:
    """Upgrade a net: a prototxt, or weights (.caffemodel).

    OUT is text or binary as IN is. Comments are not kept. Exit code 1 says that a field of IN had no place in OUT.
    """
    from brew.graph.rewriting.upgrade_files import upgrade_net_file

    return 0 if upgrade_net_file(source, target, overwrite=overwrite) else 1


@verb.command(name="solver", cls=Command)
@click.argument("source", metavar="IN")
@click.argument("target", metavar="OUT")
@_overwrite
def solver(source: str, target: str, overwrite: bool) -> int:
    """Upgrade a solver, and the nets written inside it.

    OUT is text or binary as IN is. Comments are not kept. Exit code 1 says that a field of IN had no place in OUT.
    """
    from brew.graph.rewriting.upgrade_files import upgrade_solver_file

    return 0 if upgrade_solver_file(source, target, overwrite=overwrite) else 1
