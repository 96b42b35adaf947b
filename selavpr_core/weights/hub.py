"""The published files on the Hugging Face hub, fetched once and then read from the cache."""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url
from huggingface_hub.utils import HfHubHTTPError, LocalEntryNotFoundError

from selavpr_core.errors import WeightsUnavailableError

REPOSITORY = "fenglu96/SelaVPRplusplus"
FILES = {
    "base": "SelaVPRplusplus_base_rerank.pth",
    "large": "SelaVPRplusplus_large_rerank.pth",
    "base-float": "SelaVPRplusplus_base.pth",
    "large-float": "SelaVPRplusplus_large.pth",
}
_TIMEOUT = 10.0

# The hub's error derives from the base of its HTTP library's errors; which library that is changes
# from one major version to the next. RuntimeError comes from the hub's accelerated download.
_HUB_BASES = HfHubHTTPError.__mro__[: HfHubHTTPError.__mro__.index(Exception)]
_FAILURES: tuple[type[Exception], ...] = (RuntimeError, *_HUB_BASES)


def fetch(name: str) -> Path:
    """Return the path of a published file in the cache, after fetching it where it is not there.

    name: a key of FILES. A file that is in the cache is used without asking the network.
    Raises WeightsUnavailableError.
    """
    file = FILES[name]
    try:
        return Path(hf_hub_download(REPOSITORY, file, local_files_only=True))
    except LocalEntryNotFoundError:
        pass
    try:
        # Asked first and only once: the download itself retries for half a minute without network.
        get_hf_file_metadata(hf_hub_url(REPOSITORY, file), timeout=_TIMEOUT)
        return Path(hf_hub_download(REPOSITORY, file))
    except _FAILURES as error:
        raise WeightsUnavailableError(
            f"weights {name!r} are not in the cache and cannot be fetched ({_reason(error)}): "
            f"get {file} from {REPOSITORY} on the Hugging Face hub and give its path, set HF_HOME "
            "to a cache that has it, or try random:tiny"
        ) from error


def _reason(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:120] if lines else type(error).__name__
