"""What can go wrong at the user's side. The command line prints these without a traceback."""


class UserError(Exception):
    """A mistake or a missing thing the user can mend; the message says how. Exit status 2."""


class DataError(UserError):
    """A malformed record; the message names the file and the line or key."""


class VideoError(Exception):
    """A video that cannot be read. Counted in the ledger; the run goes on."""
