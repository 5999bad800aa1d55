"""What went wrong, named after the caller's next move.

EngineError
├── Unavailable        a service is down or asks for patience: wait and try again, without limit
│   └── Misconfigured  … and an operator has to act: wait, and alert
├── Unprocessable      this record is at fault: try it a few times, park it, go on
└── UserError          a person asked for something that can't be done: say what to do, exit 2
"""

__all__ = ["EngineError", "Misconfigured", "Unavailable", "Unprocessable", "UserError"]


class EngineError(Exception):
    """Root of everything this engine raises on purpose."""


class Unavailable(EngineError):
    """A service can't be used at the moment; the work waits for it."""


class Misconfigured(Unavailable):
    """The service refuses for a reason that only an operator can remove (rights, missing resource)."""


class Unprocessable(EngineError):
    """One record can't be processed, whatever the state of the services."""


class UserError(EngineError):
    """A sentence for a person: what is wrong with what they asked for, and the remedy."""
