"""An admin site of its own: everybody sees their own rows, and some fields are for superusers only."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.db.models import F
from django.http import HttpResponse

from tests.mcp_server.derive.admin.vault.models import Case, Client, Step

site = admin.AdminSite(name="vault")


class Own(admin.ModelAdmin):
    def get_queryset(self, request: Any) -> Any:
        rows = super().get_queryset(request)
        return rows if request.user.is_superuser else rows.filter(owner=request.user)


class SecretFilter(admin.SimpleListFilter):
    title = "secret"
    parameter_name = "webhook_secret"

    def lookups(self, request: Any, model_admin: Any) -> Any:
        return [(value, value) for value in Client.objects.values_list("webhook_secret", flat=True)]

    def queryset(self, request: Any, queryset: Any) -> Any:
        return queryset.filter(webhook_secret=self.value()) if self.value() else queryset


class ClientForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        # The answer to "What did they call you at school?": typed, compared, never shown.
        widgets: ClassVar = {"nickname": forms.PasswordInput}


@admin.register(Client, site=site)
class ClientAdmin(Own):
    form = ClientForm
    list_display = ["name", "by_seed", "pin_code", "health", "nickname"]
    list_filter = ["name", "pin_code", SecretFilter, "nickname"]
    search_fields = ["name", "=email", "pin_code", "otp_seed", "health", "nickname", "owner__password"]
    fields = [
        *("name", "email", "owner", "pin_code", "recovery_codes", "otp_seed", "webhook_secret", "private_key"),
        *("health", "nickname"),
    ]

    @admin.display(description="seed", ordering=F("otp_seed").desc())
    def by_seed(self, row: Client) -> str:
        return "*" * 8


class StepInline(admin.TabularInline):
    model = Step
    fields = ["text", "hours"]
    extra = 0


@admin.register(Case, site=site)
class CaseAdmin(Own):
    """Frozen cases are not changed, sealed ones not opened."""

    list_display = ["title", "client", "owner__password"]
    list_filter = ["client__pin_code", "owner__password", "client"]
    search_fields = ["title", "client__otp_seed"]
    fields = ["title", "code", "owner", "client", "bank", "fee", "margin", "ratio", "frozen", "sealed", "extra", "scan"]
    raw_id_fields = ["owner"]
    inlines = [StepInline]
    actions = ["shred", "stamp", "retitle"]

    def get_fields(self, request: Any, obj: Case | None = None) -> Any:
        return [name for name in self.fields or () if name != "margin" or request.user.is_superuser]

    def has_view_permission(self, request: Any, obj: Case | None = None) -> bool:
        sealed = obj is not None and obj.sealed and not request.user.is_superuser
        return super().has_view_permission(request, obj) and not sealed

    def has_change_permission(self, request: Any, obj: Case | None = None) -> bool:
        closed = obj is not None and (obj.frozen or obj.sealed) and not request.user.is_superuser
        return super().has_change_permission(request, obj) and not closed

    def formfield_for_foreignkey(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        field: Any = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if db_field.name == "bank":
            field.queryset = field.queryset.exclude(name="Vault of the state")
        return field

    @admin.action(description="Shred")
    def shred(self, request: Any, queryset: Any) -> None:
        queryset.update(title="shredded")

    @admin.action(description="Stamp", permissions=["view"])
    def stamp(self, request: Any, queryset: Any) -> None:
        self.message_user(request, f"{queryset.count()} stamped")

    @admin.action(description="Give a title", permissions=["change"])
    def retitle(self, request: Any, queryset: Any) -> HttpResponse | None:
        if "title" in request.POST:
            queryset.update(title=request.POST["title"])
            return None
        fields = "".join(f'<input name="{name}">' for name in ("title", "select_across", "action"))
        return HttpResponse(f'<form method="post">{fields}<input type="submit" name="go"></form>')


site.register(User, UserAdmin)
