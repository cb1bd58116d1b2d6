"""Code for products of matrices that lie in blocks, the heart of Winograd's convolutions, and code that goes through a
whole convolution: which tiles, which products, in which order, on which thread."""

from __future__ import annotations

from brew.cpu.llvm.slots import Slots
from brew.cpu.llvm.values import Cell, Int, Vector
from brew.cpu.llvm.writer import Writer

_UNROLLED = 4  # channels in a turn of the inner loop


def write_product(w: Writer, rows: int, columns: int) -> None:
    """entry(v, u, out, channels, v_block, bands, panels, panel, out_block): out = v u, for one element of the tiles.

    v          (blocks, tiles, vector): `rows` tiles in a band; blocks of channels `v_block` bytes apart
    u          (panels, channels, columns * vector); panels are `panel` bytes apart, channels a multiple of 4
    out        (blocks, tiles, vector); a panel is `columns` blocks, which are `out_block` bytes apart
    """
    v, u, out, channels, v_block, bands, panels, panel, out_block = w.function(9)
    with w.loop(0, panels) as p:
        weights = u + p * panel
        target = out + p * columns * out_block
        with w.loop(0, bands) as band:
            sums = [[Cell(w, w.splat(0.0)) for _ in range(columns)] for _ in range(rows)]
            start = v + band * (rows * w.bytes)
            at = Cell(w, weights)
            with w.loop(0, channels, w.width) as channel:
                block = start + channel // w.width * v_block
                end = block + (channels - channel).least(w.width) * 4
                with w.loop(block, end, 4 * _UNROLLED) as here:
                    there: Int = at.get()
                    _multiply(w, sums, here, there)
                    at.set(there + _UNROLLED * columns * w.bytes)
            for j in range(columns):
                place = target + out_block * j + band * (rows * w.bytes)
                for r in range(rows):
                    w.store(place + r * w.bytes, sums[r][j].get())


def _multiply(w: Writer, sums: list[list[Cell]], here: Int, there: Int) -> None:
    now: list[list[Vector]] = [[cell.get() for cell in row] for row in sums]
    for c in range(_UNROLLED):
        factors = [w.load(there + (c * len(now[0]) + j) * w.bytes) for j in range(len(now[0]))]
        for r, row in enumerate(now):
            value = w.broadcast(here + (r * w.bytes + 4 * c))
            now[r] = [value.times_plus(factor, total) for factor, total in zip(factors, row, strict=True)]
    for cells, row in zip(sums, now, strict=True):
        for cell, total in zip(cells, row, strict=True):
            cell.set(total)


def write_outer(w: Writer, rows: int, columns: int) -> None:
    """entry(v, m, out, channels, v_block, m_block, tiles, more): out = vt m, or out += with `more`, for one panel.

    v, m       (blocks, tiles, vector), blocks `v_block` and `m_block` bytes apart; of m the panel's `columns` blocks
    out        (channels, columns * vector); channels a multiple of `rows`, which divides a vector
    """
    v, m, out, channels, v_block, m_block, tiles, more = w.function(8)
    with w.loop(0, channels, rows) as channel:
        sums = [[Cell(w, w.splat(0.0)) for _ in range(columns)] for _ in range(rows)]
        place = out + channel * (columns * w.bytes)
        cells = [(r, j, place + (r * columns + j) * w.bytes) for r in range(rows) for j in range(columns)]
        values = v + channel // w.width * v_block + channel % w.width * 4
        with w.loop(0, tiles * w.bytes, w.bytes) as tile:
            others = [w.load(m + m_block * j + tile) for j in range(columns)]
            for r in range(rows):
                value = w.broadcast(values + tile + 4 * r)
                for j in range(columns):
                    sums[r][j].set(value.times_plus(others[j], sums[r][j].get()))
        with w.when(more.equals(1)):  # added last: long sums in parts lose less to rounding
            for r, j, address in cells:
                sums[r][j].set(sums[r][j].get() + w.load(address))
        for r, j, address in cells:
            w.store(address, sums[r][j].get())


# --- a whole convolution ----------------------------------------------------------------------------------------------

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
