"""Addresses of the pages for tests."""

from django.urls import path, re_path

from tests.everything import pages

urlpatterns = [
    path("make/", pages.MakeGadget.as_view(), name="make"),
    path("<int:pk>/change/", pages.ChangeGadget.as_view(), name="change"),
    path("<int:pk>/delete/", pages.DeleteGadget.as_view(), name="delete"),
    path("ask/", pages.Ask.as_view(), name="ask"),
    path("labels/", pages.Labels.as_view(), name="labels"),
    path("ring/<int:times>/<uuid:key>/<path:rest>", pages.ring, name="ring"),
    path("hook/", pages.hook, name="hook"),
    path("slow/", pages.slow, name="slow"),
    re_path(r"^year/(?P<year>[0-9]{4})/$", pages.year, name="year"),
    path("broken/", pages.broken, name="broken"),
    path("rows/<int:pk>/", pages.Rows.as_view(template_name="everything/form.html"), name="rows"),
    path("done/", pages.done, name="done"),
    path("unnamed/", pages.done),
]
