"""Changes to a YAML text that leave all else in it byte for byte as it was: comments, order, quotes, indentation.

``rewritten`` makes a text say other data. It finds where text and data differ and replaces the characters of these
values alone; each result is read again and compared with what it was to say.
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from config.document import compose
from config.errors import ConfigError, ConfigProblem
from config.nodes import KeyPath, NodeReader
from config.yaml_marks import (
    NotEditableError,
    column_of,
    dash_of,
    end_of,
    is_block,
    is_flow,
    line_end,
    line_start,
    own_line_start,
    start_of,
)
from config.yaml_words import entry_lines, flow_text, item_lines, scalar_text

#: Neighbours in brackets that change together are done one after the other.
_MOST_ROUNDS: Final = 200
_GAP: Final = re.compile(r"[ ]+(?=#)")
_BY_HAND: Final = (
    "cannot be changed here: it is written with an alias, a merge or another form that other parts may share;"
    " change it in the file"
)


@dataclass(frozen=True, slots=True, order=True)
class _Splice:
    """Characters ``start`` to ``end`` become ``new``."""

    start: int
    end: int
    new: str


def rewritten(text: str, wanted: Mapping[str, Any], file: str) -> str:
    """``text`` changed so that it says ``wanted``.

    Items of lists of mappings keep their places: further ones are appended, surplus ones cut from the end. Raises
    ``ConfigError`` where that cannot be done without touching something else.
    """
    for _ in range(_MOST_ROUNDS):
        tree = _Tree(text, file)
        if tree.data(tree.root) == wanted:
            return text
        try:
            splices = sorted(set(tree.differences(tree.root, wanted)))
        except NotEditableError:
            break
        if not splices:
            break
        text = _applied(text, splices)
    raise ConfigError([ConfigProblem(file, _BY_HAND)])


def without_item(text: str, path: KeyPath, file: str) -> str:
    """``text`` without the item of a list, or the entry of a mapping, at ``path``; the last one takes the list with it.

    Raises ``ConfigError`` as ``rewritten``.
    """
    tree = _Tree(text, file)
    *above, last = path
    try:
        parent = tree.at(tuple(above))
        if len(parent.value) == 1 and above:
            return without_item(text, tuple(above), file)
        splice = tree.removal(parent, last)
    except NotEditableError:
        raise ConfigError([ConfigProblem(file, _BY_HAND)]) from None
    return _applied(text, [splice])


def with_names(text: str, path: KeyPath, names: Mapping[str, str], file: str) -> str:
    """``text`` with keys of the mapping at ``path`` renamed, old to new. Raises ``ConfigError`` as ``rewritten``."""
    tree = _Tree(text, file)
    try:
        splices = [
            _Splice(start_of(key), end_of(key, text), scalar_text(names[name], key.style))
            for name, (key, _) in tree.pairs(tree.at(path)).items()
            if name in names
        ]
    except NotEditableError:
        splices = []
    if len(splices) < len(names):
        raise ConfigError([ConfigProblem(file, _BY_HAND)])
    return _applied(text, sorted(splices))


def _applied(text: str, splices: list[_Splice]) -> str:
    """With those that do not touch one another; the others are found again."""
    kept: list[_Splice] = []
    for splice in splices:
        if not kept or splice.start >= kept[-1].end:
            kept.append(splice)
    for splice in reversed(kept):
        text = text[: splice.start] + splice.new + _keeping_comment(text, splice)
    return text


def _keeping_comment(text: str, splice: _Splice) -> str:
    """What follows a splice; a comment behind it stays in its column where there is room."""
    rest = text[splice.end :]
    gap = _GAP.match(rest)
    if gap is None or splice.start == splice.end or "\n" in text[splice.start : splice.end] + splice.new:
        return rest
    blanks = len(gap[0]) - (len(splice.new) - (splice.end - splice.start))
    return " " * max(blanks, min(len(gap[0]), 2)) + rest[len(gap[0]) :]


class _Tree:
    """The nodes of one text."""

    def __init__(self, text: str, file: str) -> None:
        self.text = text
        self.file = file
        try:
            root, self._translation = compose(text, file)
        except ConfigError:
            root = None
        if root is None:
            # the file itself was read before: what cannot be read is what an earlier step has made of it
            raise ConfigError([ConfigProblem(file, _BY_HAND)])
        self.root = root
        self._newline = "\r\n" if "\r\n" in text else "\n"

    def pairs(self, node: Node) -> dict[str, tuple[ScalarNode, Node]]:
        """The entries that stand in a mapping itself, by key."""
        if not isinstance(node, MappingNode):
            raise NotEditableError
        return {str(key.value).translate(self._translation): (key, value) for key, value in node.value}

    def at(self, path: KeyPath) -> Node:
        """The node at ``path``. Raises ``NotEditableError`` where nothing is written there."""
        node = self.root
        for part in path:
            try:
                node = node.value[part] if isinstance(part, int) else self.pairs(node)[part][1]
            except (LookupError, TypeError):
                raise NotEditableError from None
        return node

    def data(self, node: Node) -> Any:
        """What a node says."""
        return NodeReader(self.file, self._translation).build(node, ())

    def differences(self, node: Node, wanted: Any) -> Iterator[_Splice]:
        """What has to become of ``node`` so that it says ``wanted``."""
        if self.data(node) == wanted:
            return
        if isinstance(node, MappingNode) and isinstance(wanted, Mapping) and wanted:
            yield from self._of_mapping(node, wanted)
        elif isinstance(node, SequenceNode) and isinstance(wanted, list) and wanted:
            yield from self._of_sequence(node, wanted)
        elif is_block(node):
            raise NotEditableError
        else:
            style = node.style if isinstance(node, ScalarNode) else None
            new = flow_text(wanted) if isinstance(wanted, list | Mapping) else scalar_text(wanted, style)
            before = self.text[start_of(node) - 1 : start_of(node)]
            pad = " " if before == ":" else ""
            yield _Splice(start_of(node), end_of(node, self.text), pad + new)

    def removal(self, node: Node, part: str | int) -> _Splice:
        """What takes an item or an entry away that is not the only one."""
        place = part if isinstance(part, int) else [*self.pairs(node)].index(part)
        if is_flow(node):
            spans = self._spans(node)
            (start, end), others = spans[place], len(spans) > 1
            if place:
                start = spans[place - 1][1]
            elif others:
                end = spans[1][0]
            return _Splice(start, end, "")
        if isinstance(part, int):
            start, _ = dash_of(self.text, node.value[part])
            last = node.value[part]
        else:
            key, last = node.value[place]
            start = own_line_start(self.text, key)
            if start_of(last) < start_of(key):
                last = key
        return _Splice(start, line_end(self.text, end_of(last, self.text)), "")

    def _of_mapping(self, node: MappingNode, wanted: Mapping[str, Any]) -> Iterator[_Splice]:
        own, said = self.pairs(node), self.data(node)
        added = {key: value for key, value in wanted.items() if key not in own and said.get(key) != value}
        for key, (key_node, value) in own.items():
            if key == "<<":
                continue
            if key not in wanted:
                yield self.removal(node, key)
            elif start_of(value) < start_of(key_node):
                if said[key] != wanted[key]:
                    raise NotEditableError  # an alias
            else:
                yield from self.differences(value, wanted[key])
        if added:
            yield self._more_entries(node, added)

    def _of_sequence(self, node: SequenceNode, wanted: list[Any]) -> Iterator[_Splice]:
        if any(not isinstance(item, ScalarNode) for item in node.value):
            for item, value in zip(node.value, wanted, strict=False):
                yield from self.differences(item, value)
            for place in range(len(wanted), len(node.value)):
                yield self.removal(node, place)
            if len(wanted) > len(node.value):
                yield self._more_items(node, len(node.value) - 1, wanted[len(node.value) :])
            return
        said = [self.data(item) for item in node.value]
        matcher = difflib.SequenceMatcher(
            None, [repr(each) for each in said], [repr(each) for each in wanted]
        )
        if is_flow(node):
            yield self._flow_of_scalars(node, matcher, wanted)
            return
        for _, first, last, begin, end in (code for code in matcher.get_opcodes() if code[0] != "equal"):
            both = min(last - first, end - begin)
            for offset in range(both):
                yield from self.differences(node.value[first + offset], wanted[begin + offset])
            for place in range(first + both, last):
                yield self.removal(node, place)
            if begin + both < end:
                yield self._more_items(node, first + both - 1, wanted[begin + both : end])

    def _flow_of_scalars(
        self, node: SequenceNode, matcher: "difflib.SequenceMatcher[str]", wanted: list[Any]
    ) -> _Splice:
        """``[a, b]`` anew, what stays as it was written."""
        texts = [flow_text(value) for value in wanted]
        for first, begin, size in matcher.get_matching_blocks():
            for offset in range(size):
                item = node.value[first + offset]
                texts[begin + offset] = self.text[start_of(item) : end_of(item, self.text)]
        return _Splice(start_of(node), end_of(node, self.text), f"[{', '.join(texts)}]")

    def _more_entries(self, node: MappingNode, added: Mapping[str, Any]) -> _Splice:
        if is_flow(node):
            inner = flow_text(added)[1:-1]
            return self._into_brackets(node, inner)
        column = column_of(node.value[0][0])
        in_brackets = all(is_flow(value) for _, value in node.value)
        lines: list[str] = []
        for key, value in added.items():
            if in_brackets and isinstance(value, Mapping):
                lines.append(f"{' ' * column}{scalar_text(key)}: {flow_text(value)}")
            else:
                lines += entry_lines(key, value, column)
        return self._lines_after(end_of(node, self.text), lines)

    def _more_items(self, node: SequenceNode, after: int, added: list[Any]) -> _Splice:
        if is_flow(node):
            return self._into_brackets(node, flow_text(added)[1:-1])
        start, column = dash_of(self.text, node.value[max(after, 0)])
        indent = column_of(node.value[max(after, 0)]) - column
        lines = [line for value in added for line in item_lines(value, column, indent)]
        if after < 0:
            return _Splice(start, start, "".join(line + self._newline for line in lines))
        return self._lines_after(end_of(node.value[after], self.text), lines)

    def _lines_after(self, index: int, lines: list[str]) -> _Splice:
        at = line_end(self.text, index)
        new = self._newline.join(lines)
        if at == line_start(self.text, at):
            return _Splice(at, at, new + self._newline)
        return _Splice(at, at, self._newline + new)

    def _into_brackets(self, node: Node, inner: str) -> _Splice:
        spans = self._spans(node)
        if spans:
            return _Splice(spans[-1][1], spans[-1][1], ", " + inner)
        return _Splice(start_of(node) + 1, end_of(node, self.text) - 1, inner)

    def _spans(self, node: Node) -> list[tuple[int, int]]:
        """From where to where each item, or entry, of a collection in brackets stands."""
        spans = []
        for item in node.value:
            first, last = item if isinstance(item, tuple) else (item, item)
            if start_of(last) < start_of(first) or start_of(last) < start_of(node):
                raise NotEditableError  # an alias
            spans.append((start_of(first), end_of(last, self.text)))
        return spans
