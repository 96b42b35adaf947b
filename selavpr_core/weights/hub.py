"""The published files on the Hugging Face hub, fetched once and then read from the cache."""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url
from huggingface_hub.utils import HfHubHTTPError, LocalEntryNotFoundError

from selavpr_core.errors import WeightsUnavailableError
from selavpr_core.weights import shipped

REPOSITORY = "fenglu96/SelaVPRplusplus"
FILES = {
    "base": "SelaVPRplusplus_base_rerank.pth",
    "large": "SelaVPRplusplus_large_rerank.pth",
    "base-float": "SelaVPRplusplus_base.pth",
    "large-float": "SelaVPRplusplus_large.pth",
}
# DINOv2 as it was pretrained, without registers; there is none of the size of tiny.
BACKBONES = {
    "small": "timm/vit_small_patch14_dinov2.lvd142m",
    "base": "timm/vit_base_patch14_dinov2.lvd142m",
    "large": "timm/vit_large_patch14_dinov2.lvd142m",
}
_ADVICE = f"or use {shipped.NAME}, which comes with selavpr_ros"
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
    return _fetched(REPOSITORY, FILES[name], f"weights {name!r}", _ADVICE)


def fetch_backbone(preset: str) -> Path:
    """Return the path of a preset's pretrained DINOv2 backbone, fetched as `fetch` does.

    preset: a key of BACKBONES. Raises WeightsUnavailableError.
    """
    advice = "or train from random weights (a test, no more)"
    return _fetched(BACKBONES[preset], "model.safetensors", f"DINOv2 weights of {preset}", advice)


def _fetched(repository: str, file: str, what: str, advice: str) -> Path:
    try:
        return Path(hf_hub_download(repository, file, local_files_only=True))
    except LocalEntryNotFoundError:
        pass
    try:
        # Asked first and only once: the download itself retries for half a minute without network.
        get_hf_file_metadata(hf_hub_url(repository, file), timeout=_TIMEOUT)
        return Path(hf_hub_download(repository, file))
    except _FAILURES as error:
        raise WeightsUnavailableError(
            f"{what} are not in the cache and cannot be fetched ({_reason(error)}): "
            f"get {file} from {repository} on the Hugging Face hub and give its path, set HF_HOME "
            f"to a cache that has it, {advice}"
        ) from error


def _reason(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:120] if lines else type(error).__name__
