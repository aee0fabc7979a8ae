"""All styles: one table of named inline styles, and the colours.

Styles are inline because a saved notebook keeps no style sheet, and its sanitizer strips most other forms. In
particular, theme-aware colours pass only as `color` or `background-color`, and only written as
`light-dark(rgb(r,g,b),...)`; so borders and tints are translucent greys that suit both themes. What inline styles can't
do (hover, focus, animation) is in static/core/base.css, with the classes `oc-NAME`.
"""

# ruff: noqa: E501  (one style, one line)
from __future__ import annotations

_LINE = "rgba(127,127,127,.28)"
_MONO = "ui-monospace,SFMono-Regular,Menlo,Consolas,monospace"


def themed(light: str, dark: str) -> str:
    """Return a colour for light and dark pages, both `#rrggbb`, in a form that JupyterLab's sanitizer accepts."""
    red, green, blue = (int(light[i : i + 2], 16) for i in (1, 3, 5))
    return f"light-dark(rgb({red},{green},{blue}),{dark})"


MUTED = themed("#59636e", "#9aa4af")
GOOD = themed("#1a7f37", "#57ab5a")
BAD = themed("#c2202b", "#ff7b72")
WARN = themed("#8a5a00", "#d6a63a")
INFO = themed("#0a5ec2", "#6cb0ff")

