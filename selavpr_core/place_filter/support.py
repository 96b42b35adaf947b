"""Whether images show the place as well as they do when it is sure."""

from __future__ import annotations

SUPPORTING = 0.5  # share of the usual lead
LEARNED = 0.1  # of a look's lead goes into the usual one
LOOKS, SECONDS = 4, 1.0  # in a row without support, both of them, after which there is none
WEAK = 0.65  # share of the usual lead that the last looks must have on average
RECENT = 10.0  # independent looks, over which that is taken
BEGINS = (
    0.5  # that average of a pose that was not the likeliest before: four usual looks are enough
)
MOST = 1.5  # shares: one image that stands out by more makes up for no others


class Support:
    """Watches by how much the places around the camera's pose look more alike than others.

    Likelihood ratios compare the places of one look with each other: a picture of elsewhere has
    places that it is most like, too, and where a pose covers several places, one of them is often
    among these. A pose that was sure then stays likely for long, and one on a road of repeated
    fronts becomes likely by every second picture. But the lead in similarity that right places
    have lasts with camera, light and season; where some looks in a row lack it, or many have less
    of it, the camera sees something else: what is in front of it, or another place.
    """

    def __init__(self) -> None:
        self._usual = 0.0
        self._recent = 1.0
        self._recent_of_sure = 1.0  # when an image last supported a sure pose
        self._looks = 0
        self._seconds = 0.0

    @property
    def lost(self) -> bool:
        """Whether there was none for long."""
        return self._looks >= LOOKS and self._seconds >= SECONDS

    @property
    def seen(self) -> bool:
        """Whether the last images show the place about as well as places usually are."""
        return not self.lost and self._recent >= WEAK

    def supports(self, lead: float) -> bool:
        """Whether a look with this lead supports the place; any does before one was sure."""
        return lead >= SUPPORTING * self._usual

    def shows(self, lead: float) -> bool:
        """Whether looks with this lead would show a place well enough."""
        return lead >= WEAK * self._usual

    def begin(self) -> None:
        """Another pose than before has become the likeliest: what images showed was not of it."""
        self._recent = BEGINS if self._usual > 0.0 else 1.0

    def resume(self) -> None:
        """The sure pose, which was out of sight, is seen again."""
        self._recent = self._recent_of_sure

    def look(self, lead: float, sure: bool, seconds: float, part: float = 1.0) -> None:
        """Take in a look.

        Args:
            lead: of the most similar place around the likeliest pose over the middle one of the
                listed places, as a difference of similarities.
            sure: whether that pose is as good as certain; what is usual is learned from such looks.
            seconds: since the look before.
            part: of an independent look that this one is, 0 to 1.
        """
        if self._usual > 0.0:
            share = min(max(lead / self._usual, 0.0), MOST)
            self._recent += part / RECENT * (share - self._recent)
        if not self.supports(lead):
            self._looks += 1
            self._seconds += seconds
            return
        self._looks, self._seconds = 0, 0.0
        if sure:
            self._recent_of_sure = self._recent
            self._usual += (lead - self._usual) * (LEARNED if self._usual > 0.0 else 1.0)
