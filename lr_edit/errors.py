"""The one exception that stands for a user's mistake; it knows nothing about how it is shown."""


class UserError(ValueError):
    """A mistake in the input, said in one line: what was got, what was expected, what to do.

    Command-line programs print the line and exit with status 2; it never needs a traceback.
    """
