"""A model of the page in Python: applies operations of the wire protocol to a tree, like the widget's JavaScript."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from html.parser import HTMLParser

VOID = {"br", "hr", "img", "input"}


@dataclass(eq=False)
class Node:
    tag: str
    attrs: dict[str, str | None] = field(default_factory=dict)
    children: list[Node | str] = field(default_factory=list)
    parent: Node | None = None
    source: str = ""

    def walk(self):
        yield self
        for child in self.children:
            if isinstance(child, Node):
                yield from child.walk()

    @property
    def text(self) -> str:
        return "".join(child if isinstance(child, str) else child.text for child in self.children)


class TreeBuilder(HTMLParser):
    """A strict parser: an end tag that doesn't match is an error."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Node("#fragment")
        self.open = [self.root]

    def handle_starttag(self, tag, attrs):
        node = Node(tag, dict(attrs), parent=self.open[-1])
        assert len(attrs) == len(node.attrs), f"an attribute stands twice in <{tag}>: {attrs}"
        self.open[-1].children.append(node)
        if tag not in VOID:
            self.open.append(node)

    def handle_endtag(self, tag):
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data):
        siblings = self.open[-1].children
        if siblings and isinstance(siblings[-1], str):
            siblings[-1] += data
        else:
            siblings.append(data)

    def handle_comment(self, data):
        raise AssertionError(f"a comment: {data!r}")

    def handle_decl(self, decl):
        raise AssertionError(f"a declaration: {decl!r}")

    def handle_pi(self, data):
        raise AssertionError(f"a processing instruction: {data!r}")


def parse(html: str) -> Node:
    builder = TreeBuilder()
    builder.feed(html)
    builder.close()
    assert len(builder.open) == 1, f"<{builder.open[-1].tag}> is never closed"
    return builder.root


def canonical(node: Node | str, *, keys: bool = False) -> str:
    """Return the markup of a tree; without keys, leave out the wrappers of streamed blocks (`<div data-key>`)."""
    if isinstance(node, str):
        return escape(node)
    inner = "".join(canonical(child, keys=keys) for child in _merged(node.children))
    attrs = {name: value for name, value in node.attrs.items() if keys or name not in ("data-key", "data-fold")}
    if node.tag == "#fragment" or (not keys and node.tag == "div" and set(node.attrs) == {"data-key"}):
        return inner
    head = "".join(f' {name}="{escape(value)}"' if value is not None else f" {name}" for name, value in attrs.items())
    return f"<{node.tag}{head}>" + ("" if node.tag in VOID else f"{inner}</{node.tag}>")


def _merged(children: list[Node | str]) -> list[Node | str]:
    merged: list[Node | str] = []
    for child in children:
        if isinstance(child, str) and merged and isinstance(merged[-1], str):
            merged[-1] += child
        else:
            merged.append(child)
    return merged


class Page:
    """A view: its root has `data-key="root"`."""

    def __init__(self, html: str = "") -> None:
        self.sent = 0
        self.snapshot(html)

    def snapshot(self, html: str) -> None:
        self.root = Node("div", {"data-key": "root"}, source=html)
        self.nodes = {"root": self.root}
        self._fill(self.root, html)

    def apply(self, ops) -> None:
        for name, key, *rest in ops:
            getattr(self, f"_{name}")(key, *rest)

    def html(self, key: str = "root", *, keys: bool = False) -> str:
        """Return the inner markup of a node."""
        return "".join(canonical(child, keys=keys) for child in _merged(self.nodes[key].children))

    def _put(self, key, parent, html, before=None):
        (node,) = parse(html).children
        assert isinstance(node, Node)
        assert node.attrs.get("data-key") == key
        old = self.nodes.get(key)
        if old:
            target, index = old.parent, old.parent.children.index(old)
            self._forget(old)
            target.children[index] = node
        else:
            target = self.nodes[parent]
            index = target.children.index(self.nodes[before]) if before else len(target.children)
            target.children.insert(index, node)
        node.parent = target
        self._remember(node)

    def _text(self, key, text):
        self.nodes[key].children.append(text)

    def _splice(self, key, keep, html):
        node = self.nodes[key]
        units = node.source.encode("utf-16-le", "surrogatepass")
        assert keep * 2 <= len(units), "keeps more than there is"
        node.source = units[: keep * 2].decode("utf-16-le") + html
        self._fill(node, node.source)

    def _drop(self, key):
        node = self.nodes[key]
        node.parent.children.remove(node)
        self._forget(node)

    def _fill(self, node: Node, html: str) -> None:
        for child in node.children:
            if isinstance(child, Node):
                self._forget(child)
        node.children = parse(html).children
        for child in node.children:
            if isinstance(child, Node):
                child.parent = node
                self._remember(child)

    def _remember(self, node: Node) -> None:
        for item in node.walk():
            if key := item.attrs.get("data-key"):
                assert key not in self.nodes, f"two nodes have the key {key}"
                self.nodes[key] = item

    def _forget(self, node: Node) -> None:
        for item in node.walk():
            if key := item.attrs.get("data-key"):
                del self.nodes[key]
