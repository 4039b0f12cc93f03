"""Plots as SVG, a few lines each, without a library."""

from collections.abc import Mapping, Sequence
from html import escape

from benchmarks.report import DOCS

COLOURS = ("#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#3ca951", "#a463f2", "#97bbf5", "#9c6b4e", "#9498a0")
WIDTH, LINE = 760, 22


def _write(name: str, height: int, title: str, parts: Sequence[str]) -> None:
    path = DOCS / name
    path.parent.mkdir(exist_ok=True)
    view = f'viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="13"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {view}>'
    sheet = f'<rect width="{WIDTH}" height="{height}" fill="white"/>'
    path.write_text("\n".join([head, sheet, _text(10, 22, title, "bold"), *parts, "</svg>", ""]))


def _text(x: float, y: float, text: str, weight: str = "normal", anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-weight="{weight}" text-anchor="{anchor}">{escape(text)}</text>'
    )


def bars(name: str, title: str, groups: Mapping[str, Mapping[str, float]]) -> None:
    """Groups of bars from 0 to 1, one below the other."""
    parts, y = [], 34
    for group, values in groups.items():
        y += LINE
        parts.append(_text(10, y, group, "bold"))
        for number, (label, value) in enumerate(values.items()):
            y += LINE
            length = 480 * value
            colour = COLOURS[number % len(COLOURS)]
            parts.append(_text(200, y, label, anchor="end"))
            parts.append(f'<rect x="210" y="{y - 13}" width="{length:.1f}" height="16" fill="{colour}"/>')
            parts.append(_text(216 + length, y, f"{value:.3f}"))
    _write(name, y + 20, title, parts)


def layers(name: str, title: str, weeks: Sequence[Mapping[int, int]], names: Mapping[int, str]) -> None:
    """How many are where, week by week, one layer above the other."""
    height, left, right = 260, 40, WIDTH - 30
    whole = max(sum(week.values()) for week in weeks)
    step = (right - left) / max(len(weeks) - 1, 1)
    parts, floor = [], [0.0] * len(weeks)
    for number, segment in enumerate(sorted(names)):
        top = [below + week.get(segment, 0) for below, week in zip(floor, weeks, strict=True)]
        points = [(left + i * step, 40 + height * (1 - value / whole)) for i, value in enumerate(top)]
        points += [
            (left + i * step, 40 + height * (1 - value / whole))
            for i, value in reversed(list(enumerate(floor)))
        ]
        told = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        colour = COLOURS[number % len(COLOURS)]
        parts.append(f'<polygon points="{told}" fill="{colour}" stroke="white"/>')
        y = 330 + LINE * number
        parts.append(f'<rect x="{left}" y="{y - 12}" width="14" height="14" fill="{colour}"/>')
        parts.append(_text(left + 22, y, names[segment]))
        floor = top
    parts += [_text(left, 315, "first week"), _text(right, 315, "last week", anchor="end")]
    _write(name, 340 + LINE * len(names), title, parts)


def reliability(name: str, title: str, lines: Mapping[str, Sequence[tuple[float, float]]]) -> None:
    """Told probability (across) against the share that came (up), with the diagonal."""
    size, left, top = 300, 60, 40
    most = max(max(point) for line in lines.values() for point in line) or 1.0
    parts = [f'<line x1="{left}" y1="{top + size}" x2="{left + size}" y2="{top}" stroke="#ccc"/>']
    for number, (label, line) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        told = " ".join(
            f"{left + size * p / most:.1f},{top + size * (1 - share / most):.1f}" for p, share in line
        )
        parts.append(f'<polyline points="{told}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(
            f'<rect x="{left + size + 30}" y="{top + LINE * number}" width="14" height="14" fill="{colour}"/>'
        )
        parts.append(_text(left + size + 52, top + 12 + LINE * number, label))
    parts += [
        _text(left, top + size + 20, "told: 0"),
        _text(left + size, top + size + 20, f"{most:.2f}", anchor="end"),
        _text(left - 8, top + 12, f"{most:.2f}", anchor="end"),
        _text(left - 8, top + size, "came: 0", anchor="end"),
    ]
    _write(name, top + size + 40, title, parts)
