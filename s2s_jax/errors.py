"""The one exception a user is meant to read."""


class UserError(Exception):
    """A mistake that the user can put right.

    The message is one line: what was required, what came, and the remedy. The command
    lines print it to stderr and leave with status 2.
    """
