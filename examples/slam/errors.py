"""What ends the example early, in one line for the person at the keyboard."""

from selavpr_core.errors import SelaVPRError


class SlamError(SelaVPRError):
    """The example cannot go on; the message says why and what to do."""
