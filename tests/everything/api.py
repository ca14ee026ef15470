"""The rarer kinds of API views."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, permissions, serializers
from rest_framework.decorators import action, api_view, permission_classes
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import UserRateThrottle
from rest_framework.versioning import AcceptHeaderVersioning, QueryParameterVersioning, URLPathVersioning
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet, ModelViewSet, ViewSet

from tests.everything.models import Gadget, Label, Maker
from tests.everything.serializers import GadgetSerializer, MakerSerializer


class GadgetViewSet(ModelViewSet):
    queryset = Gadget.objects.select_related("maker", "label").prefetch_related("parts", "labels")
    serializer_class = GadgetSerializer
    permission_classes = [permissions.IsAuthenticated]
    pagination_class = None
    filterset_fields = {"price": ["gte", "range"], "maker": ["in"], "seen_at": ["lt"], "grade": ["exact"]}

    @action(detail=True, methods=["get", "post"])
    def notes(self, request: Request, pk: str | None = None) -> Response:
        """Read the notes, or send others."""
        return Response({"method": request.method, "sent": request.data})

    @action(detail=True)
    def table(self, request: Request, pk: str | None = None) -> HttpResponse:
        """Return the parts as CSV."""
        return HttpResponse(f"name\n{self.get_object().name}\n", content_type="text/csv")

    @action(detail=True)
    def picture(self, request: Request, pk: str | None = None) -> HttpResponse:
        """Return a picture."""
        answer = HttpResponse(b"\x89PNG", content_type="image/png")
        answer["Content-Disposition"] = 'attachment; filename="gadget.png"'
        return answer

    @action(detail=False)
    def broken(self, request: Request) -> Response:
        """Fail in a way nobody expected."""
        raise RuntimeError("the secret ingredient is salt")


class MakerViewSet(mixins.RetrieveModelMixin, mixins.UpdateModelMixin, GenericViewSet):
    """Changed as a whole: PUT is all it takes."""

    queryset = Maker.objects.all()
    serializer_class = MakerSerializer
    permission_classes = [permissions.IsAuthenticated]
    http_method_names = ["get", "put"]


class LabelSerializer(serializers.ModelSerializer):
    class Meta:
        model = Label
        fields = ["name"]


class LabelViewSet(ModelViewSet):
    """Found by name, which is also a field of the body."""

    queryset = Label.objects.all()
    serializer_class = LabelSerializer
    permission_classes = [permissions.IsAuthenticated]
    lookup_field = "name"


class NeedsTheRow(permissions.BasePermission):
    def has_permission(self, request: Any, view: Any) -> bool:
        return bool(view.kwargs["gadget"])


class NestedViewSet(ViewSet):
    """Its rule asks for the address, which is not known before a call."""

    permission_classes = [NeedsTheRow]

    @extend_schema(responses={200: None})
    def list(self, request: Request, gadget: int) -> Response:
        return Response([])


class Bare(APIView):
    """Says nothing about what it takes."""

    permission_classes = [permissions.IsAuthenticated]

    def post(self, request: Request) -> Response:
        return Response({"sent": request.data, "user": request.user.get_username(), "auth": request.auth})


class Open(APIView):
    """Authenticates nobody by itself and is open to all."""

    authentication_classes: list[Any] = []
    permission_classes = [permissions.AllowAny]

    def get(self, request: Request) -> Response:
        return Response({"user": request.user.get_username(), "host": request.get_host()})


class OncePerMinute(UserRateThrottle):
    rate = "1/min"
    scope = "everything"


class Slow(APIView):
    """Answers once a minute."""

    permission_classes = [permissions.IsAuthenticated]
    throttle_classes = [OncePerMinute]

    def get(self, request: Request) -> Response:
        return Response({})


def versioned(scheme: type[Any]) -> type[APIView]:
    class Scheme(scheme):  # type: ignore[misc, valid-type]
        allowed_versions = ["1", "2"]
        default_version = "1"

    class Versioned(APIView):
        """Tell the version."""

        permission_classes = [permissions.IsAuthenticated]
        versioning_class = Scheme

        def get(self, request: Request, version: str | None = None) -> Response:
            return Response({"version": request.version})

    return Versioned


InPath, InQuery, InAccept = map(versioned, (URLPathVersioning, QueryParameterVersioning, AcceptHeaderVersioning))


@extend_schema(responses={200: dict[str, str]})
@api_view(["GET"])
@permission_classes([permissions.IsAuthenticated])
def greet(request: Request, name: str) -> Response:
    """Greet somebody."""
    return Response({"hello": name})
