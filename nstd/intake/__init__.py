"""From the inbox to a job: watch, wait until files are complete, plan, claim.

The package puts jobs into the store; it does not use executors or the outbox.
"""

from typing import TYPE_CHECKING

from nstd.system.lazy import lazy_exports

if TYPE_CHECKING:
    from nstd.intake.admission import Admission as Admission
    from nstd.intake.claim import Claims as Claims
    from nstd.intake.inbox import Inbox as Inbox
    from nstd.intake.plan import make_plan as make_plan

__getattr__ = lazy_exports(
    __name__, Admission="admission", Claims="claim", Inbox="inbox", make_plan="plan"
)
