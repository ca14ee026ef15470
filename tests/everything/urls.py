"""Addresses of the app for tests."""

from django.urls import include, path
from rest_framework.routers import DefaultRouter

from tests.everything import api

router = DefaultRouter()
router.register("gadgets", api.GadgetViewSet)
router.register("makers", api.MakerViewSet)
router.register("labels", api.LabelViewSet)
router.register(r"gadgets/(?P<gadget>\d+)/nested", api.NestedViewSet, basename="nested")

urlpatterns = [
    path("v/", include(router.urls)),
    path("bare/", api.Bare.as_view(), name="bare"),
    path("open/", api.Open.as_view(), name="open"),
    path("slow/", api.Slow.as_view(), name="slow"),
    path("<str:version>/path/", api.InPath.as_view(), name="in_path"),
    path("query/", api.InQuery.as_view(), name="in_query"),
    path("accept/", api.InAccept.as_view(), name="in_accept"),
    path("greet/<str:name>/", api.greet, name="greet"),
]
