"""What tests ask of any page of a report: that its tags close, and that it needs nothing beside it."""

import re
from html.parser import HTMLParser


class Elements(HTMLParser):
    """Checks that tags close in order, and keeps ids and references."""

    VOID = frozenset({"meta", "link", "img", "input", "br"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open, self.ids, self.references = [], [], []
        self.feed(page)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attributes):
        if tag not in self.VOID:
            self.open.append(tag)
        for key, value in attributes:
            if key == "id":
                self.ids.append(value)
            if key in ("src", "href", "srcset", "action", "data"):
                self.references.append(value)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, (tag, self.open[-3:])
        self.open.pop()


def outside_references(page: str) -> list[str]:
    """Whatever the page would load from elsewhere."""
    found = [r for r in Elements(page).references if not r.startswith(("data:", "#"))]
    found += [u for u in re.findall(r"url\(\s*['\"]?([^'\")]*)", page) if not u.startswith(("data:", "#"))]
    return found + re.findall(r"@import|<script|<iframe", page)
