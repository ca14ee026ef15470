"""Who may call the API: Django's model permissions, for reading too."""

from typing import Any

from rest_framework.permissions import BasePermission, DjangoModelPermissions


class ModelPermissions(DjangoModelPermissions):
    """Django's model permissions, where reading needs the view permission as it does in the admin."""

    perms_map = {
        **DjangoModelPermissions.perms_map,
        **{method: ["%(app_label)s.view_%(model_name)s"] for method in ("GET", "HEAD", "OPTIONS")},
    }


class CanAdjustStock(BasePermission):
    def has_permission(self, request: Any, view: Any) -> bool:
        return bool(request.user.has_perms(["shop.view_product", "shop.add_stockadjustment"]))


class CanSeeOrders(BasePermission):
    """Seeing an order is enough to get here; whether it may be cancelled is for the service to say."""

    def has_permission(self, request: Any, view: Any) -> bool:
        return bool(request.user.has_perm("shop.view_order"))
