"""The shop's API: one ViewSet a kind of row, and a report."""

from typing import Any

from django.db import transaction
from django.db.models import Count, F, ProtectedError, Q, QuerySet, Sum
from django.db.models.functions import Coalesce
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.exceptions import APIException, PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import DefaultRouter
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet, ModelViewSet

from shop import errors, serializers, services
from shop.filters import OrderFilter, ProductFilter, StockAdjustmentFilter
from shop.models import Category, Order, Product, StockAdjustment, Supplier, Tag
from shop.permissions import CanAdjustStock, CanSeeOrders, ModelPermissions
from shop.querysets import MONEY


class InUse(APIException):
    status_code = status.HTTP_409_CONFLICT
    default_code = "in_use"


class ShopView(APIView):
    """A view that says in HTTP what the services refuse, and that writes everything or nothing."""

    permission_classes = [ModelPermissions]

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        if request.method in ("GET", "HEAD", "OPTIONS"):
            return super().dispatch(request, *args, **kwargs)
        with transaction.atomic():
            response = super().dispatch(request, *args, **kwargs)
            if response.status_code >= 400:
                transaction.set_rollback(True)
            return response

    def handle_exception(self, exc: Exception) -> Response:
        match exc:
            case errors.NotYourOrder():
                exc = PermissionDenied(str(exc))
            case errors.ShopError():
                exc = ValidationError({exc.field: [str(exc)]})
            case ProtectedError():
                kinds = sorted({str(row._meta.verbose_name_plural) for row in exc.protected_objects})
                exc = InUse(f"This cannot be deleted: {', '.join(kinds)} refer to it. Change or delete them first.")
        return super().handle_exception(exc)


class CategoryViewSet(ShopView, ModelViewSet):
    queryset = Category.objects.all()
    serializer_class = serializers.CategorySerializer
    filterset_fields = ["parent"]
    search_fields = ["name", "description"]
    ordering_fields = ["name"]


class SupplierViewSet(ShopView, ModelViewSet):
    queryset = Supplier.objects.all()
    serializer_class = serializers.SupplierSerializer
    search_fields = ["name", "email"]
    ordering_fields = ["name", "lead_time_days"]


class TagViewSet(ShopView, ModelViewSet):
    queryset = Tag.objects.all()
    serializer_class = serializers.TagSerializer
    search_fields = ["name"]


class ProductViewSet(ShopView, ModelViewSet):
    queryset = Product.objects.prefetch_related("tags")
    serializer_class = serializers.ProductSerializer
    filterset_class = ProductFilter
    search_fields = ["sku", "name", "description"]
    ordering_fields = ["sku", "name", "price", "stock", "launched_on"]

    @extend_schema(request=serializers.AdjustStockSerializer, responses={201: serializers.StockAdjustmentSerializer})
    @action(detail=True, methods=["post"], permission_classes=[CanAdjustStock])
    def adjust_stock(self, request: Request, pk: str | None = None) -> Response:
        """Add units to the stock of a product, or take some away, and record why."""
        asked = serializers.AdjustStockSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        made = services.adjust_stock(user=request.user, sku=self.get_object().sku, **asked.validated_data)
        return Response(serializers.StockAdjustmentSerializer(made).data, status=status.HTTP_201_CREATED)

    @extend_schema(responses=serializers.ProductSerializer(many=True))
    @action(detail=False)
    def low_stock(self, request: Request) -> Response:
        """List the products at or below their reorder level, page by page."""
        low: QuerySet[Product] = self.filter_queryset(self.get_queryset()).low_on_stock()
        page = self.paginate_queryset(low)
        return self.get_paginated_response(self.get_serializer(page, many=True).data)


class StockAdjustmentViewSet(
    ShopView,
    mixins.CreateModelMixin,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    GenericViewSet,
):
    """The history of the stock: added to, never rewritten."""

    queryset = StockAdjustment.objects.select_related("product", "adjusted_by")
    serializer_class = serializers.StockAdjustmentSerializer
    filterset_class = StockAdjustmentFilter
    search_fields = ["product__sku", "note"]
    ordering_fields = ["created_at", "delta"]


class OrderViewSet(ShopView, mixins.CreateModelMixin, mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet):
    """The caller's orders, or everyone's for those who may see them; placed and cancelled, not edited."""

    queryset = Order.objects.none()
    serializer_class = serializers.OrderSerializer
    filterset_class = OrderFilter
    search_fields = ["number", "note", "lines__product__sku"]
    ordering_fields = ["placed_at", "number"]

    def get_queryset(self) -> QuerySet[Order]:
        return Order.objects.visible_to(self.request.user).for_reading()

    @extend_schema(request=None, responses=serializers.OrderSerializer)
    @action(detail=True, methods=["post"], permission_classes=[CanSeeOrders])
    def cancel(self, request: Request, pk: str | None = None) -> Response:
        """Cancel an order that is placed or paid and put its units back into stock."""
        order = services.cancel_order(user=request.user, order=self.get_object())
        return Response(self.get_serializer(self.get_queryset().get(pk=order.pk)).data)


@extend_schema_view(
    get=extend_schema(
        parameters=[OpenApiParameter("category", str, description="Slug of the only category to report on.")],
        responses=serializers.StockReportRowSerializer(many=True),
    )
)
class StockReportView(ShopView):
    """Units and their worth in each category."""

    queryset = Product.objects.none()

    def get(self, request: Request) -> Response:
        rows = Product.objects.values("category__name").order_by("category__name")
        if slug := request.query_params.get("category"):
            rows = rows.filter(category__slug=slug.replace("\x00", ""))
        low = Q(stock__lte=F("reorder_level")) & ~Q(status="discontinued")
        rows = rows.annotate(
            products=Count("pk"),
            units=Coalesce(Sum("stock"), 0),
            value=Sum(F("stock") * F("price"), output_field=MONEY),
            low=Count("pk", filter=low),
        )
        return Response(serializers.StockReportRowSerializer(rows, many=True).data)


router = DefaultRouter()
router.register("categories", CategoryViewSet)
router.register("suppliers", SupplierViewSet)
router.register("tags", TagViewSet)
router.register("products", ProductViewSet)
router.register("stock-adjustments", StockAdjustmentViewSet)
router.register("orders", OrderViewSet)
