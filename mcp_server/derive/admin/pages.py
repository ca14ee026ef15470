"""Reads the page an action answers with: what it says, which fields it asks for, and what its button sends."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from mcp_server.derive.admin.values import text_of

MAX_TEXT = 1500
SILENT = {"script", "style", "head", "nav", "header", "footer", "aside", "svg", "template"}
# The frame every admin page has around what it says.
CHROME_CLASSES = {
    "breadcrumb",
    "breadcrumbs",
    "object-tools",
    "messagelist",
    "theme-toggle",
    "cancel-link",
    "skip-to-content-link",
}
CHROME_IDS = {"header", "nav-sidebar", "footer", "user-tools", "site-name", "nav-breadcrumbs", "nav-global"}
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
BREAKS = {"p", "li", "br", "h1", "h2", "h3", "tr", "div", "ul", "td"}


@dataclass
class Form:
    """The form of the page: hidden and prefilled values, what may be filled in, and its first button."""

    data: dict[str, list[str]] = field(default_factory=dict)
    asks: dict[str, dict[str, Any]] = field(default_factory=dict)
    button: tuple[str, str] | None = None
    method: str = "get"
    # Where it goes; empty for the address of the page itself.
    action: str = ""


@dataclass
class Page:
    text: str = ""
    errors: list[str] = field(default_factory=list)
    form: Form | None = None


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.texts: list[str] = []
        self.forms: list[Form] = []
        self.errors: list[str] = []
        self.stack: list[tuple[str, bool, bool]] = []
        self.form: Form | None = None
        self.select: str | None = None
        self.multiple = self.selected = False
        self.area: str | None = None
        self.wrong = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        classes = set(given.get("class", "").split())
        silent = self._silent() or tag in SILENT or bool(classes & CHROME_CLASSES) or given.get("id") in CHROME_IDS
        is_error = "errorlist" in classes or bool(self.stack and self.stack[-1][2])
        if "errorlist" in classes:
            # Django's forms name the list after the field it belongs to.
            self.wrong = given.get("id", "").removeprefix("id_").removesuffix("_error")
        if tag in BREAKS:
            self.texts.append(" ")
            if is_error and tag == "li":
                self.errors.append(f"{self.wrong}: " if self.wrong else "")
        if tag not in VOID:
            self.stack.append((tag, silent, is_error))
        if tag == "form" and not silent:
            self.form = Form(method=given.get("method", "get").lower(), action=given.get("action", ""))
            self.forms.append(self.form)
        elif self.form is not None and (name := given.get("name")):
            self._control(tag, name, given)
        if tag == "option" and self.form is not None and self.select:
            self._option(given)

    def handle_endtag(self, tag: str) -> None:
        while self.stack:
            if self.stack.pop()[0] == tag:
                break
        if tag == "form":
            self.form = None
        elif tag == "select":
            self.select = None
        elif tag == "textarea":
            self.area = None

    def handle_data(self, data: str) -> None:
        if self.area and self.form is not None:
            text = self.form.data[self.area][0]
            # A browser drops the line break that begins it.
            self.form.data[self.area] = [text + data if text else data.removeprefix("\n")]
        if self.form is not None and self.select and (label := " ".join(data.split())):
            self._label(self.form.asks[self.select], label)
        if self._silent() or self.select or self.area:
            return
        self.texts.append(data)
        if self.stack and self.stack[-1][2] and self.errors:
            self.errors[-1] += data

    def _silent(self) -> bool:
        return bool(self.stack) and self.stack[-1][1]

    def _control(self, tag: str, name: str, given: dict[str, str]) -> None:
        form, kind = self.form, given.get("type", "submit" if tag == "button" else "text").lower()
        if form is None or "disabled" in given or name == "csrfmiddlewaretoken":
            return
        if kind in ("submit", "image") and tag in ("input", "button"):
            form.button = form.button or (name, given.get("value", ""))
        elif tag == "select":
            self.select, self.multiple, self.selected = name, "multiple" in given, False
            form.asks[name] = {"enum": []} | ({"required": True} if "required" in given else {})
        elif tag == "textarea":
            self.area, form.asks[name] = name, {"type": "text"}
            form.data[name] = [""]
        elif kind in ("checkbox", "radio"):
            self._box(form, name, kind, given)
        elif kind not in ("button", "reset", "file"):
            form.data.setdefault(name, []).append(given.get("value", ""))
            if kind != "hidden":
                limits = {key: given[key] for key in ("min", "max", "step", "maxlength") if given.get(key)}
                form.asks[name] = {"type": kind} | limits | ({"required": True} if "required" in given else {})

    def _box(self, form: Form, name: str, kind: str, given: dict[str, str]) -> None:
        value = given.get("value", "on")
        form.asks.setdefault(name, {"type": kind, "enum": []})["enum"].append(value)
        if "checked" in given:
            form.data.setdefault(name, []).append(value)

    def _label(self, asked: dict[str, Any], label: str) -> None:
        value = asked["enum"][-1] if asked["enum"] else ""
        if value and value != label:
            asked.setdefault("labels", {}).setdefault(value, label)

    def _option(self, given: dict[str, str]) -> None:
        if self.form is None or self.select is None:
            return
        value, chosen = given.get("value", ""), self.form.data.setdefault(self.select, [])
        self.form.asks[self.select]["enum"].append(value)
        if "selected" in given and (self.multiple or not self.selected):
            self.form.data[self.select] = [*chosen, value] if self.multiple else [value]
            self.selected = True
        elif not self.multiple and not chosen:
            # A browser sends the first one where none is chosen.
            chosen.append(value)


def read_page(markup: str) -> Page:
    """Return what the page says and the first form of it that posts."""
    reader = _Reader()
    reader.feed(markup)
    text = text_of(" ".join("".join(reader.texts).split()))
    errors = [" ".join(error.split()) for error in reader.errors if error.strip()]
    form = next((form for form in reader.forms if form.method == "post"), None)
    return Page(text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…", errors, form)
