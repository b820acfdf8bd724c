"""What one export may hold, so that no body makes the server work for long or fill its memory."""

from dataclasses import dataclass

from mainspring.kernel.errors import Invalid

MAX_SPANS = 20_000
MAX_VALUES = 1_000_000
MAX_DEPTH = 64


@dataclass(slots=True)
class Budget:
    """What is left to be read of one export. Reading takes from it and raises `Invalid` (`too_large`)."""

    spans: int = MAX_SPANS
    values: int = MAX_VALUES

    def take_span(self) -> None:
        """Count one span."""
        self.spans -= 1
        if self.spans < 0:
            raise Invalid(
                f"an export may hold {MAX_SPANS:,} spans",
                code="too_large",
                hint="Send smaller ones.",
            )

    def take_value(self, depth: int) -> None:
        """Count one attribute or one element inside it, so many levels down."""
        self.values -= 1
        if self.values < 0:
            raise Invalid(
                f"an export may hold {MAX_VALUES:,} values of attributes",
                code="too_large",
                hint="Send smaller ones.",
            )
        if depth > MAX_DEPTH:
            raise Invalid(
                f"an attribute may have {MAX_DEPTH} levels of lists and objects", code="too_deep"
            )
