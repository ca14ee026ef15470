"""A serializer with a field of every kind."""

from typing import Any

from rest_framework import serializers

from tests.everything.models import Gadget, Label, Maker, Part


class PartSerializer(serializers.ModelSerializer):
    class Meta:
        model = Part
        fields = ["name", "quantity"]


class MakerSerializer(serializers.ModelSerializer):
    class Meta:
        model = Maker
        fields = ["id", "name"]


class GadgetSerializer(serializers.ModelSerializer):
    code = serializers.RegexField(r"^[A-Z]{2}\d$", source="slug", required=False)
    colours = serializers.MultipleChoiceField(choices=["red", "green"], required=False)
    sizes = serializers.ListField(child=serializers.IntegerField(min_value=1), required=False)
    limits = serializers.DictField(child=serializers.FloatField(), required=False)
    label = serializers.SlugRelatedField("name", queryset=Label.objects.all(), required=False, allow_null=True)
    parts = PartSerializer(many=True, required=False)
    made_by = MakerSerializer(source="maker", read_only=True)
    shout = serializers.ReadOnlyField()
    anything = serializers.SerializerMethodField()
    secret = serializers.CharField(write_only=True, required=False)
    marked = serializers.HiddenField(default=True)

    class Meta:
        model = Gadget
        exclude = ["slug"]
        extra_kwargs = {"views": {"read_only": True}}

    def get_anything(self, gadget: Gadget):  # type: ignore[no-untyped-def]  # That is what is tested.
        return {"parts": len(gadget.parts.all())}

    def create(self, validated_data: dict[str, Any]) -> Gadget:
        validated_data.pop("marked")
        parts = validated_data.pop("parts", [])
        validated_data["colours"] = sorted(validated_data.get("colours", []))
        gadget: Gadget = super().create(validated_data)
        Part.objects.bulk_create([Part(gadget=gadget, **part) for part in parts])
        return gadget

    def update(self, instance: Gadget, validated_data: dict[str, Any]) -> Gadget:
        validated_data.pop("marked", None)
        parts = validated_data.pop("parts", None)
        if "colours" in validated_data:
            validated_data["colours"] = sorted(validated_data["colours"])
        gadget: Gadget = super().update(instance, validated_data)
        if parts is not None:
            gadget.parts.all().delete()
            Part.objects.bulk_create([Part(gadget=gadget, **part) for part in parts])
        return gadget
