"""The SelaVPR++ network: a frozen DINOv2 backbone and side networks that refine its tokens."""

from selavpr_core.model.selavpr import FeatureMaps, Output, SelaVPR
from selavpr_core.model.settings import PATCH_SIZE, PRESETS, ModelSettings, preset_settings

__all__ = [
    "PATCH_SIZE",
    "PRESETS",
    "FeatureMaps",
    "ModelSettings",
    "Output",
    "SelaVPR",
    "preset_settings",
]
