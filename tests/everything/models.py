"""One model with a field of every kind; no keys to other apps, whose tables may be made later."""

import uuid

from django.db import models


class Maker(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    name = models.CharField(max_length=40, unique=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Label(models.Model):
    name = models.SlugField(unique=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Gadget(models.Model):
    name = models.CharField(max_length=40)
    email = models.EmailField(blank=True)
    site = models.URLField(blank=True)
    slug = models.SlugField(blank=True)
    address = models.GenericIPAddressField(null=True, blank=True)
    serial = models.UUIDField(null=True, blank=True)
    in_use = models.BooleanField(default=True)
    approved = models.BooleanField(null=True, blank=True)
    count = models.IntegerField(default=0)
    views = models.BigIntegerField(default=0)
    weight = models.FloatField(null=True, blank=True)
    price = models.DecimalField(max_digits=8, decimal_places=2, default=0)
    runtime = models.DurationField(null=True, blank=True)
    made_on = models.DateField(null=True, blank=True)
    seen_at = models.DateTimeField(null=True, blank=True)
    opens_at = models.TimeField(null=True, blank=True)
    grade = models.IntegerField(choices=[(1, "First"), (2, "Second")], default=1)
    colours = models.JSONField(default=list, blank=True)
    sizes = models.JSONField(default=list, blank=True)
    limits = models.JSONField(default=dict, blank=True)
    extra = models.JSONField(default=dict, blank=True)
    manual = models.FileField(upload_to="manuals/", blank=True)
    maker = models.ForeignKey(Maker, on_delete=models.CASCADE, null=True, blank=True, related_name="gadgets")
    parent = models.ForeignKey("self", on_delete=models.CASCADE, null=True, blank=True)
    label = models.ForeignKey(Label, on_delete=models.CASCADE, null=True, blank=True, related_name="first_of")
    labels = models.ManyToManyField(Label, blank=True, related_name="gadgets")
    secret = models.CharField(max_length=40, blank=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.name

    @property
    def shout(self) -> str:
        return self.name.upper()


class Part(models.Model):
    gadget = models.ForeignKey(Gadget, on_delete=models.CASCADE, related_name="parts")
    name = models.CharField(max_length=40)
    quantity = models.PositiveIntegerField(default=1)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.name


class Clock(models.Model):
    ZONES = tuple((f"Area/City_{number:03}", f"City {number}") for number in range(400))

    name = models.CharField(max_length=40)
    zone = models.CharField(max_length=40, blank=True, choices=ZONES)
    face = models.CharField(max_length=1, blank=True, choices=[("r", "Round"), ("s", "Square")])

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
