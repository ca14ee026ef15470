"""Runs the actions of an admin's list: what they ask first, what they say, and the file some of them answer with."""

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from functools import partial
from itertools import islice
from typing import Any

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import router, transaction
from django.http import QueryDict
from django.urls import Resolver404, resolve

from mcp_server.derive.admin.bound import Bound, model_field
from mcp_server.derive.admin.changes import is_clock, shortened, stored
from mcp_server.derive.admin.deleting import check_deletable
from mcp_server.derive.admin.listing import changelist
from mcp_server.derive.admin.lookup import find_pks
from mcp_server.derive.admin.pages import Form, Page
from mcp_server.derive.admin.refusal import RefusalError
from mcp_server.derive.admin.request import AdminRequest, admin_path, fill
from mcp_server.derive.admin.responses import failure_of, file_result, is_file, is_question, page_of
from mcp_server.derive.admin.rows import alike, named
from mcp_server.derive.admin.sidebar import choices_of, own_parameters
from mcp_server.derive.admin.transactions import transact
from mcp_server.derive.admin.values import plain
from mcp_server.derive.limited import is_limited
from mcp_server.permissions import asked_once

MAX_ROWS = 100
# How many choices of the list's filters are tried.
MAX_CHOICES = 30
DELETE_SELECTED = "delete_selected"


def offered(bound: Bound) -> dict[str, str]:
    """Return the actions the caller may run, with what the list's menu calls them."""
    return asked_once((offered, bound), lambda: _offered(bound))


def _offered(bound: Bound) -> dict[str, str]:
    own = bound.admin
    if not own.has_view_or_change_permission(bound.request) or not own.get_actions(bound.request):
        return {}
    actions = own.get_actions(bound.request)
    choices = {str(name): str(label) for name, label in own.get_action_choices(bound.request) if name}
    return {name: label for name, label in choices.items() if _may_run(bound, function_of(actions[name]))}


def function_of(action: Any) -> Any:
    """Return an action's function; newer versions of Django have an object with a name for what was a tuple."""
    return getattr(action, "func", None) or action[0]


def _may_run(bound: Bound, function: Any) -> bool:
    # Nobody said what an action without permissions needs: a limited token that only looks would do all its user can.
    declared = getattr(function, "allowed_permissions", ())
    return bool(declared) or not is_limited(bound.user) or bool(bound.admin.has_change_permission(bound.request))


