"""A narrowed user: the same person to the database, with fewer permissions."""

import copy
import pickle

import pytest
from asgiref.sync import async_to_sync
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.auth.backends import BaseBackend, ModelBackend
from django.contrib.auth.models import Group, User
from django.contrib.contenttypes.models import ContentType
from django.db.models.signals import post_delete, post_save
from django.forms.models import model_to_dict

from tests.tokens.people import make_token, make_user, permission
from tokens.models import MCPToken
from tokens.narrowing import NarrowedUser, narrow_user, narrowed_class

TRAVELS = [
    lambda user: user,
    copy.copy,
    copy.deepcopy,
    lambda user: pickle.loads(pickle.dumps(user)),  # noqa: S301
    lambda user: copy.copy(copy.deepcopy(user)),
]


def narrowed(user: User, *permissions: str, access: str = "limited") -> User:
    return narrow_user(user, make_token(user, *permissions, access=access))


def test_full_access_is_the_user_itself(ada: User) -> None:
    assert narrowed(ada, access="full") is ada


@pytest.mark.parametrize("travel", TRAVELS)
def test_read_leaves_what_the_user_may_view(ada: User, travel) -> None:
    user = travel(narrowed(ada, access="read"))
    assert user.has_perm("auth.view_group")
    assert not user.has_perm("auth.add_group")
    assert not user.has_perm("auth.view_user")
    assert user.get_all_permissions() == {"auth.view_group"}


@pytest.mark.parametrize("travel", TRAVELS)
def test_limited_is_capped_by_what_the_user_has(ada: User, travel) -> None:
    user = travel(narrowed(ada, "auth.add_group", "auth.change_group"))
    assert user.has_perm("auth.add_group")
    assert not user.has_perm("auth.change_group")
    assert not user.has_perm("auth.view_group")
    assert user.get_all_permissions() == {"auth.add_group"}


def test_limited_is_nothing_by_default(ada: User) -> None:
    user = narrowed(ada)
    assert user.get_all_permissions() == set()
    assert not user.has_module_perms("auth")


def test_limited_counts_the_permissions_of_the_tokens_groups(ada: User) -> None:
    token = make_token(ada, access="limited")
    editors = Group.objects.create(name="Editors")
    editors.permissions.add(permission("auth.delete_group"), permission("auth.delete_user"))
    token.groups.add(editors)
    assert narrow_user(ada, token).get_all_permissions() == {"auth.delete_group"}


@pytest.mark.parametrize("access", ["none", "", "FULL", None])
def test_an_unknown_access_level_is_nothing(root: User, access: str | None) -> None:
    user = narrow_user(root, MCPToken(user=root, access=access))
    assert not user.has_perm("auth.view_group")
    assert user.get_all_permissions() == set()


@pytest.mark.parametrize("travel", TRAVELS)
def test_a_superuser_is_narrowed_too(root: User, travel) -> None:
    user = travel(narrowed(root, "auth.add_group"))
    assert not user.is_superuser
    assert user.get_all_permissions() == user.get_user_permissions() == {"auth.add_group"}
    assert user.has_perms(["auth.add_group"])
    assert not user.has_perms(["auth.add_group", "auth.view_group"])
    assert user.has_module_perms("auth")
    assert not user.has_module_perms("admin")


def test_a_superuser_who_reads_may_view_everything_and_no_more(root: User) -> None:
    user = narrowed(root, access="read")
    assert user.has_perm("auth.view_group")
    assert not user.has_perm("auth.add_group")
    assert all(".view_" in name for name in user.get_all_permissions())
    assert user.has_module_perms("auth")
    assert not user.has_module_perms("nowhere")


def test_permissions_through_groups_are_narrowed(db: None) -> None:
    bea = make_user("bea")
    editors = Group.objects.create(name="Editors")
    editors.permissions.add(permission("auth.view_group"), permission("auth.add_group"))
    bea.groups.add(editors)
    user = narrowed(bea, access="read")
    assert user.get_group_permissions() == {"auth.view_group"}
    assert user.get_user_permissions() == set()


@pytest.mark.parametrize("access", ["read", "limited"])
def test_an_inactive_user_has_nothing(access: str, db: None) -> None:
    user = narrowed(make_user("gone", "auth.view_group", is_active=False, is_superuser=True), access=access)
    assert not user.has_perm("auth.view_group")
    assert user.get_all_permissions() == set()
    assert not user.has_module_perms("auth")


def test_a_user_who_becomes_inactive_has_nothing_after_a_refresh(root: User) -> None:
    user = narrowed(root, access="read")
    User.objects.update(is_active=False)
    user.refresh_from_db()
    assert not user.has_perm("auth.view_group")


@pytest.mark.parametrize("perm", ["view_group", "auth", "", "auth.", "x.add.view_group", None, 7])
def test_names_of_another_shape_are_refused(root: User, perm: object) -> None:
    assert not narrowed(root, access="read").has_perm(perm)


def test_a_list_of_permissions_must_be_a_list(root: User) -> None:
    with pytest.raises(ValueError, match="iterable"):
        narrowed(root, access="read").has_perms("auth.view_group")


def test_async_answers_are_narrowed(root: User) -> None:
    user = narrowed(root, "auth.view_group")

    async def ask() -> None:
        assert await user.ahas_perm("auth.view_group")
        assert not await user.ahas_perm("auth.add_group")
        assert await user.ahas_perms(["auth.view_group"])
        assert not await user.ahas_perms(["auth.view_group", "auth.add_group"])
        assert await user.ahas_module_perms("auth")
        assert not await user.ahas_module_perms("admin")
        assert await user.aget_all_permissions() == await user.aget_user_permissions() == {"auth.view_group"}
        assert await user.aget_group_permissions() == {"auth.view_group"}

    async_to_sync(ask)()


