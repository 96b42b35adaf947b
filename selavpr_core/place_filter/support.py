"""Whether images show the place as well as they do when it is sure."""

from __future__ import annotations

SUPPORTING = 0.5  # share of the usual lead
SHOWING = 0.8  # of it, with which one image shows a place well
LEARNED = 0.1  # of a look's lead goes into the usual one
LOOKS, SECONDS = 4, 1.0  # in a row without support, both of them, after which there is none


class Support:
    """Watches by how much the places around the camera's pose look more alike than others.

    Likelihood ratios compare the places of one look with each other: a picture of elsewhere has
    places that it is most like, too, and where a pose covers several places, one of them is often
    among these. A pose that was sure then stays likely for long. But the lead in similarity that
    right places have lasts with camera, light and season; without it the camera sees something
    else: what is in front of it, or another place. And a row of pictures of elsewhere, each a
    little like the places along a road, makes a pose there as likely as right ones would; but few
    of them have the lead.
    """

    def __init__(self) -> None:
        self._usual = 0.0
        self._looks = 0
        self._seconds = 0.0

    @property
    def lost(self) -> bool:
        """Whether there was none for long."""
        return self._looks >= LOOKS and self._seconds >= SECONDS

    def shows(self, lead: float) -> bool:
        """Whether a look with this lead shows the place well; any does before one was sure."""
        return lead >= SHOWING * self._usual

    def look(self, lead: float, sure: bool, seconds: float) -> None:
        """Take in a look.

        Args:
            lead: of the most similar place around the likeliest pose over the middle one of the
                listed places, as a difference of similarities.
            sure: whether that pose is as good as certain; what is usual is learned from such looks.
            seconds: since the look before.
        """
        if lead < SUPPORTING * self._usual:
            self._looks += 1
            self._seconds += seconds
            return
        self._looks, self._seconds = 0, 0.0
        if sure:
            self._usual += (lead - self._usual) * (LEARNED if self._usual > 0.0 else 1.0)