def list_actions(bound: Bound, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Answer the actions tool."""
    actions = bound.admin.get_actions(bound.request)
    shown = []
    for name, label in offered(bound).items():
        function = function_of(actions[name])
        needs = list(getattr(function, "allowed_permissions", ()))
        text = (function.__doc__ or "").strip().partition("\n")[0]
        shown.append(
            {"action": name, "label": label} | ({"needs": needs} if needs else {}) | ({"help": text} if text else {})
        )
    return {"actions": shown}


def run_action(bound: Bound, arguments: Mapping[str, Any]) -> Any:
    """Answer the action tool."""
    dry_run, name = bool(arguments.get("dry_run")), arguments["action"]
    actions = offered(bound)
    if name not in actions:
        raise RefusalError(f"action: use one of: {', '.join(actions) or 'none'}.")
    if len(arguments["ids"]) > MAX_ROWS:
        raise RefusalError(f"ids: at most {MAX_ROWS} rows in one call.")
    run = Run(bound, name, actions[name], find_pks(bound, arguments["ids"]))
    confirm, given = bool(arguments.get("confirm")), arguments.get("parameters") or {}
    if dry_run and name == DELETE_SELECTED:
        # Its page says all there is to know; what a hook does to files no rollback brings back.
        confirm, given = False, {}
    answer = transact(bound, lambda: run.answer(confirm, given), dry_run=dry_run)
    if isinstance(answer, dict):
        return told_after(bound, answer, dry_run=dry_run)
    answer.structured_content |= {"dry_run": True} if dry_run else {}
    return answer


def told_after(bound: Bound, answer: dict[str, Any], *, dry_run: bool) -> dict[str, Any]:
    """Return the answer with what hooks said on commit; raises RefusalError where all that happened is errors."""
    if "messages" in answer:
        if not answer.keys() & {"changed", "deleted", "says", "continues_at"} and bound.request.only_errors():
            raise RefusalError(" ".join(bound.request.messages(marked=False)))
        answer["messages"] = bound.request.messages()
    return answer | ({"dry_run": True} if dry_run else {})


def post_to(bound: Bound, address: str, data: Mapping[str, Any]) -> Any:
    """Send a page's form to the address it names, which must be another page of the same ModelAdmin."""
    path, _, query = address.partition("?")
    home = admin_path(bound.site, bound.model, "changelist")
    try:
        match = resolve(path) if home != "/" and path.startswith(home) else None
    except Resolver404:
        match = None
    if match is None or bound.site.name not in match.namespaces:
        raise RefusalError(f"The action's page sends its form to {path}, where no tool goes: run it in the admin.")
    bound.request = AdminRequest(path, user=bound.user, origin=bound.origin, method="POST")
    bound.request.GET.update(QueryDict(query))
    fill(bound.request.POST, data)
    # Through the site's own wrapper, which asks again whether the caller gets in.
    return match.func(bound.request, *match.args, **match.kwargs)


class Run:
    """One run of one action over named rows."""

    def __init__(self, bound: Bound, name: str, label: str, pks: Sequence[Any]) -> None:
        self.bound, self.name, self.label, self.pks = bound, name, label, list(dict.fromkeys(pks))
        self.rows: list[Any] = []
        self.logged: set[str] = set()

    def answer(self, confirm: bool, given: Mapping[str, Any]) -> Any:
        rows = self.rows = self._rows()
        of = list(alike(rows, partial(named, self.bound)))
        before = {str(row.pk): stored(row) for row in rows}
        response = self._post({}, keep=False)
        page = page_of(response)
        if page is not None and page.form is not None:
            if not confirm:
                return self._question(page, page.form, of)
            response = self._confirmed(page.form, given)
            page = page_of(response)
            if page is not None and page.form is not None:
                told = f"parameters: {' '.join(page.errors)}" if page.errors else f"{self.label}: {page.text}"
                raise RefusalError(told)
        elif given:
            raise RefusalError("parameters: this action takes none.")
        if page is not None and self.name == DELETE_SELECTED:
            # Without a button to press, the admin's own page names all that is in the way; counted it is shorter.
            _, _, lacking, protected = self.bound.admin.get_deleted_objects(rows, self.bound.request)
            check_deletable(self.bound, rows, lacking, protected)
            raise RefusalError(page.text)
        return self._done(response, of, before, page)

    def _rows(self) -> list[Any]:
        return list(self.bound.admin.get_queryset(self.bound.request).filter(pk__in=self.pks))

    def _question(self, page: Page, form: Form, of: Any) -> dict[str, Any]:
        """Return what the action wants to know first; nothing was changed."""
        told = {"confirm": "Nothing was changed. Call again with confirm=true", "says": page.text, "of": of}
        if parameters := dict(form.asks):
            told["confirm"] = f"{told['confirm']} and parameters"
            told["parameters"] = parameters
        return told

    def _confirmed(self, form: Form, given: Mapping[str, Any]) -> Any:
        if unknown := [name for name in given if name not in form.asks]:
            allowed = ", ".join(form.asks) or "none"
            raise RefusalError(f"parameters: {', '.join(unknown)[:80]} cannot be given. Allowed: {allowed}.")
        data = {name: values for name, values in form.data.items() if name != ACTION_CHECKBOX_NAME}
        if form.button:
            data[form.button[0]] = [form.button[1]]
        data |= {name: _texts(value, form.asks[name]) for name, value in given.items()}
        if form.action.partition("?")[0] in ("", ".", self.bound.request.path):
            return self._post(data, keep=True)
        return self._answered(post_to(self.bound, form.action, data))

    def _post(self, data: Mapping[str, Any], *, keep: bool) -> Any:
        """Send the list's action form; a page that only asks leaves nothing behind."""
        bound = self.bound
        bound.request = bound.new_request(method="POST")
        # A page in between posts its own form, which has no index.
        fill(bound.request.POST, data or {"index": "0"})
        # Last, so that no field of that page runs another action, or this one on other rows than were named.
        chosen = {"action": self.name, "select_across": "0", ACTION_CHECKBOX_NAME: [str(pk) for pk in self.pks]}
        fill(bound.request.POST, chosen)
        admin = self._watched()
        using = router.db_for_write(bound.model)
        with transaction.atomic(using=using):
            response = admin.response_action(bound.request, queryset=self._listed())
            if not keep and is_question(response):
                transaction.set_rollback(True, using=using)
        if response is None:
            raise RefusalError(" ".join(bound.request.messages(marked=False)) or "The action did not run.")
        return self._answered(response)

    def _answered(self, response: Any) -> Any:
        if response.status_code >= 400:
            raise RefusalError(f"{self.label}: {failure_of(response)}")
        return response

    def _listed(self) -> Any:
        """Return the rows of a list that shows all the named ones: a filter may hide some until another is chosen."""
        bound = self.bound
        for query in islice(self._choices(), MAX_CHOICES):
            bound.request.GET.clear()
            rows = changelist(bound, query).get_queryset(bound.request)
            if rows.filter(pk__in=self.pks).count() >= len(self.pks):
                return rows
        raise RefusalError("ids: no filter of the list shows them together; run the action on fewer rows.")

    def _choices(self) -> Iterator[dict[str, Any]]:
        yield {}
        for name, spec in own_parameters(self.bound).items():
            yield from ({name: value} for value in choices_of(spec))

    def _watched(self) -> Any:
        admin = copy(self.bound.admin)
        for hook in ("log_addition", "log_change"):
            setattr(admin, hook, self._watch(getattr(admin, hook)))
        own = admin.log_deletions

        def log_deletions(request: Any, rows: Any) -> Any:
            self.logged.update(str(row.pk) for row in rows)
            return own(request, rows)

        admin.log_deletions = log_deletions
        return admin

    def _watch(self, own: Any) -> Any:
        def log(request: Any, obj: Any, message: Any) -> Any:
            self.logged.add(str(obj.pk))
            return own(request, obj, message)

        return log

    def _done(self, response: Any, of: Any, before: Any, page: Page | None) -> Any:
        # A page is all that some actions do.
        left = self._left()
        changes, gone = self._log(before, left, always=page is None), self._log_gone(left)
        told = {"action": self.name, "of": of, "messages": self.bound.request.messages()}
        told |= {name: rows for name, rows in (("changed", changes), ("deleted", gone)) if rows}
        if page is not None:
            told["says"] = page.text
        elif is_file(response):
            return file_result(response, told)
        elif (url := response.get("Location", "")) and url != self.bound.request.get_full_path():
            told["continues_at"] = url
        return told

    def _left(self) -> dict[str, Any]:
        """Return the rows that are left, by key: also those that the action took out of what the caller sees."""
        rows = {str(row.pk): row for row in self._rows()}
        unseen = [pk for pk in self.pks if str(pk) not in rows]
        stored_rows = self.bound.model._base_manager.using(self.bound.database())
        return rows | ({str(row.pk): row for row in stored_rows.filter(pk__in=unseen)} if unseen else {})

    def _log(self, before: Mapping[str, Any], left: Mapping[str, Any], *, always: bool) -> list[dict[str, Any]]:
        """Write one log entry per row for what the action did not log itself, with old and new."""
        found = []
        for pk, row in left.items():
            pairs = dict(self._pairs(before[pk], stored(row)))
            if pairs:
                found.append({"id": plain(row.pk), "changed": shortened(pairs)})
            if pk not in self.logged and (pairs or (always and not self.bound.request.only_errors())):
                self.bound.admin.log_change(self.bound.request, row, self._message(pairs))
        return found

    def _log_gone(self, left: Mapping[str, Any]) -> list[Any]:
        """Log the rows that the action deleted, as the admin's own does, and return their ids."""
        gone = [row for row in self.rows if str(row.pk) not in left]
        if unlogged := [row for row in gone if str(row.pk) not in self.logged]:
            self.bound.admin.log_deletions(self.bound.request, unlogged)
        return [plain(row.pk) for row in gone]

    def _message(self, pairs: Mapping[str, Any]) -> Any:
        """Return what the log says of a row: its changes, or that the action was run, which is no change of it."""
        if not pairs:
            return f"Ran “{self.label.rstrip('.…')}”."
        labels = [str(getattr(model_field(self.bound.model, name), "verbose_name", name)) for name in pairs]
        return [{"changed": {"fields": labels, "action": self.name, "values": dict(pairs)}}]

    def _pairs(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> Any:
        for name in self.bound.visible(self.bound.declared()):
            field = model_field(self.bound.model, name)
            if name in new and old.get(name) != new[name] and not is_clock(field):
                yield name, [plain(old.get(name), field), plain(new[name], field)]


def _texts(value: Any, asked: Mapping[str, Any]) -> list[str]:
    """Return what the form sends for a value."""
    if isinstance(value, bool):
        return ["on"] if value else []
    return [_key_of(str(item), asked) for item in (value if isinstance(value, list) else [value])]


def _key_of(text: str, asked: Mapping[str, Any]) -> str:
    """Return what the page's form sends for a choice that is named by its label, too."""
    keys = [key for key, label in asked.get("labels", {}).items() if label == text]
    return keys[0] if len(keys) == 1 and text not in asked["enum"] else text
