"""Where a value stands in a document: as it was written, or in another spelling of the same value."""

from __future__ import annotations

from slmbatch.types import Grounded, Grounding

_NOWHERE = Grounding(Grounded.NONE)
