"""What may still be spent: a cap, what is gone, and what requests on their way may cost. In 1e-12 USD."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Budget:
    """`cap` None is no cap. `spent` + `reserved` stays within it if no request costs more than its worst case."""

    cap: int | None = None
    spent: int = 0
    reserved: int = 0

    def fits(self, amount: int) -> bool:
        """Whether a request with this worst case may be sent now."""
        return self.cap is None or self.spent + self.reserved + amount <= self.cap

    def hopeless(self, amount: int) -> bool:
        """Whether it won't fit either when everything on its way turns out to be free."""
        return self.cap is not None and self.spent + amount > self.cap

    @property
    def left(self) -> int:
        """What of the cap isn't spent, 0 without one."""
        return 0 if self.cap is None else max(0, self.cap - self.spent)

    def reserve(self, amount: int) -> None:
        self.reserved += amount

    def settle(self, amount: int, spent: int) -> None:
        """Give back a reservation, of which this much was spent."""
        self.reserved -= amount
        self.spent += spent
