"""Holds records, pictures, gallery and work folders against each other, for `nstd verify`."""

from nstd.client.verify.damage import Damage
from nstd.client.verify.verification import Verification

__all__ = ["Damage", "Verification"]
