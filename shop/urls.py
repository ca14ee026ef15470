"""The shop's pages and API."""

from django.urls import include, path, register_converter

from shop import api, views
from shop.converters import SkuConverter

register_converter(SkuConverter, "sku")

app_name = "shop"

api_urls = [path("stock-report/", api.StockReportView.as_view(), name="stock-report"), *api.router.urls]

urlpatterns = [
    path("", views.ProductList.as_view(), name="home"),
    path("products/<sku:sku>/", views.ProductDetail.as_view(), name="product"),
    path("products/<sku:sku>/stock/", views.stock_level, name="stock_level"),
    path("orders/", views.OrderList.as_view(), name="orders"),
    path("orders/<slug:number>/", views.OrderDetail.as_view(), name="order"),
    path("orders/<slug:number>/cancel/", views.cancel_order, name="cancel_order"),
    path("restock/", views.restock, name="restock"),
    path("reorder/", views.reorder_list, name="reorder_list"),
    path("media/datasheets/<str:name>", views.datasheet, name="datasheet"),
    path("api/", include((api_urls, "api"))),
]
