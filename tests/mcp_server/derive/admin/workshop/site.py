"""An admin site of its own, in no URLconf, over the workshop and one model of the shop."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.contenttypes.admin import GenericTabularInline
from django.utils.html import format_html

from shop.models import Tag as ShopTag
from tests.mcp_server.derive.admin.workshop.models import Job, Machine, Note, OldMachine, Part, Press, Tag

site = admin.AdminSite(name="workshop")


class NoteInline(GenericTabularInline):
    model = Note
    extra = 2


class JobForm(forms.ModelForm):
    reason = forms.CharField(required=False, help_text="Written to the log, not to the job.")

    class Meta:
        model = Job
        fields = ["machine", "name", "starts", "lasts", "urgent", "options", "frozen", "tags"]

    def clean(self) -> Any:
        if self.cleaned_data.get("urgent") and not self.cleaned_data.get("reason"):
            self.add_error("reason", "Say why it is urgent.")
        return self.cleaned_data


@admin.register(Job, site=site)
class JobAdmin(admin.ModelAdmin):
    form = JobForm
    list_display = ["name", "machine", "is_long", "urgent"]
    list_editable = ["urgent"]
    raw_id_fields = ["machine"]
    filter_horizontal = ["tags"]
    readonly_fields = ["summary"]
    search_fields = ["name", "machine__api_token"]
    inlines = [NoteInline]
    save_as = True

    @admin.display(description="long?", boolean=True)
    def is_long(self, job: Job) -> bool:
        return bool(job.lasts and job.lasts.days)

    @admin.display(description="summary")
    def summary(self, job: Job) -> str:
        return format_html("<b>{}</b><br>urgent: {}", job.name, job.urgent)

    def save_model(self, request: Any, obj: Job, form: Any, change: bool) -> None:
        # Whatever the form says.
        obj.frozen = "as made"
        super().save_model(request, obj, form, change)


class PartInline(admin.TabularInline):
    model = Part
    extra = 0


@admin.register(Machine, site=site)
class MachineAdmin(admin.ModelAdmin):
    radio_fields = {"kind": admin.VERTICAL}
    inlines = [PartInline]
    list_display = ["code", "kind", "api_token"]
    list_filter = ["kind", "api_token"]
    search_fields = ["code", "serial", "api_token"]

    def get_readonly_fields(self, request: Any, obj: Machine | None = None) -> list[str]:
        return ["code", "serial"] if obj else []


class PressAdmin(admin.ModelAdmin):
    def get_queryset(self, request: Any) -> Any:
        return super().get_queryset(request).filter(tons__lt=100)


site.register(OldMachine)
site.register(Press, PressAdmin)
site.register(Tag, search_fields=["name"])
site.register(ShopTag)
