"""`brew layers`: every layer type, or all about one."""

from __future__ import annotations

import click

from brew.tools.parts.command import Command
from brew.tools.parts.output import echo


@click.command(name="layers", cls=Command)
@click.argument("layer_type", required=False, metavar="[TYPE]")
@click.option("--markdown", is_flag=True, help="Everything, as docs/layers.md has it.")
def verb(layer_type: str | None, markdown: bool) -> None:
    """List the layer types, or show one: its blobs, formula, parameters and an example."""
    from brew.reports import catalogue

    if markdown:
        echo(catalogue.markdown(), nl=False, lines=True)
        return
    if layer_type is None:
        lines = catalogue.one_liners()
        width = max(map(len, lines))
        for name, line in lines.items():
            echo(f"{name:{width}}  {line}")
        return
    item = catalogue.entry(layer_type)
    echo(f"{item.type}: {item.line}\n\n{item.text}\n", lines=True)
    for message, fields in item.messages.items():
        echo(f"{message} {{")
        wide = max(len(f.name) for f in fields)
        for field in fields:
            default = f" = {field.default}" if field.default and field.default != "any number" else ""
            several = " (repeated)" if field.default == "any number" else ""
            echo(
                f"  {field.name:{wide}}  {field.type}{default}{several}"
                + (f"  # {field.meaning}" if field.meaning else "")
            )
        echo("}\n", lines=True)
    echo(item.example, lines=True)