STYLES: dict[str, str] = {
    # the turn
    "root": "padding:4px 0 0;font-size:14px;line-height:1.5;max-width:100%;overflow-wrap:break-word",
    "turn": "display:block;margin:0",
    "parts": "margin:0",
    "text": "margin:0 0 4px",
    "prompt": f"margin:0 0 10px;padding:8px 12px;border-radius:8px;background-color:rgba(127,127,127,.1);border-left:3px solid {_LINE}",
    "plain": "white-space:pre-wrap;overflow-wrap:break-word",
    "title": "font-weight:600;margin:0 0 6px",
    "past": "margin:0 0 16px",
    # one line about something: a tool's summary, a decision, a notice
    "line": "display:flex;align-items:baseline;padding:3px 8px;min-width:0",
    "summary": "cursor:pointer;padding:4px 10px 4px 38px;text-indent:-28px;overflow:hidden;line-height:1.5",
    "wrap": "min-width:0;overflow-wrap:break-word",
    "glyph": f"font-family:{_MONO};color:{MUTED};display:inline-block;width:1.4em;text-align:center;text-indent:0;flex:none;margin:0 2px",
    "name": "font-weight:600",
    "subtitle": f"font-family:{_MONO};font-size:.88em;color:{MUTED};margin-left:4px;overflow-wrap:break-word",
    "end": "float:right;margin-left:12px;text-indent:0;font-size:.85em;line-height:1.75;white-space:nowrap",
    "verdict": "font-size:.88em;margin-left:8px;overflow-wrap:break-word",
    "answered": "margin:0 0 6px",
    "muted": f"color:{MUTED}",
    "good": f"color:{GOOD}",
    "bad": f"color:{BAD}",
    "warn": f"color:{WARN}",
    "info": f"color:{INFO}",
    "small": "font-size:.88em",
    "strong": "font-weight:600",
    # boxes
    "card": f"margin:0 0 6px;border:1px solid {_LINE};border-radius:8px;overflow:hidden",
    "failed": "margin:0 0 6px;border:1px solid rgba(220,60,60,.5);border-radius:8px;overflow:hidden",
    "asking": "margin:0 0 8px;border:1px solid rgba(200,140,20,.65);border-radius:8px;overflow:hidden;background-color:rgba(200,140,20,.07)",
    "body": f"padding:8px 10px;border-top:1px solid {_LINE}",
    "rule": f"border-top:1px solid {_LINE}",
    "command": f"font-family:{_MONO};font-size:12.5px;line-height:1.45;margin:0 0 4px;font-weight:600;white-space:pre-wrap;overflow-wrap:break-word",
    "value": f"font-family:{_MONO};font-size:.88em;white-space:pre-wrap;overflow-wrap:break-word",
    "struck": f"text-decoration:line-through;color:{MUTED}",
    "child": f"padding:8px 10px 2px 12px;margin:0 0 2px 10px;border-left:2px solid {_LINE}",
    "group": f"padding:6px 8px 0;border-top:1px solid {_LINE}",
    "quiet": "margin:0 0 6px",
    "thought": f"margin:2px 0 6px 6px;padding:2px 0 2px 12px;border-left:2px solid {_LINE};color:{MUTED}",
    "notice": f"margin:0 0 6px;padding:6px 10px;border-radius:8px;border:1px solid {_LINE}",
    "error": "margin:0 0 6px;padding:8px 10px;border-radius:8px;border:1px solid rgba(220,60,60,.5);background-color:rgba(220,60,60,.07)",
    "footer": f"display:flex;flex-wrap:wrap;gap:0 12px;margin:6px 0 0;padding:4px 0 0;border-top:1px solid {_LINE};font-size:.85em;color:{MUTED}",
    "bar": f"display:flex;flex-wrap:wrap;gap:4px 10px;align-items:center;margin:4px 0;font-size:.9em;color:{MUTED}",
    "buttons": "display:flex;flex-wrap:wrap;gap:6px;padding:8px 10px",
    "button": "font-size:13px;padding:3px 12px;border-radius:6px;border:1px solid rgba(127,127,127,.5);background-color:rgba(127,127,127,.12);cursor:pointer",
    "primary": "font-size:13px;padding:3px 12px;border-radius:6px;border:1px solid rgba(20,110,50,.7);background-color:rgba(40,160,80,.22);font-weight:600;cursor:pointer",
    "chip": f"display:inline-block;padding:0 8px;margin:0 6px 4px 0;border:1px solid {_LINE};border-radius:10px;font-size:.88em",
    "picture": "max-width:100%;height:auto;margin:0 0 6px;border-radius:6px",
    "pdf": "display:block;width:100%;height:480px;margin:0 0 6px;border:0",
    "actions": "display:flex;flex-wrap:wrap;gap:6px;margin:4px 0 0",
    "reason": "padding:0 10px 8px",
    "choice": "display:block;padding:2px 0 2px 24px;text-indent:-24px",
    "field": "width:100%;box-sizing:border-box;padding:3px 6px;margin:2px 0 6px;border:1px solid rgba(127,127,127,.5);border-radius:6px",
    "source": f"display:block;width:100%;box-sizing:border-box;padding:4px 6px;margin:2px 0 6px;border:1px solid rgba(127,127,127,.5);border-radius:6px;font-family:{_MONO};font-size:12.5px;line-height:1.45;tab-size:4;resize:vertical;color:inherit;background:none",
    "form": "margin:0;padding:8px 10px",
    "legend": "padding:0;margin:0 0 2px;max-width:100%",  # else as wide as its longest word
    "fieldset": "border:0;margin:0 0 6px;padding:0;min-width:0",
    "subject": "display:flex;flex-direction:column",
    "asked": "padding:3px 8px",
    "matter": f"max-height:420px;overflow:auto;overflow-wrap:anywhere;border-top:1px solid {_LINE}",
    "fact": "padding:4px 10px",
    "files": "margin:0;padding:0 10px 6px 28px",
    "covers": f"padding:4px 10px;border-top:1px solid {_LINE};overflow-wrap:anywhere",
    "note": "padding:4px 10px 0",
    "tall": "max-height:420px;overflow:auto",
    "scrolled": "max-height:380px;overflow:auto",
    "ending": "display:flex;flex-direction:column-reverse",  # begins at its end
    "rigid": "flex:none;min-width:0",
    "todo": "display:flex;gap:8px;padding:1px 0;align-items:baseline",
    # a conversation
    "log": "overflow-y:auto",
    "docks": "margin:0",
    "edge": f"display:block;margin:0 auto 8px;padding:2px 12px;border:1px solid {_LINE};border-radius:10px;font-size:.88em;color:{MUTED};background:none;cursor:pointer",
    "progress": "width:80px;height:8px;vertical-align:middle",
    # code and output
    "code": f"font-family:{_MONO};font-size:12.5px;line-height:1.5;margin:0 0 8px;padding:8px 10px;border-radius:6px;overflow-x:auto;white-space:pre;text-indent:0;background-color:rgba(127,127,127,.09);border:0",
    "output": f"font-family:{_MONO};font-size:12.5px;line-height:1.45;margin:0;padding:0;overflow-x:auto;white-space:pre-wrap;overflow-wrap:break-word;background:none;border:0",
    "listing": f"font-family:{_MONO};font-size:12.5px;line-height:1.45;margin:0;padding:0;overflow-x:auto;white-space:pre;background:none;border:0",
    "inner": "font-family:inherit;background:none;padding:0;border:0",
    # the head of a data frame
    "table": f"font-family:{_MONO};font-size:12px;line-height:1.4;border-collapse:collapse;margin:0",
    "cell": f"border:0;border-bottom:1px solid {_LINE};padding:2px 10px;text-align:left;vertical-align:top;white-space:pre",
    "right": "text-align:right",
    "long": "white-space:pre-wrap;overflow-wrap:break-word;min-width:18em",
    "dtype": f"color:{MUTED};font-weight:400",
    "more": f"cursor:pointer;color:{MUTED};font-size:.88em;padding:2px 0",
    # Formulas. What removes MathML and keeps styles (JupyterLab's sanitizer in a notebook that is not trusted) also removes
    # `display:var()` and the logical sizes, and so shows the TeX. Elsewhere the TeX is there to be copied. `--unset` is
    # never set.
    "formula": "font-size:1.05em",
    "display": "display:block;text-indent:0;overflow-x:auto;overflow-y:hidden;max-width:100%;margin:0 0 8px;padding:2px 0;line-height:0;text-align:center",
    "mathml": "display:none;display:var(--unset,inline);user-select:none",
    "tex": "display:inline-block;inline-size:0;block-size:0;overflow:clip;white-space:nowrap;line-height:1.5",
    # diffs
    "file": f"margin:0 0 6px;border:1px solid {_LINE};border-radius:8px;overflow:hidden",
    "patch": f"font-family:{_MONO};font-size:12.5px;line-height:1.45;margin:0;padding:0;overflow-x:auto;white-space:pre;background:none;border:0",
    "rows": "display:inline-block;min-width:100%;font-family:inherit;background:none;padding:0",
    "hunk": f"display:block;padding:1px 8px;color:{MUTED};background-color:rgba(90,130,200,.12)",
    "same": "display:block;padding:0 8px",
    "added": "display:block;padding:0 8px;background-color:rgba(46,160,67,.16)",
    "removed": "display:block;padding:0 8px;background-color:rgba(248,81,73,.15)",
    "number": f"color:{MUTED}",
    "ins": "text-decoration:none;background-color:rgba(46,160,67,.24);border-radius:2px;color:light-dark(rgb(0,0,0),#fff)",
    "del": "text-decoration:none;background-color:rgba(248,81,73,.24);border-radius:2px;color:light-dark(rgb(0,0,0),#fff)",
}

