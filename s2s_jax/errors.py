"""What a user is meant to read when something is wrong."""


class UserError(Exception):
    """A mistake that the user can put right.

    The message is one line: what was required, what came, and the remedy. The command
    lines print it to stderr and leave with status 2.
    """


class RunWarning(UserWarning):
    """Something is wrong with a run, and the work goes on all the same.

    The message is one line: what is wrong and what is done about it. The command lines print
    it to stderr.
    """
