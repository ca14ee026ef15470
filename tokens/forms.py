"""The admin's form for a token: tools are ticked, not typed as JSON."""

import secrets
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from tokens.catalog import ToolInfo, has_tool_catalog, tool_catalog
from tokens.models import MCPToken, validate_tool_names

if TYPE_CHECKING:
    ModelForm = forms.ModelForm[MCPToken]
else:
    ModelForm = forms.ModelForm

UNTAGGED = "other"
GONE = "no longer available"


class ToolLinesField(forms.CharField):
    """Tool names, one a line, where nobody says which tools there are."""

    widget = forms.Textarea(attrs={"rows": 6, "cols": 40})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(str, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> list[str]:  # type: ignore[override]
        return list(dict.fromkeys((super().to_python(value) or "").split()))

    def validate(self, value: Any) -> None:
        validate_tool_names(value)


class MCPTokenForm(ModelForm):
    # Asked apart from the list, so that emptying the list by accident does not mean "all".
    all_tools = forms.BooleanField(required=False, label="All tools the user may use")
    # Names one showing of the form: sending it a second time makes no second token.
    form_id = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)

    class Meta:
        model = MCPToken
        fields = [
            "user",
            "name",
            "is_active",
            "expires_at",
            "access",
            "allowed_tools",
            "groups",
            "permissions",
            "rate_limits",
        ]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["form_id"].initial = secrets.token_urlsafe(16)
        self.fields["all_tools"].initial = self.instance.allowed_tools == []
        self.fields["allowed_tools"] = tools_field(self.instance.allowed_tools)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("all_tools"):
            cleaned["allowed_tools"] = []
        elif not cleaned.get("allowed_tools") and "allowed_tools" not in self.errors:
            self.add_error("allowed_tools", "Choose at least one tool, or allow all of them.")
        return cleaned

    def clean_expires_at(self) -> Any:
        expires_at = self.cleaned_data["expires_at"]
        if self.instance.pk is None and expires_at and expires_at <= timezone.now():
            raise ValidationError("This moment has passed: the token would never work.")
        return expires_at


def tools_field(chosen: object) -> forms.Field:
    """Return checkboxes grouped by tag, or a list to type where there is no catalog."""
    label = "Allowed tools"
    if not has_tool_catalog():
        return ToolLinesField(label=label, required=False, help_text="Tool names, one a line.")
    choices = tool_choices(tool_catalog(), chosen if isinstance(chosen, list) else [])
    return forms.MultipleChoiceField(
        choices=choices, widget=forms.CheckboxSelectMultiple, label=label, required=False, help_text="Grouped by tag."
    )


def tool_choices(tools: list[ToolInfo], chosen: list[Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the tools under their first tag; a chosen tool that is gone stays, so that saving does not widen."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for tool in tools:
        label = f"{tool.name}: {tool.title}" if tool.title else tool.name
        groups.setdefault(tool.tags[0] if tool.tags else UNTAGGED, []).append((tool.name, label))
    known = {tool.name for tool in tools}
    if gone := [name for name in chosen if isinstance(name, str) and name not in known]:
        groups[GONE] = [(name, name) for name in gone]
    return sorted(groups.items(), key=lambda group: (group[0] in (UNTAGGED, GONE), group[0]))
