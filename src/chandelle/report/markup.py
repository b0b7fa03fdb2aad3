"""HTML from Python values; every text is escaped here and nowhere else."""

import base64
import html
import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Name:
    """A supernova's name that chooses its light curve when clicked."""

    sn: str
    is_clickable: bool = True


_NUMBER = re.compile(r"-?\d+(\.\d+)?(e[+-]?\d+)?( ± [\d.]+)?|–").fullmatch
_LONG = 24
_HUGE = 1e7

Cell = str | int | float | Name


def text(value: object) -> str:
    """Escape a value for HTML text and quoted attributes."""
    return html.escape(str(value), quote=True)


def table(
    head: Sequence[str], rows: Sequence[Sequence[Cell]], *, caption: str = "", digits: int = 3
) -> str:
    """Make a table that scrolls inside its box.

    Parameters
    ----------
    head : sequence of str
        Column titles.
    rows : sequence of sequences
        Cells; numbers stand to the right, NaN is a dash.
    caption : str
        A line below it.
    digits : int
        Decimals of floats.

    Returns
    -------
    str
        HTML.
    """
    numeric = [
        bool(rows) and all(row[i] == "" or _is_number(row[i]) for row in rows)
        for i in range(len(head))
    ]
    look = {True: ' class="number"', False: ""}
    titles = "".join(
        f'<th scope="col"{look[right]}>{text(title)}</th>'
        for title, right in zip(head, numeric, strict=True)
    )
    body = "".join(f"<tr>{''.join(_cell(cell, digits) for cell in row)}</tr>\n" for row in rows)
    below = f"<figcaption>{text(caption)}</figcaption>" if caption else ""
    return (
        f'<figure><div class="scroll"><table><thead><tr>{titles}</tr></thead>\n'
        f"<tbody>\n{body}</tbody></table></div>{below}</figure>\n"
    )


def _cell(value: Cell, digits: int) -> str:
    if isinstance(value, Name):
        name = text(value.sn)
        return (
            f'<td><button type="button" data-sn="{name}">{name}</button></td>'
            if (value.is_clickable)
            else f"<td>{name}</td>"
        )
    if isinstance(value, int):
        return f'<td class="number">{value}</td>'
    if isinstance(value, float):
        return f'<td class="number">{number(value, digits)}</td>'
    kind = "number" if _is_number(value) else "text" if len(value) > _LONG else ""
    return f'<td class="{kind}">{text(value)}</td>' if kind else f"<td>{text(value)}</td>"


def _is_number(value: Cell) -> bool:
    return isinstance(value, int | float) or (isinstance(value, str) and bool(_NUMBER(value)))


def number(value: float, digits: int = 3) -> str:
    """Write a float with a fixed number of decimals, or in powers of ten; NaN is a dash."""
    if not math.isfinite(value):
        return "–"
    return f"{value:.{digits}f}" if abs(value) < _HUGE else f"{value:.{digits}g}"


def image(figure: Figure, *, alt: str, caption: str = "", kind: str = "svg", name: str = "") -> str:
    """Embed a figure as a data URI.

    Parameters
    ----------
    figure : Figure
        Drawn without pyplot, so nothing stays behind.
    alt, caption : str
        Texts for those who do not see it, and below it.
    kind : "svg" or "png"
        PNG where there are many marks.
    name : str
        Class of the HTML element.

    Returns
    -------
    str
        HTML.
    """
    buffer = io.BytesIO()
    metadata = {"Date": None} if kind == "svg" else None
    figure.savefig(buffer, format=kind, dpi=130, metadata=metadata, transparent=True)
    mime = {"svg": "image/svg+xml", "png": "image/png"}[kind]
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    below = f"<figcaption>{text(caption)}</figcaption>" if caption else ""
    return (
        f'<figure class="{text(name)}"><img alt="{text(alt)}" src="data:{mime};base64,{data}">'
        f"{below}</figure>\n"
    )


def section(name: str, title: str, body: str) -> str:
    """Make a section with an anchor."""
    return f'<section id="{text(name)}">\n<h2>{text(title)}</h2>\n{body}</section>\n'


def note(words: str) -> str:
    """Make a quiet paragraph."""
    return f'<p class="note">{text(words)}</p>\n'


def absent(what: str, argument: str, source: str) -> str:
    """Say that something is not shown, and what to give."""
    return (
        f'<p class="note">{text(what)} not shown: give <code>{text(argument)}</code> '
        f"({text(source)}).</p>\n"
    )
