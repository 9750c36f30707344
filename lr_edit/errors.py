"""The exceptions that stand for a user's mistake; it knows nothing about how it is shown."""


class UserError(ValueError):
    """A mistake in the input, said in one line: what was got, what was expected, what to do.

    Command-line programs print the line and exit with `status`; it never needs a traceback.
    """

    status = 2


class NothingFits(UserError):
    """The picture shows nothing that the phrase fits: a finding rather than a mistake."""

    status = 3
