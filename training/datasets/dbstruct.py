"""The .mat files that give the images and positions of Pitts30k, Pitts250k and Tokyo24/7."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from training.errors import DatasetError


@dataclass(frozen=True, eq=False)
class DbStruct:
    """A split of a dataset.

    Attributes:
        database, queries: paths of the images as the file gives them, N and Q.
        database_utm, query_utm: easting and northing, metres, float64 [N, 2] and [Q, 2].
    """

    database: list[str]
    database_utm: NDArray[np.float64]
    queries: list[str]
    query_utm: NDArray[np.float64]


def read_dbstruct(path: Path) -> DbStruct:
    """Read a `dbStruct` as MATLAB wrote it: cell arrays of names, 2 x N positions.

    Raises:
        DatasetError: the file is missing, damaged, of MATLAB's HDF5 kind, or holds something else.
    """
    try:
        with path.open("rb") as file:
            contents = loadmat(file, variable_names=["dbStruct"])
    except FileNotFoundError as error:
        raise DatasetError(f"{path} is missing: the dataset's .mat file belongs there") from error
    # A file that is cut short or overwritten shows as any of these, by what it breaks first.
    except (
        OSError,
        ValueError,
        TypeError,
        LookupError,
        zlib.error,
        NotImplementedError,
        MatReadError,
        MemoryError,
    ) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DatasetError(f"{path} cannot be read as a MATLAB file: {reason}") from error
    try:
        fields = contents["dbStruct"].reshape(-1)[0]
        database, database_utm = _side(fields["dbImageFns"], fields["utmDb"])
        queries, query_utm = _side(fields["qImageFns"], fields["utmQ"])
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise DatasetError(
            f"{path} holds no dbStruct with dbImageFns, utmDb, qImageFns and utmQ"
            f" of equal lengths ({error})"
        ) from error
    return DbStruct(database, database_utm, queries, query_utm)


def _side(
    names: NDArray[np.object_], utm: NDArray[np.generic]
) -> tuple[list[str], NDArray[np.float64]]:
    texts = [str(np.asarray(cell).reshape(-1)[0]) for cell in np.asarray(names).reshape(-1)]
    positions = np.asarray(utm, dtype=np.float64)
    if positions.shape != (2, len(texts)):
        raise ValueError(f"{len(texts)} names, positions of shape {positions.shape}")
    return texts, np.ascontiguousarray(positions.T)
