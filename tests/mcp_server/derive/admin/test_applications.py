"""The traps of whole applications (a shop, two content systems, trees of rows), each made small."""

from typing import Any

import pytest
from django import forms
from django.contrib import admin

from tests.everything.models import Gadget
from tests.mcp_server.derive.admin.test_strangers import boss_of

pytestmark = pytest.mark.django_db


class SlugForm(forms.ModelForm):
    def clean_slug(self) -> str:
        return self.cleaned_data["slug"] or "made-up"


class SlugAdmin(admin.ModelAdmin):
    form = SlugForm
    fields = ["name", "slug", "address", "count"]


def test_what_a_form_only_tidies_stays_as_it_is_in_a_field_nobody_gave():
    gadget = Gadget.objects.create(name=" Lamp ", address=None)
    answer = boss_of((Gadget, SlugAdmin)).call("update_gadget", id=gadget.pk, values={"count": 2})
    assert answer["changed"] == {"count": [0, 2], "slug": ["", "made-up"]}
    gadget.refresh_from_db()
    assert (gadget.name, gadget.address, gadget.slug) == (" Lamp ", None, "made-up")
