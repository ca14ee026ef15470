"""Users of other shapes: by email, without permissions, and with an answer of their own."""

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models


class PersonManager(BaseUserManager):
    def create_user(self, email: str, **fields):
        person = self.model(email=self.normalize_email(email), **fields)
        person.set_unusable_password()
        person.save(using=self._db)
        return person


class Person(AbstractBaseUser, PermissionsMixin):
    """Signs in with an email address and is keyed by it."""

    email = models.EmailField(primary_key=True)
    full_name = models.CharField(max_length=100, blank=True)
    is_staff = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)

    objects = PersonManager()
    USERNAME_FIELD = "email"

    def save(self, **kwargs) -> None:
        self.full_name = self.full_name.title()
        super().save(**kwargs)


class Visitor(AbstractBaseUser):
    """Knows nothing of permissions."""

    email = models.EmailField(unique=True)
    USERNAME_FIELD = "email"


class Doorman(AbstractBaseUser):
    """Answers for itself, without Django's permissions and without asynchronous methods."""

    email = models.EmailField(unique=True)
    USERNAME_FIELD = "email"

    @property
    def is_superuser(self) -> bool:
        return True

    def has_perm(self, perm: str, obj: object = None) -> bool:
        return True

    def has_module_perms(self, app_label: str) -> bool:
        return True
