"""What earlier runs settle of a certified one: which tiers it leaves out, and the seed of its draw: tiers.json.

It is written before the first row is asked about, and stays: rows that other tiers answer are another batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from slmbatch.store.folder import RunFolder, write_durably

TIERS_FILE = "tiers.json"  # under the run's certify folder


@dataclass(frozen=True, slots=True)
class Choice:
    """The tiers that aren't asked, and sentences about what leaving out saves or would save.

    `seed` draws the sample; None: that of the promise does.
    """

    left_out: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    seed: int | None = None


NOTHING_LEFT_OUT = Choice()


def write_choice(folder: RunFolder, choice: Choice) -> None:
    """Write tiers.json."""
    folder.certify.mkdir(exist_ok=True)
    write_durably(folder.certify / TIERS_FILE, msgspec.json.encode(choice))


def read_choice(folder: RunFolder) -> Choice:
    """Return what was decided; nothing is left out where nothing was."""
    path = folder.certify / TIERS_FILE
    return msgspec.json.decode(path.read_bytes(), type=Choice) if path.exists() else NOTHING_LEFT_OUT
