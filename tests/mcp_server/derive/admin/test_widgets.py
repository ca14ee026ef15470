"""Inputs and fields that extensions wrote for a page alone: what the page would send of them is what is saved."""

from typing import Any, ClassVar

import pytest
from django import forms
from django.contrib import admin

from tests.mcp_server.derive.admin.conftest import boss_of
from tests.mcp_server.derive.admin.workshop.models import Job, Machine, Tag

pytestmark = pytest.mark.django_db


class TagsInput(forms.TextInput):
    """Shows rows as words, as the inputs of tagging apps do."""

    def format_value(self, value: Any) -> Any:
        return value if value is None or isinstance(value, str) else ", ".join(str(row) for row in value)


class TagsField(forms.CharField):
    widget = TagsInput

    def clean(self, value: Any) -> Any:
        return [Tag.objects.get_or_create(name=word)[0] for word in super().clean(value).split(", ") if word]


class TaggedForm(forms.ModelForm):
    tags = TagsField(required=False)

    class Meta:
        model = Job
        fields: ClassVar = ["name", "tags"]


class TaggedAdmin(admin.ModelAdmin):
    form = TaggedForm


def test_rows_that_a_text_field_shows_as_words_stay_when_another_field_changes():
    job = Job.objects.create(machine=Machine.objects.create(code="S-1", serial="A 1"), name="Cut planks")
    job.tags.set([Tag.objects.create(name=name) for name in ("loud", "red")])
    boss_of((Job, TaggedAdmin)).call("update_job", id=str(job.pk), values={"name": "Cut boards"})
    assert set(Tag.objects.values_list("name", flat=True)) == {"loud", "red"}
    assert set(job.tags.values_list("name", flat=True)) == {"loud", "red"}
