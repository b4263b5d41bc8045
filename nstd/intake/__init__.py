"""From the inbox to a job: watch, wait until files are complete, plan, claim.

The package puts jobs into the store; it does not use executors or the outbox.
"""

from typing import TYPE_CHECKING

from nstd.system.lazy import hand_on

if TYPE_CHECKING:
    from nstd.intake.admission import Admission
    from nstd.intake.claim import Claims
    from nstd.intake.inbox import Inbox
    from nstd.intake.plan import make_plan

__all__ = ["Admission", "Claims", "Inbox", "make_plan"]

__getattr__ = hand_on(
    __name__, {"Admission": "admission", "Claims": "claim", "Inbox": "inbox", "make_plan": "plan"}
)
