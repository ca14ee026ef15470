"""Machines and what is done with them."""

import uuid

from django.contrib.contenttypes.fields import GenericForeignKey, GenericRelation
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone


class Machine(models.Model):
    code = models.CharField(max_length=10, primary_key=True)
    serial = models.CharField(max_length=20, unique=True)
    api_token = models.CharField(max_length=40, blank=True)
    kind = models.CharField(max_length=1, choices=[("s", "Saw"), ("d", "Drill")], default="s")
    checked = models.BooleanField(null=True, blank=True)

    class Meta:
        app_label = "workshop"

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.code}"


class Part(models.Model):
    machine = models.ForeignKey(Machine, on_delete=models.CASCADE, related_name="parts")
    name = models.CharField(max_length=20)
    api_key = models.CharField(max_length=20, blank=True)

    class Meta:
        app_label = "workshop"

    def __str__(self) -> str:
        return self.name


class OldMachine(Machine):
    class Meta:
        app_label = "workshop"
        proxy = True


class Access(Machine):
    """Called by its secret, as the tokens of many applications are."""

    class Meta:
        app_label = "workshop"
        proxy = True

    def __str__(self) -> str:
        return self.api_token


class Press(Machine):
    tons = models.FloatField(default=1.5)

    class Meta:
        app_label = "workshop"


class Tag(models.Model):
    name = models.CharField(max_length=20, unique=True)

    class Meta:
        app_label = "workshop"

    def __str__(self) -> str:
        return self.name


class Job(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    machine = models.ForeignKey(Machine, on_delete=models.PROTECT, to_field="serial", related_name="jobs")
    name = models.CharField(max_length=40)
    starts = models.DateTimeField(default=timezone.now)
    lasts = models.DurationField(null=True, blank=True)
    urgent = models.BooleanField(default=False)
    options = models.JSONField(default=dict, blank=True)
    frozen = models.CharField(max_length=20, default="as made")
    tags = models.ManyToManyField(Tag, blank=True)

    class Meta:
        app_label = "workshop"
        ordering = ["name"]

    def __str__(self) -> str:
        return f"{self.name} on {self.machine}"


class Shelf(models.Model):
    label = models.CharField(max_length=20)
    p = models.IntegerField(default=0, help_text="The place on the wall.")
    address = models.GenericIPAddressField(null=True, blank=True)
    built = models.DateField(null=True, blank=True)
    seen = models.DateTimeField(null=True, blank=True)
    options = models.JSONField(default=dict, blank=True)
    colour = models.CharField(max_length=10, blank=True, db_default="grey")
    locked = models.BooleanField(db_default=True)
    machines = models.ManyToManyField(Machine, through="Standing")
    notes = GenericRelation("workshop.Note")

    class Meta:
        app_label = "workshop"

    def __str__(self) -> str:
        return f"Shelf at {self.p}"


class Standing(models.Model):
    shelf = models.ForeignKey(Shelf, on_delete=models.CASCADE)
    machine = models.ForeignKey(Machine, on_delete=models.CASCADE)

    class Meta:
        app_label = "workshop"
        unique_together = [("shelf", "machine")]

    def __str__(self) -> str:
        return f"{self.machine} on {self.shelf}"


class Note(models.Model):
    text = models.CharField(max_length=40)
    content_type = models.ForeignKey(ContentType, on_delete=models.CASCADE)
    object_id = models.CharField(max_length=40)
    about = GenericForeignKey()

    class Meta:
        app_label = "workshop"

    def __str__(self) -> str:
        return self.text


class Payment(models.Model):
    """Kept in step with another service, whose ids are a column beside the key."""

    number = models.BigAutoField(primary_key=True)
    id = models.CharField(max_length=20, unique=True)
    machine = models.ForeignKey(Machine, on_delete=models.CASCADE, null=True, blank=True)
    note = models.CharField(max_length=20, blank=True)

    class Meta:
        app_label = "workshop"

    def __str__(self) -> str:
        return f"Payment {self.note}"


class Preset(models.Model):
    """Named by what tools call their own argument."""

    values = models.CharField(max_length=20, unique=True)
    speed = models.IntegerField(default=1)
    machine = models.OneToOneField(Machine, on_delete=models.CASCADE, null=True, blank=True, related_name="preset")
    made = models.DateTimeField(db_default=Now())
    program = models.BinaryField(blank=True, editable=True)

    class Meta:
        app_label = "workshop"

    def __str__(self) -> str:
        return self.values
