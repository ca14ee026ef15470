"""Path converters."""


class SkuConverter:
    regex = "[A-Z0-9-]{1,20}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value
