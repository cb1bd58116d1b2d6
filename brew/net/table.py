"""A net as a table in HTML, for notebooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from brew.graph.graph import Graph
from brew.layer import Layer, count
from brew.memory.blob import Blob
from brew.plain_text import one_line


def html(name: str, graph: Graph, blobs: Mapping[str, Blob]) -> str:
    """A row for each layer of the file: name, type, what it reads, what it makes with shapes, its own parameters."""
    written = {
        graph.blobs[t].name: graph.blobs[n.bottoms[0]].name for n in graph.nodes for t in _split(n.layer, n.tops)
    }
    rows = []
    for node in graph.nodes:
        layer = node.layer
        if _split(layer, node.tops):
            continue
        reads = ", ".join(written.get(graph.blobs[b].name, graph.blobs[b].name) for b in node.bottoms)
        tops = (blobs[graph.blobs[t].name] for t in node.tops)
        makes = ", ".join(f"{blob.name} {'x'.join(map(str, blob.shape)) or 'scalar'}" for blob in tops)
        own = sum(count(graph.params[p].declared.shape) for p in node.params if graph.params[p].owner == p)
        shared = bool(node.params) and not own
        rows.append((layer.name, layer.type, reads, makes, "shared" if shared else f"{own:,}" if own else ""))
    lines = [_row("th", ("layer", "type", "reads", "makes", "parameters")), *(_row("td", row) for row in rows)]
    return f"<table><caption>{_text(name)}</caption>{''.join(lines)}</table>"


def _split(layer: Layer, tops: Sequence[int]) -> Sequence[int]:
    """The tops of a layer that stands in no file."""
    return tops if layer.is_split and "_split_" in layer.param.top[0] else ()


def _row(tag: str, cells: tuple[str, ...]) -> str:
    return "<tr>" + "".join(f"<{tag}>{_text(cell)}</{tag}>" for cell in cells) + "</tr>"


def _text(words: str) -> str:
    from html import escape  # with it come all names of letters: 300 KiB that a training has no use for

    return escape(one_line(words))
