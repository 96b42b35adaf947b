"""What ends the demo early, in one line for the person at the keyboard."""

from selavpr_core.errors import SelaVPRError


class DemoError(SelaVPRError):
    """The demo cannot go on; the message says why and what to do."""


class CommandFailedError(DemoError):
    """A command that the demo ran failed, and has said why itself."""
