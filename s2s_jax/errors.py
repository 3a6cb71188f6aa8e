"""What a user is meant to read when something is wrong.

Messages name options in backquotes, as Python spells them: `n_best`. A library shows them so;
each command line spells them its own way.
"""

import re


class UserError(Exception):
    """A mistake that the user can correct.

    The message is one line: what was required, what came, and the remedy. The command lines print
    it to stderr and exit with status 2.
    """


class Damaged(UserError):
    """What a file holds is not what was written to it; another copy may be whole."""


class RunWarning(UserWarning):
    """Something is wrong with a run, but the work continues.

    The message is one line: what is wrong and what is done about it. The command lines print it to
    stderr.
    """


class TextWarning(UserWarning):
    """A text that a translator was called with can only be answered in part, or badly."""


def spell_options(message: str, prefix: str = "--") -> str:
    """The message with its options as a command line spells them: `n_best` becomes --n-best."""
    return re.sub(r"`([a-z_]+)`", lambda found: prefix + found[1].replace("_", "-"), message)


def quote_options(message: str) -> str:
    """The message with its options in quotes: in a file they are keys, not flags."""
    return message.replace("`", "'")
