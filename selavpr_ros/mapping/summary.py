"""What became of each frame, for people and for scripts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from selavpr_core.camera import CameraModel
from selavpr_core.geodesy import Datum
from selavpr_core.place_map import ModelInfo
from selavpr_ros.mapping.track import NANOSECONDS, Drop

_NAMED_CORRUPT = 5


@dataclass
class BagSummary:
    """What became of one bag: frames = kept + near + sum(dropped) + corrupt.

    Attributes:
        bag: path as given.
        segment: name of its segment in the map, None if the bag gave none.
        frames: images that were read.
        kept: frames that became places.
        near: frames too close to the last one kept to be another place.
        dropped: frames without a position, counted by reason (values of Drop).
        corrupt: frames that could not be decoded, of those that were wanted.
        corrupt_stamps: ns, the first few of them.
        headings: places by where their heading comes from: pose, imu, track, unknown.
        camera: what took all of the places' images; None if it is not known.
        track_length: metres travelled while recording.
        first_stamp, last_stamp: ns, of the frames; None without any.
        warnings: what the reader could not read, and what else to know.
        error: why the bag gave no places, None if it did.
        seconds: time spent on it.
    """

    bag: str
    segment: str | None = None
    frames: int = 0
    kept: int = 0
    near: int = 0
    dropped: dict[str, int] = field(default_factory=lambda: {drop.value: 0 for drop in Drop})
    corrupt: int = 0
    corrupt_stamps: list[int] = field(default_factory=list)
    headings: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("pose", "imu", "track", "unknown"), 0)
    )
    camera: CameraModel | None = None
    track_length: float = 0.0
    first_stamp: int | None = None
    last_stamp: int | None = None
    warnings: list[str] = field(default_factory=list)
    error: str | None = None
    seconds: float = 0.0

    @property
    def name(self) -> str:
        """The bag's name without its folder."""
        return Path(self.bag).name or Path.cwd().name  # "." is the folder one stands in

    def saw(self, stamp: int) -> None:
        """Count a frame."""
        self.frames += 1
        self.first_stamp = stamp if self.first_stamp is None else min(self.first_stamp, stamp)
        self.last_stamp = stamp if self.last_stamp is None else max(self.last_stamp, stamp)

    def could_not_decode(self, stamp: int, reason: str) -> None:
        """Count a corrupt frame; the first few are named in a warning."""
        self.corrupt += 1
        if self.corrupt <= _NAMED_CORRUPT:
            self.corrupt_stamps.append(stamp)
            self.warn(f"image at {stamp * NANOSECONDS:.3f} s left out: {reason}")

    def warn(self, warning: str) -> None:
        """Add a warning, once."""
        if warning not in self.warnings:
            self.warnings.append(warning)

    def dropped_in_words(self) -> str:
        """Return for example "3 outside the track, 1 without a fix"."""
        words = {
            Drop.NO_FIX.value: "without a fix",
            Drop.COVARIANCE.value: "with fixes too uncertain (--max-sigma)",
            Drop.GAP.value: "in a gap between fixes (--max-gap)",
            Drop.OUTSIDE.value: "outside the track",
        }
        return ", ".join(f"{n} {words[reason]}" for reason, n in self.dropped.items() if n)


