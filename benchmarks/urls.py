"""The view a tool call is compared with: the same rows, as a Django developer would serve them as JSON."""

from django.http import HttpRequest, JsonResponse
from django.urls import include, path

from shop.models import Product


def products(request: HttpRequest) -> JsonResponse:
    page = Product.objects.select_related("category").order_by("sku")[:20]
    rows = [
        {
            "sku": product.sku,
            "name": product.name,
            "category": product.category.slug,
            "price": str(product.price),
            "stock": product.stock,
            "low_stock": product.stock <= product.reorder_level and product.status != "discontinued",
            "status": product.status,
        }
        for product in page
    ]
    return JsonResponse({"products": rows})


urlpatterns = [path("products.json", products), path("", include("myproject.urls"))]
