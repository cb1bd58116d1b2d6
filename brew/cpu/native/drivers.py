"""Code that goes through a whole convolution: which tiles, which products, in which order, on which thread."""

from __future__ import annotations

from brew.cpu.llvm.slots import Slots
from brew.cpu.llvm.writer import Writer

CONVOLVE = Slots(
    "tiles", "tiles_table", "product", "untile", "untile_table",  # addresses of functions and their tables
    "scratch", "scratch_of_thread", "products",  # address, bytes of a thread, and where in them products begin
    "transformed", "transformed_element",  # the filters
    "elements", "element", "product_element", "tile_block",  # of a tile; distances among tiles, among products; in both
    "channels", "rows", "panels", "panel",  # channels of the source; tiles in a band; panels of filters
    "count", "of_unit", "units",  # tiles, tiles in a unit of work, and units
)  # fmt: skip


def write_convolve(w: Writer) -> None:
    """entry(table, thread, threads): units of tiles, each transformed, multiplied and transformed back by itself."""
    table, thread, threads = w.function(3)
    of = CONVOLVE.read(w, table)
    v = of["scratch"] + of["scratch_of_thread"] * thread
    m = v + of["products"]
    with w.loop(thread, of["units"], threads) as unit:
        first = unit * of["of_unit"]
        count = (of["count"] - first).least(of["of_unit"])
        bands = (count + of["rows"] - 1) // of["rows"]
        w.call(of["tiles"], [of["tiles_table"], first, count, v])
        with w.loop(0, of["elements"]) as e:
            places = [v + e * of["element"], of["transformed"] + e * of["transformed_element"]]
            places.append(m + e * of["product_element"])
            sizes = [of["channels"], of["tile_block"], bands, of["panels"], of["panel"], of["tile_block"]]
            w.call(of["product"], [*places, *sizes])
        w.call(of["untile"], [of["untile_table"], first, count, m])


GRADIENT = Slots(
    "source_tiles", "source_table", "target_tiles", "target_table", "outer",  # functions and their tables
    "source", "target", "gradient",  # addresses of transformed tiles of both, and of the transformed gradient
    "elements", "source_element", "target_element", "gradient_element", "tile_block",
    "channels", "columns", "panels", "panel",
    "start", "count", "of_unit", "units",  # first tile, and tiles, of this part; tiles in a unit, and units
    "more",  # 1 where the gradient has something to be added to
)  # fmt: skip


def write_take_apart(w: Writer) -> None:
    """entry(table, thread, threads): transform the tiles of both blobs."""
    table, thread, threads = w.function(3)
    of = GRADIENT.read(w, table)
    with w.loop(thread, of["units"], threads) as unit:
        begin = unit * of["of_unit"]
        count = (of["count"] - begin).least(of["of_unit"])
        for blob in ("source", "target"):
            place = of[blob] + begin * w.bytes
            w.call(of[f"{blob}_tiles"], [of[f"{blob}_table"], of["start"] + begin, count, place])


def write_accumulate(w: Writer) -> None:
    """entry(table, thread, threads): products of both blobs' tiles, an element of them and a panel at a time."""
    table, thread, threads = w.function(3)
    of = GRADIENT.read(w, table)
    with w.loop(thread, of["panels"] * of["elements"], threads) as unit:
        e, panel = unit // of["panels"], unit % of["panels"]
        v = of["source"] + e * of["source_element"]
        m = of["target"] + e * of["target_element"] + panel * of["columns"] * of["tile_block"]
        out = of["gradient"] + e * of["gradient_element"] + panel * of["panel"]
        blocks = [of["tile_block"], of["tile_block"]]
        w.call(of["outer"], [v, m, out, of["channels"], *blocks, of["count"], of["more"]])
