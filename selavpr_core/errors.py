"""What can go wrong, each with a message of one line that says what is wrong and what to do."""


class SelaVPRError(Exception):
    """Base of every error that a user's input or machine can cause.

    The message is one line, written for the person at the keyboard; commands print it and exit
    with code 2, nodes log it and stay alive.
    """


class WeightsError(SelaVPRError):
    """Weights that are missing, unreadable or do not fit the model."""


class WeightsUnavailableError(WeightsError):
    """Published weights that can be neither found in the cache nor fetched."""


class DeviceError(SelaVPRError):
    """A device or precision that this machine cannot serve."""


class StorageError(SelaVPRError):
    """A folder that cannot be made, or that another program is writing to."""


class MapError(SelaVPRError):
    """A place map that is missing, damaged, of another version or of another model."""


class GeodesyError(SelaVPRError):
    """A position outside what UTM or the map's zone can represent."""