class OwnObjectsBackend(BaseBackend):
    """Grants everything on one's own row, as object-permission packages do."""

    def has_perm(self, user_obj, perm, obj=None):
        return obj is not None and obj == user_obj

    def get_all_permissions(self, user_obj, obj=None):
        return {"auth.view_user", "auth.delete_user"} if obj == user_obj else set()


def test_permissions_on_an_object_are_narrowed(ada: User, settings) -> None:
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.OwnObjectsBackend"]
    user = narrowed(ada, access="read")
    assert user.has_perm("auth.view_user", ada)
    assert not user.has_perm("auth.delete_user", ada)
    assert not user.has_perm("auth.view_user")
    assert user.get_all_permissions(ada) == {"auth.view_user"}


def test_a_backend_asked_directly_answers_narrowed(ada: User, root: User) -> None:
    for user in (narrowed(ada, access="read"), narrowed(root, "auth.view_group")):
        assert ModelBackend().get_all_permissions(user) == {"auth.view_group"}
        assert ModelBackend().has_perm(user, "auth.view_group")
        assert not ModelBackend().has_perm(user, "auth.add_group")


def test_caches_of_the_user_do_not_leak_into_the_narrowed_one(ada: User) -> None:
    ada.get_all_permissions()
    user = narrowed(ada, access="read")
    assert user.get_all_permissions() == {"auth.view_group"}
    assert ada.has_perm("auth.add_group")


def test_narrowing_twice_leaves_what_both_allow(ada: User) -> None:
    user = narrow_user(narrowed(ada, "auth.add_group", "auth.view_group"), make_token(ada, access="read"))
    assert user.get_all_permissions() == {"auth.view_group"}


def test_full_access_does_not_widen_a_narrowed_user(root: User) -> None:
    user = narrow_user(narrowed(root, access="read"), make_token(root))
    assert not user.has_perm("auth.add_group")


def test_a_narrowed_user_is_a_real_user(root: User) -> None:
    user = narrowed(root, access="read")
    assert isinstance(user, User)
    assert isinstance(user, NarrowedUser)
    assert user == root
    assert root == user
    assert hash(user) == hash(root)
    assert user._meta is User._meta
    assert user.is_authenticated
    assert user.check_password("correct horse")
    assert ContentType.objects.get_for_model(user) == ContentType.objects.get_for_model(User)
    assert model_to_dict(user)["username"] == "root"


def test_a_narrowed_user_works_in_queries_and_relations(root: User) -> None:
    user = narrowed(root, access="read")
    group = Group.objects.create(name="Editors")
    user.groups.add(group)
    token = MCPToken.objects.create(user=user, name="Cursor")
    assert MCPToken.objects.filter(user=user, name="Cursor").get() == token
    assert MCPToken.objects.filter(user__in=[user]).exclude(user=root).count() == 0
    assert user.mcp_tokens.get(name="Cursor").user.is_superuser is False
    assert list(group.user_set.all()) == [root]
    LogEntry.objects.create(user=user, action_flag=1, object_repr="x")
    assert LogEntry.objects.get().user == root


def test_no_model_is_registered_for_it(root: User) -> None:
    before = len(apps.get_models(include_auto_created=True))
    assert narrowed_class(User) is narrowed_class(User) is type(narrowed(root, access="read"))
    assert len(apps.get_models(include_auto_created=True)) == before
    assert User._meta.get_field("id").model is User


def test_saving_keeps_the_superuser_a_superuser(root: User) -> None:
    user = narrowed(root, access="read")
    user.first_name = "Grace"
    user.save()
    user.last_name = "Hopper"
    user.save(update_fields=["last_name", "is_superuser"])
    row = User.objects.get(pk=root.pk)
    assert (row.first_name, row.last_name, row.is_superuser) == ("Grace", "Hopper", True)
    assert not user.is_superuser
    assert not user.has_perm("auth.add_group")


def test_saving_makes_nobody_a_superuser(ada: User) -> None:
    user = narrowed(ada, access="read")
    user.is_superuser = True
    user.save()
    assert not user.is_superuser
    assert not User.objects.get(pk=ada.pk).is_superuser


def test_a_password_set_on_it_is_stored(ada: User) -> None:
    user = narrowed(ada, access="read")
    user.set_password("battery staple")
    user.save()
    assert User.objects.get(pk=ada.pk).check_password("battery staple")


def test_saving_asynchronously_keeps_the_superuser(root: User) -> None:
    user = narrowed(root, access="read")
    user.first_name = "Grace"
    async_to_sync(user.asave)()
    row = User.objects.get(pk=root.pk)
    assert (row.first_name, row.is_superuser) == ("Grace", True)


def test_signals_see_the_user_model(root: User) -> None:
    seen = []

    def receive(sender, instance, **kwargs):
        seen.append((sender, type(instance), instance.is_superuser))

    post_save.connect(receive, sender=User)
    post_delete.connect(receive, sender=User)
    try:
        user = narrowed(root, access="read")
        user.save()
        user.delete()
    finally:
        post_save.disconnect(receive, sender=User)
        post_delete.disconnect(receive, sender=User)
    assert seen == [(User, User, True)] * 2
    assert not User.objects.exists()
    assert user.pk is None


def test_a_refresh_does_not_widen(root: User) -> None:
    user = narrowed(root, access="read")
    User.objects.update(first_name="Grace")
    user.refresh_from_db()
    assert user.first_name == "Grace"
    assert not user.is_superuser
    user.refresh_from_db(fields=["is_superuser"])
    assert not user.is_superuser
    assert not user.has_perm("auth.add_group")
