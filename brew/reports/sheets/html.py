"""A contact sheet as one HTML page: pictures within it, cards that can be sorted, searched and chosen by class."""

from __future__ import annotations

from collections import Counter
from html import escape
from string import Template

from .cards import Card, Sheet, legend_colour
from .colours import CARD, EDGE, FAINT, INK, PAPER, class_colour
from .layout import BEHIND, BETWEEN, Layout
from .marks import MARK
from .svg import FONT, frame_svg

_PAGE = Template("""<!doctype html>
<html lang="en"><!-- $mark --><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
body { margin: 0; padding: 24px; background: $paper; color: $ink; font: 13px/1.45 $font; }
h1 { font-size: 20px; margin: 0 0 4px; }
p { margin: 0; color: $faint; }
header { margin-bottom: 14px; }
nav { position: sticky; top: 0; z-index: 1; display: flex; flex-wrap: wrap; gap: 8px 14px; align-items: center;
      padding: 10px 24px; margin: 0 -24px 14px; background: $paper; border-bottom: 1px solid $edge; }
select, input { font: inherit; padding: 3px 6px; border: 1px solid $edge; border-radius: 4px; background: $card; }
#cards { display: grid; gap: 12px; grid-template-columns: repeat($repeat, ${width}px); }
figure { margin: 0; padding: 8px; background: $card; border: 1px solid $edge; border-radius: 6px; }
figure[hidden] { display: none; }
.frames { display: flex; gap: ${between}px; }
.frames svg:nth-child(2) { margin-left: ${behind}px; }
.frames svg { flex: none; font-family: $font; }
figcaption { margin-top: 4px; color: $faint; font-size: 11px; line-height: 16px; }
figcaption div { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
figcaption b { color: $ink; font-size: 13px; }
.dot { display: inline-block; width: 9px; height: 9px; border-radius: 50%; margin-right: 5px; }
.legend { margin-top: 6px; display: flex; flex-wrap: wrap; gap: 2px 14px; color: $ink; font-size: 11px; }
.legend i { display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin-right: 5px;
            border: 1px solid $edge; }
</style></head><body>
<header><h1>$title</h1>$notes$legend</header>
<nav><label>class <select id="class"><option value="">all ($count)</option>$options</select></label>
<label>sort by <select id="sort"><option value="n">order</option><option value="label">class</option>
<option value="key">key</option><option value="size">size</option></select></label>
<label>search <input id="search" type="search" placeholder="key or class"></label>
<span id="shown">$count shown</span></nav>
<main id="cards">
$cards
</main>
<script>
const all = Array.from(document.querySelectorAll("figure"));
const at = id => document.getElementById(id);
function update() {
  const wanted = at("class").value, by = at("sort").value, text = at("search").value.toLowerCase();
  let shown = 0;
  for (const card of all) {
    const d = card.dataset;
    const fits = (!wanted || (" " + d.classes + " ").includes(" " + wanted + " "))
              && (d.key + " " + d.title).toLowerCase().includes(text);
    card.hidden = !fits;
    shown += fits;
  }
  const order = (a, b) => by === "key" ? (a.dataset.key < b.dataset.key ? -1 : a.dataset.key > b.dataset.key ? 1 : 0)
                                       : a.dataset[by] - b.dataset[by] || a.dataset.n - b.dataset.n;
  at("cards").replaceChildren(...[...all].sort(order));
  at("shown").textContent = shown + " shown";
}
for (const id of ["class", "sort"]) at(id).addEventListener("change", update);
at("search").addEventListener("input", update);
</script></body></html>
""")


def html(sheet: Sheet, *, side: int | None = None, columns: int | None = None) -> str:
    """The text of the page, which needs nothing else; as many columns as its window has room for, or `columns`."""
    layout = Layout.of(sheet, side=side)
    repeat = columns or "auto-fill"
    counts = Counter(label for card in sheet.cards for label in _classes(card))
    options = "".join(
        f'<option value="{label}">{escape(_name(sheet, label))} ({counts[label]})</option>' for label in sorted(counts)
    )
    legend = "".join(
        f'<span><i style="background:{legend_colour(label)}"></i>{escape(words)}</span>'
        for label, words in sheet.legend
    )
    return _PAGE.substitute(
        mark=MARK, title=escape(sheet.title), paper=PAPER, ink=INK, faint=FAINT, edge=EDGE, card=CARD, font=FONT,
        width=layout.card_width + 2, repeat=repeat, between=BETWEEN, behind=BEHIND, count=len(sheet.cards),
        options=options,
        notes="".join(f"<p>{escape(note)}</p>" for note in sheet.notes),
        legend=f'<div class="legend">{legend}</div>' if legend else "",
        cards="\n".join(_figure(layout, number, card) for number, card in enumerate(sheet.cards)),
    )  # fmt: skip


def _figure(layout: Layout, number: int, card: Card) -> str:
    frames = "".join(
        f'<svg width="{layout.side}" height="{layout.high}" viewBox="0 0 {layout.side} {layout.high}">'
        f"{frame_svg(layout, card, frame)}</svg>"
        for frame in card.frames
    )
    dot = f'<span class="dot" style="background:{class_colour(card.label)}"></span>' if card.label is not None else ""
    classes = " ".join(map(str, sorted(_classes(card))))
    label = card.label if card.label is not None else min(_classes(card), default=-1)
    return (
        f'<figure data-n="{number}" data-label="{label}" data-classes="{classes}" data-key="{escape(card.key)}" '
        f'data-title="{escape(card.title)}" data-size="{card.size}"><div class="frames">{frames}</div><figcaption>'
        f'<div>{dot}<b title="{escape(card.title)}">{escape(card.title) or "&nbsp;"}</b></div>'
        f'<div title="{escape(card.key)}">{escape(card.key)}</div><div>{escape(card.facts)}</div></figcaption></figure>'
    )


def _classes(card: Card) -> set[int]:
    """The classes of a record: its own, and those of its boxes."""
    found = {box.label for frame in card.frames for box in frame.boxes}
    return found | ({card.label} if card.label is not None else set())


def _name(sheet: Sheet, label: int) -> str:
    return sheet.names[label] if 0 <= label < len(sheet.names) else f"class {label}"
