"""Localization over time: what single images say about the place, joined with the motion.

    located = PlaceFilter(place_map.positions, place_map.headings, starts)
    belief = located.update(places, similarities, Motion(0.5, 0.0, 0.02, 0.05, 0.01), seconds=0.1)
    belief.state, belief.probability, belief.position, belief.covariance

numpy only.
"""

from selavpr_core.place_filter.belief import Belief, State
from selavpr_core.place_filter.motion import Motion
from selavpr_core.place_filter.place_filter import PlaceFilter
from selavpr_core.place_filter.settings import FilterSettings

__all__ = ["Belief", "FilterSettings", "Motion", "PlaceFilter", "State"]
