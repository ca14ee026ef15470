"""Cases and who they are about."""

from django.conf import settings
from django.db import models


class EncryptedCharField(models.CharField):  # type: ignore[type-arg]
    """As packages name theirs; what it stores does not matter here."""


class Bank(models.Model):
    name = models.CharField(max_length=40)
    routing = models.CharField(max_length=40, unique=True)

    class Meta:
        app_label = "vault"
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.name


class Client(models.Model):
    name = models.CharField(max_length=40)
    email = models.EmailField(unique=True)
    ssn = models.CharField(max_length=20, unique=True)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    pin_code = models.CharField(max_length=8, blank=True)
    recovery_codes = models.JSONField(default=list, blank=True)
    otp_seed = models.CharField(max_length=40, blank=True)
    webhook_secret = models.CharField(max_length=40, default="unset-secret", blank=True)
    private_key = models.TextField(blank=True)
    nickname = models.CharField(max_length=40, blank=True)
    has_password = models.BooleanField(default=False)
    token_valid_until = models.DateField(null=True, blank=True)
    health = EncryptedCharField(max_length=40, blank=True)

    class Meta:
        app_label = "vault"
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.name


class Case(models.Model):
    title = models.CharField(max_length=40)
    code = models.CharField(max_length=20, unique=True)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="cases")
    bank = models.ForeignKey(Bank, on_delete=models.PROTECT, null=True, blank=True)
    watchers = models.ManyToManyField(Client, blank=True, related_name="watched")
    fee = models.IntegerField(default=0)
    margin = models.IntegerField(default=0)
    ratio = models.FloatField(default=1)
    frozen = models.BooleanField(default=False)
    sealed = models.BooleanField(default=False)
    extra = models.JSONField(default=dict, blank=True)
    scan = models.FileField(upload_to="scans/", blank=True)

    class Meta:
        app_label = "vault"
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.title


class Step(models.Model):
    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="steps")
    text = models.CharField(max_length=40)
    barcode = models.CharField(max_length=20, unique=True, null=True, blank=True)
    hours = models.IntegerField(default=0)

    class Meta:
        app_label = "vault"
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.text
