"""Bars as SVG, written by hand: one group a case, one bar a gateway, light and dark by the reader's choice."""

from html import escape

BAR, GAP, LABEL, WIDTH = 20, 26, 210, 860
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2933 }
.title { font-size: 17px; font-weight: 600 } .case { font-weight: 600 }
.note, .value { fill: #616e7c } .bar { fill: #b8c4ce } .own { fill: #0b7a75 } .page { fill: #ffffff }
@media (prefers-color-scheme: dark) {
  text { fill: #e4e7eb } .note, .value { fill: #9aa5b1 } .bar { fill: #52606d } .own { fill: #2cb1bc } .page { fill: #14191f }
}
"""


def bars(title: str, note: str, groups: list[tuple[str, list[tuple[str, float, tuple[float, float]]]]]) -> str:
    """Each group has its own scale; a thin line over a bar's end is the spread of its repetitions."""
    parts, y = [], 76
    for case, rows in groups:
        parts.append(f'<text class="case" x="16" y="{y}">{escape(case)}</text>')
        y += 12
        longest = max(high for _, _, (_, high) in rows)
        scale = (WIDTH - LABEL - 110) / longest
        for name, value, (low, high) in rows:
            kind = "own" if name.startswith("Transom") else "bar"
            middle = y + BAR / 2
            parts.append(f'<text x="{LABEL}" y="{middle + 4}" text-anchor="end">{escape(name)}</text>')
            parts.append(
                f'<rect class="{kind}" x="{LABEL + 8}" y="{y + 3}" width="{value * scale:.1f}" height="{BAR - 6}" rx="3"/>'
            )
            parts.append(
                f'<path d="M{LABEL + 8 + low * scale:.1f} {middle}H{LABEL + 8 + high * scale:.1f}" '
                'stroke="#e12d39" stroke-width="1.5"/>'
            )
            parts.append(
                f'<text class="value" x="{LABEL + 16 + high * scale:.1f}" y="{middle + 4}">{value:,.{1 if value < 1_000 else 0}f}</text>'
            )
            y += BAR
        y += GAP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" role="img" aria-label="{escape(title)}">'
        f'<style>{STYLE}</style><rect class="page" width="100%" height="100%"/>'
        f'<text class="title" x="16" y="26">{escape(title)}</text><text class="note" x="16" y="46">{escape(note)}</text>'
        + "".join(parts) + "</svg>\n"
    )
