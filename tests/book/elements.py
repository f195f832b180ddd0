"""The elements of a page that a test reads."""

from html.parser import HTMLParser

# Elements that are never closed.
EMPTY = ("meta", "img", "br")


class Elements(HTMLParser):
    """All start tags with their attributes; fails on tags that are not closed, or not in order."""

    def __init__(self, text: str):
        super().__init__()
        self.found, self._open = [], []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in EMPTY:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def of(self, tag: str, kind: str | None = None) -> list[dict[str, str]]:
        """Attributes of the elements ``tag``; of those of the class ``kind``."""
        return [a for t, a in self.found if t == tag and (kind is None or a.get("class") == kind)]