MARKDOWN: dict[str, str] = {
    "p": "margin:0 0 8px;text-indent:0",
    "ul": "margin:0 0 8px;padding-left:1.6em;text-indent:0",
    "ol": "margin:0 0 8px;padding-left:1.8em;text-indent:0",
    "blockquote": f"margin:0 0 8px;padding:0 0 0 12px;border-left:3px solid {_LINE};color:{MUTED}",
    "h1": "font-size:1.4em;font-weight:600;line-height:1.3;margin:12px 0 8px",
    "h2": "font-size:1.25em;font-weight:600;line-height:1.3;margin:12px 0 8px",
    "h3": "font-size:1.12em;font-weight:600;line-height:1.3;margin:10px 0 6px",
    "h4": "font-size:1em;font-weight:600;margin:10px 0 6px",
    "h5": "font-size:1em;font-weight:600;margin:10px 0 6px",
    "h6": f"font-size:1em;font-weight:600;margin:10px 0 6px;color:{MUTED}",
    "hr": f"border:0;border-top:1px solid {_LINE};margin:12px 0",
    "table": "border-collapse:collapse;margin:0;font-size:.95em",
    "th": f"border:1px solid {_LINE};padding:3px 10px;text-align:left;background-color:rgba(127,127,127,.1)",
    "td": f"border:1px solid {_LINE};padding:3px 10px;text-align:left",
    "code": "background-color:rgba(127,127,127,.15);border-radius:4px;padding:1px 4px;font-size:.9em",
    "scroll": "overflow-x:auto;max-width:100%;margin:0 0 8px;text-indent:0",
    "task": "list-style:none;margin-left:-1.4em;padding-left:1.4em;text-indent:-1.4em",
}
"""Styles of Markdown elements by tag."""

SYNTAX: dict[str, str] = {
    "comment": themed("#59636e", "#9198a1"),
    "keyword": themed("#b3202b", "#ff7b72"),
    "string": themed("#0a3069", "#a5d6ff"),
    "number": themed("#0550ae", "#79c0ff"),
    "function": themed("#6639ba", "#d2a8ff"),
    "type": themed("#953800", "#ffa657"),
    "tag": themed("#116329", "#7ee787"),
    "attribute": themed("#0550ae", "#79c0ff"),
    "inserted": GOOD,
    "deleted": BAD,
    "heading": INFO,
}
"""Colours of code by kind of token."""

ANSI: tuple[str, ...] = (
    themed("#24292f", "#8b949e"),
    themed("#c2202b", "#ff7b72"),
    themed("#1a7f37", "#57ab5a"),
    themed("#8a5a00", "#d6a63a"),
    themed("#0a5ec2", "#6cb0ff"),
    themed("#8250df", "#d2a8ff"),
    themed("#0b7285", "#56d4dd"),
    themed("#59636e", "#c9d1d9"),
    themed("#59636e", "#6e7681"),
    themed("#a40e26", "#ffa198"),
    themed("#116329", "#7ee787"),
    themed("#6f4a00", "#e3b341"),
    themed("#0550ae", "#a5d6ff"),
    themed("#6639ba", "#e2c5ff"),
    themed("#075566", "#a5f3fc"),
    themed("#24292f", "#ffffff"),
)
"""The terminal's sixteen colours, readable on both themes."""