@dataclass
class MapSummary:
    """What a build did, and the map it left.

    Attributes:
        map: path of the map.
        places: number of places in the whole map now.
        segments: number of its segments now.
        size_bytes: its size on disk, thumbnails included.
        model: what described the places.
        device, precision: on which and in which they were described.
        datum: origin of the map frame, None in a map without GPS.
        bags: one summary a bag, in the order given.
        seconds: time the build took.
    """

    map: str
    places: int
    segments: int
    size_bytes: int
    model: ModelInfo
    device: str
    precision: str
    datum: Datum | None
    bags: list[BagSummary]
    seconds: float

    @property
    def frames(self) -> int:
        """Images read from all bags."""
        return sum(bag.frames for bag in self.bags)

    @property
    def kept(self) -> int:
        """Places added by this build."""
        return sum(bag.kept for bag in self.bags)

    @property
    def corrupt(self) -> int:
        """Images of all bags that could not be decoded."""
        return sum(bag.corrupt for bag in self.bags)

    @property
    def dropped(self) -> dict[str, int]:
        """Frames of all bags without a position, by reason."""
        total: Counter[str] = Counter()
        for bag in self.bags:
            total.update(bag.dropped)
        return {drop.value: total[drop.value] for drop in Drop}

    def to_json(self) -> dict[str, Any]:
        """Return everything as a dictionary that json can write."""
        return {
            "map": self.map,
            "places": self.places,
            "segments": self.segments,
            "size_bytes": self.size_bytes,
            "weights": self.model.source,
            "preset": self.model.preset,
            "pretrained": self.model.pretrained,
            "fingerprint": self.model.fingerprint,
            "device": self.device,
            "precision": self.precision,
            "datum": None if self.datum is None else self.datum.to_json(),
            "frames": self.frames,
            "kept": self.kept,
            "near": sum(bag.near for bag in self.bags),
            "dropped": self.dropped,
            "corrupt": self.corrupt,
            "track_length": sum(bag.track_length for bag in self.bags),
            "seconds": self.seconds,
            "bags": [asdict(bag) for bag in self.bags],
        }

    def table(self) -> str:
        """Return the summary as text of several lines, without a line break at its end.

        Warnings are not in it: they are logged as they come.
        """
        head = ["bag", "frames", "kept", "near", "no fix", "covariance", "gap", "outside"]
        rows = [[*head, "corrupt", "track", "time"]]
        rows += [_row(bag.name, [bag]) for bag in self.bags]
        if len(self.bags) > 1:
            rows.append(_row("total", self.bags))
        lines = aligned(rows)
        for bag in self.bags:
            if bag.first_stamp is not None and bag.last_stamp is not None:
                lines.append(f"{bag.name}: {_span(bag.first_stamp, bag.last_stamp)}")
            if bag.kept:
                sources = [f"{n} {source}" for source, n in bag.headings.items() if n]
                lines.append(f"{bag.name}: headings of the places: {', '.join(sources)}")
            if bag.camera is not None:
                lines.append(f"{bag.name}: {camera_in_words(bag.camera)}")
            if bag.error is not None:
                lines.append(f"FAILED   {bag.error}")
        trained = "" if self.model.pretrained else ", UNTRAINED"
        datum = "none: the frame is the poses' own" if self.datum is None else place_of(self.datum)
        lines += [
            f"map      {self.map}: {counted(self.places, 'place')} in"
            f" {counted(self.segments, 'segment')}, {human_size(self.size_bytes)}",
            f"weights  {self.model.source} (preset {self.model.preset}{trained}),"
            f" fingerprint {self.model.fingerprint[:16]}",
            f"datum    {datum}",
            f"done     {self.kept} of {self.frames} frames kept in {self.seconds:.1f} s"
            f" ({self.device}, {self.precision})",
        ]
        return "\n".join(lines)


def counted(number: int, noun: str) -> str:
    """Return for example "1 place" or "2 places"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def human_size(count: float) -> str:
    """Return a number of bytes as for example "12.3 MB"."""
    if count < 1e3:
        return f"{count:.0f} B"
    if count < 1e6:
        return f"{count / 1e3:.1f} kB"
    return f"{count / 1e6:.1f} MB" if count < 1e9 else f"{count / 1e9:.2f} GB"


def _row(name: str, bags: Sequence[BagSummary]) -> list[str]:
    seconds = sum(
        (bag.last_stamp - bag.first_stamp) * NANOSECONDS
        for bag in bags
        if bag.first_stamp is not None and bag.last_stamp is not None
    )
    counts = [
        sum(bag.frames for bag in bags),
        sum(bag.kept for bag in bags),
        sum(bag.near for bag in bags),
        *(sum(bag.dropped[drop.value] for bag in bags) for drop in Drop),
        sum(bag.corrupt for bag in bags),
    ]
    length = sum(bag.track_length for bag in bags)
    span = str(timedelta(seconds=round(seconds)))
    return [name, *(str(count) for count in counts), f"{length:.0f} m", span]


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a line a row, with the first column flush left and the others flush right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip()
        for row in rows
    ]


def _span(first: int, last: int) -> str:
    begin, end = (
        datetime.fromtimestamp(stamp * NANOSECONDS, tz=timezone.utc) for stamp in (first, last)
    )
    return f"{begin:%Y-%m-%d %H:%M:%S} to {end:%Y-%m-%d %H:%M:%S} UTC"


def place_of(datum: Datum) -> str:
    """Return a datum as text."""
    return (
        f"{datum.latitude:.7f}, {datum.longitude:.7f}, {datum.altitude:.1f} m,"
        f" UTM zone {datum.zone}{'N' if datum.northern else 'S'}"
    )


def camera_in_words(camera: CameraModel) -> str:
    """Return a camera as text."""
    lens = camera.model if camera.distortion else "no distortion"
    return (
        f"camera of {camera.width} x {camera.height} pixels,"
        f" focal length {camera.fx:.1f}, {camera.fy:.1f}, {lens}"
    )
