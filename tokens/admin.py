"""The admin of tokens: a secret is shown once, and nobody gains power by administering."""

import json
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.forms import Field
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.html import format_html
from django.views.decorators.debug import sensitive_variables

from tokens.client_config import CLIENTS, client_config
from tokens.conf import endpoint_url, server_name
from tokens.expiry import default_expiry
from tokens.forms import MCPTokenForm
from tokens.models import MCPToken, ToolCall
from tokens.narrowing import NarrowedUser

if TYPE_CHECKING:
    TokenAdmin = admin.ModelAdmin[MCPToken]
    CallAdmin = admin.ModelAdmin[ToolCall]
else:
    TokenAdmin = CallAdmin = admin.ModelAdmin

USED_FORMS = "mcp_token_forms"
LIMITED_ONLY = (
    "Count for “limited” access only: such a token may do what is chosen here and its user may do anyway. "
    "With nothing chosen it may do nothing."
)


def username_lookup(prefix: str) -> str:
    return f"{prefix}__{get_user_model().USERNAME_FIELD}"


@admin.register(MCPToken)
class MCPTokenAdmin(TokenAdmin):
    form = MCPTokenForm
    list_display = ["name", "user", "masked_token", "access", "tools", "status", "expires_at", "last_used_at"]
    list_filter = ["is_active", "access", "expires_at"]
    list_select_related = ["user"]
    filter_horizontal = ["groups", "permissions"]
    actions = ["revoke", "rotate"]

    class Media:
        css = {"all": ["tokens/admin.css"]}

    @admin.display(description="secret")
    def masked_token(self, token: MCPToken) -> str:
        return token.get_masked_token()

    @admin.display(description="tools")
    def tools(self, token: MCPToken) -> str:
        return "all" if token.allowed_tools == [] else ", ".join(map(str, token.allowed_tools or ["none"]))

    # Who may do what: a superuser administers all tokens, anyone else only their own, and an agent none at all.

    def get_queryset(self, request: HttpRequest) -> QuerySet[MCPToken]:
        tokens = super().get_queryset(request)
        return tokens if _is_superuser(request) else tokens.filter(user_id=_user_pk(request))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and not _is_agent(request)

    def has_view_permission(self, request: HttpRequest, obj: MCPToken | None = None) -> bool:
        return super().has_view_permission(request, obj) and _administers(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: MCPToken | None = None) -> bool:
        return super().has_change_permission(request, obj) and _administers(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: MCPToken | None = None) -> bool:
        # Not tied to the owner: deleting gains nothing, and deleting a user takes the user's tokens along.
        return super().has_delete_permission(request, obj) and not _is_agent(request)

    def save_model(self, request: HttpRequest, obj: MCPToken, form: Any, change: bool) -> None:
        if not _administers(request, obj):
            raise PermissionDenied("Only a superuser makes or changes another user's token.")
        super().save_model(request, obj, form, change)

    # The form.

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        return ["name", "=suffix", username_lookup("user")]

    def lookup_allowed(self, lookup: str, value: Any, request: Any = None) -> bool:
        return not lookup.startswith("digest") and super().lookup_allowed(lookup, value, request)

    def get_readonly_fields(self, request: HttpRequest, obj: MCPToken | None = None) -> list[str]:
        return ["user", "masked_token", "last_used_at", "created_at", "updated_at"] if obj else []

    def get_fieldsets(self, request: HttpRequest, obj: MCPToken | None = None) -> Any:
        about = ["user", "name", "expires_at"]
        if obj:
            about += ["is_active", "masked_token", "last_used_at", "created_at", "updated_at"]
        may_save = self.has_change_permission(request, obj) if obj else True
        choice = ["all_tools", "allowed_tools", "form_id"] if may_save else ["allowed_tools"]
        return [
            (None, {"fields": about}),
            ("Tools", {"fields": choice}),
            ("Access", {"fields": ["access"]}),
            ("Limited access", {"fields": ["groups", "permissions"], "description": LIMITED_ONLY}),
            ("Rate limits", {"fields": ["rate_limits"]}),
        ]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"user": request.user.pk, "expires_at": default_expiry()} | super().get_changeform_initial_data(request)

    def get_autocomplete_fields(self, request: HttpRequest) -> list[str]:
        users = self.admin_site._registry.get(get_user_model())
        return ["user"] if users and users.get_search_fields(request) and _is_superuser(request) else []

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "user" and not _is_superuser(request):
            kwargs["queryset"] = get_user_model()._default_manager.filter(pk=_user_pk(request))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Field | None:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        # No shortcuts to other models' forms beside the fields: this page is about one token.
        for shortcut in ("can_add_related", "can_change_related", "can_delete_related", "can_view_related"):
            if field and hasattr(field.widget, shortcut):
                setattr(field.widget, shortcut, False)
        return field

    # Showing a secret: only ever in the answer to the request that made it, which no session or cookie keeps.

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if request.method == "POST" and request.POST.get("form_id") in request.session.get(USED_FORMS, []):
            self.message_user(request, "This form was sent before; its token exists already.", messages.WARNING)
            return HttpResponseRedirect(self._list_url())
        context = {"show_save_and_add_another": False, "show_save_and_continue": False} | (extra_context or {})
        return super().add_view(request, form_url, context)

    def response_add(self, request: HttpRequest, obj: MCPToken, post_url_continue: str | None = None) -> HttpResponse:
        if form_id := request.POST.get("form_id"):
            request.session[USED_FORMS] = [*request.session.get(USED_FORMS, [])[-19:], form_id]
        return self._show_secret(request, obj)

    @admin.action(description="Revoke selected tokens", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[MCPToken]) -> None:
        with transaction.atomic():
            for token in queryset.filter(is_active=True):
                token.revoke()
                self.log_change(request, token, "Revoked.")
        self.message_user(request, "The selected tokens are revoked.", messages.SUCCESS)

    @admin.action(description="Rotate: replace the secret of one token", permissions=["change"])
    def rotate(self, request: HttpRequest, queryset: QuerySet[MCPToken]) -> HttpResponse | None:
        if queryset.count() != 1:
            self.message_user(request, "Choose one token: each new secret is shown once.", messages.WARNING)
            return None
        if "suffix" not in request.POST:
            return self._page(request, "admin/tokens/rotate.html", queryset.get(), "Rotate the secret?")
        with transaction.atomic():
            token = queryset.select_for_update(of=("self",)).get()
            if token.suffix == request.POST["suffix"]:
                token.rotate()
                self.log_change(request, token, "Rotated the secret.")
                return self._show_secret(request, token)
        # The secret that was to be replaced is not there any more: this is a reload, or somebody was faster.
        self.message_user(request, "This token was rotated before. Rotate it again for a new secret.", messages.WARNING)
        return None

    @sensitive_variables("secret", "configs")
    def _show_secret(self, request: HttpRequest, token: MCPToken) -> HttpResponse:
        secret = token.token or ""
        configs = [
            (client, client_config(key, url=endpoint_url(), token=secret, name=server_name()))
            for key, client in CLIENTS.items()
        ]
        context = {"secret": secret, "configs": configs}
        return self._page(request, "admin/tokens/secret.html", token, "Copy the secret now", **context)

    def _page(self, request: HttpRequest, template: str, token: MCPToken, title: str, **context: Any) -> HttpResponse:
        context |= self.admin_site.each_context(request)
        context |= {"opts": self.opts, "title": title, "token": token, "list_url": self._list_url()}
        response = render(request, template, context)
        response["Cache-Control"] = "no-store"
        return response

    def _list_url(self) -> str:
        return reverse("admin:tokens_mcptoken_changelist", current_app=self.admin_site.name)


@admin.register(ToolCall)
class ToolCallAdmin(CallAdmin):
    """The audit: read, filtered and searched, never written."""

    list_display = ["created_at", "tool", "status", "user", "token", "duration_ms", "client_name", "remote_address"]
    list_filter = ["status", "tool", "created_at"]
    list_select_related = ["user", "token"]
    date_hierarchy = "created_at"
    show_full_result_count = False
    fields = ["created_at", "tool", "status", "duration_ms", "user", "token", "pretty_arguments", "error"]
    fields += ["correlation_id", "client_name", "client_version", "remote_address"]

    @admin.display(description="arguments")
    def pretty_arguments(self, call: ToolCall) -> str:
        return format_html("<pre>{}</pre>", json.dumps(call.arguments, indent=2, ensure_ascii=False))

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        return ["tool", "error", "=correlation_id", "client_name", "=remote_address", username_lookup("user")]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: ToolCall | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ToolCall | None = None) -> bool:
        return False


def _user_pk(request: HttpRequest) -> Any:
    return request.user.pk


def _is_superuser(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "is_superuser", False))


def _is_agent(request: HttpRequest) -> bool:
    # A token that could make tokens would undo its own narrowing.
    return isinstance(request.user, NarrowedUser)


def _administers(request: HttpRequest, token: MCPToken | None) -> bool:
    if _is_agent(request):
        return False
    return token is None or _is_superuser(request) or token.user_id == request.user.pk
