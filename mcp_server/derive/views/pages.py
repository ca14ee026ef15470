"""The text of an HTML page: its main part, without navigation, scripts and style."""

from html.parser import HTMLParser

SILENT = {"script", "style", "template", "noscript", "head", "nav", "header", "footer", "svg", "select", "button"}
BLOCKS = {"p", "div", "section", "article", "ul", "ol", "dl", "table", "form", "main", "body", "br", "tr", "fieldset"}
HEADINGS = {f"h{level}": "#" * level for level in range(1, 7)}
CELLS = {"td", "th"}
VOID = {"br", "img", "input", "meta", "link", "hr", "area", "base", "col", "embed", "source", "track", "wbr"}


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.lines: list[str] = [""]
        self.errors: dict[str, list[str]] = {}
        self._silent = 0
        self._main = 0
        self._found_main = False
        self._list: str | None = None
        self._list_depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attrs}
        if tag not in VOID:
            self.open.append(tag)
        if tag in SILENT:
            self._silent += 1
        if tag == "main" or named.get("role") == "main":
            self._begin_main(tag)
        if tag in {"ul", "ol"} and "errorlist" in named.get("class", "").split():
            self._list = named.get("id", "").removeprefix("id_").removesuffix("_error")
            self._list_depth = len(self.open)
        self._mark(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.open:
            return
        # What was never closed ends with what is around it.
        while self.open:
            ended = self.open.pop()
            self._silent -= ended in SILENT
            if self._list is not None and len(self.open) < self._list_depth:
                self._list = None
            if self._main and len(self.open) < self._main:
                self._main = 0
            if ended == tag:
                break
        if tag in BLOCKS | HEADINGS.keys() | {"li", "dt", "dd"}:
            self._new_line()

    def handle_data(self, data: str) -> None:
        text = " ".join(data.split())
        if not text:
            return
        if self._list is not None:
            self.errors.setdefault(self._list, []).append(text)
        if not self._silent and (self._main or not self._found_main):
            spaced = f" {text}" if self.lines[-1] and not self.lines[-1].endswith(" ") else text
            self.lines[-1] += spaced

    def _begin_main(self, tag: str) -> None:
        if not self._found_main:
            # What stood before the main part was not the page's point.
            self.lines, self._found_main, self._main = [""], True, len(self.open)

    def _mark(self, tag: str) -> None:
        if tag in HEADINGS:
            self._new_line(f"{HEADINGS[tag]} ")
        elif tag in {"li", "dd"}:
            self._new_line("- " if tag == "li" else "  ")
        elif tag in CELLS and self.lines[-1].strip():
            self.lines[-1] += " | "
        elif tag in BLOCKS | {"dt"}:
            self._new_line()

    def _new_line(self, begin: str = "") -> None:
        if self.lines[-1].strip(" -#"):
            self.lines.append(begin)
        else:
            self.lines[-1] = begin


def page_text(html: str, limit: int) -> str:
    """Return the text of the page's <main>, or of its body, cut at so many characters; tables as `a | b`."""
    text = "\n".join(line.rstrip() for line in _read(html).lines if line.strip(" -#|"))
    return text if len(text) <= limit else f"{text[:limit]}\n… the page goes on."


def form_errors(html: str) -> dict[str, list[str]]:
    """Return the messages that Django's forms put into lists of errors, by field where the page says which."""
    return _read(html).errors


def _read(html: str) -> _Reader:
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader
