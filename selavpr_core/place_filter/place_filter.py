"""A Bayes filter over the places of a map."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from selavpr_core.place_filter.belief import Belief, State
from selavpr_core.place_filter.correction import correct
from selavpr_core.place_filter.hypotheses import (
    SCALE,
    STATES,
    Hypotheses,
    group_by_distance,
    wrapped,
)
from selavpr_core.place_filter.likelihood import (
    MISSED,
    excesses,
    likelihood_ratios,
    standing_out,
)
from selavpr_core.place_filter.motion import Motion
from selavpr_core.place_filter.nearby import Nearby
from selavpr_core.place_filter.neighbours import Pairs
from selavpr_core.place_filter.places import VIEW_SIGMA, Places
from selavpr_core.place_filter.settings import FilterSettings
from selavpr_core.place_filter.support import Support

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

BIRTHS = 32  # new hypotheses a frame
MOST = 40  # hypotheses that are kept
LEAST = 1e-7  # of all probability; less is forgotten
BORN = 0.1  # share of "nowhere" that is looked for among the candidates of each independent look
LEFT = 25.0  # m off the mapped ground after which the map is left
POWER = 3  # of the excesses, so that the best candidates tell whether images show the same
FOLLOWED = 60.0  # s for which a camera is followed without odometry, or without support
LEAST_SHARE = 1e-6  # of a look; the same picture once more differs by rounding
NOVELTY = 0.5  # change of the candidates (1 - cosine) after which they are compared anew
AGAIN = 0.8  # share of its lead with which a place shows again that was out of sight
GAP_SHARE = 0.1  # of half the gap between places, by which poses between them may stay off
TILT_SIGMA = 0.1  # rad; roll and pitch are not observed
UNKNOWN_YAW_VARIANCE = math.pi**2


class PlaceFilter:
    """Joins what single images say about the place with how the camera moved in between.

    The camera is somewhere around a mapped place (hypotheses: Gaussians over x, y and yaw, each
    with a probability) or nowhere in the map. For each image,

    - motion moves the hypotheses;
    - the candidates' likelihood ratios (likelihood.py) raise hypotheses near them and lower the
      others, and correct their poses by probabilistic data association (correction.py);
    - candidates far from every hypothesis become hypotheses, out of the probability of "nowhere",
      to which all others leak, faster while images do not show them (support.py): a camera that
      was carried elsewhere is found again.

    Images that show the same as the one before say nothing new: the evidence of an image counts by
    how far its candidates have changed since the last one that counted in full. So a robot that
    stands still becomes no surer, at any frame rate.
    """

    def __init__(
        self,
        positions: ArrayLike,
        headings: ArrayLike,
        starts: ArrayLike = (0,),
        settings: FilterSettings | None = None,
        position_sigmas: ArrayLike | None = None,
        heading_sigmas: ArrayLike | None = None,
    ) -> None:
        """Prepare for a map of N places.

        Args:
            positions: `[N, 3]` metres in the map frame.
            headings: `[N]` radians counter-clockwise from x; nan where unknown.
            starts: numbers of the first places of the map's segments.
            settings: assumptions; the defaults suit ground robots and cars.
            position_sigmas: `[N]` metres, one horizontal sigma; nan or None where unknown.
            heading_sigmas: `[N]` radians; nan or None where unknown.

        Raises ValueError for arrays that do not belong together.
        """
        self.settings = settings or FilterSettings()
        self.places = Places(positions, headings, starts, position_sigmas, heading_sigmas)
        self.reset()

    def reset(self) -> None:
        """Forget everything: the camera may be anywhere."""
        self._hypotheses = Hypotheses.none()
        self._nowhere = 1.0
        self._seen = np.zeros(len(self.places))  # excesses of the last image that counted in full
        self._counted = 0.0  # novelty since then
        self._fresh = True
        self._support = Support()
        # Of the sure hypothesis, when an image last supported it:
        self._believed = 0.0  # its probability
        self._shown = 0.0  # the lead of the places around it
        self._way = math.inf  # metres since then; inf where odometry does not tell

    def update(
        self, places: ArrayLike, similarities: ArrayLike, motion: Motion | None, seconds: float
    ) -> Belief:
        """Take in one image and return where the camera is.

        Args:
            places: `[K]` numbers of the most similar places, each once, in any order.
            similarities: `[K]` of these; all others of the map are taken to be less similar.
            motion: of the camera since the last image; None where nothing says.
            seconds: since the last image; at least 0.
        """
        listed = np.asarray(places, np.int64)
        alike = np.asarray(similarities, np.float64)
        excess = excesses(alike)
        distances = self._move(motion, max(seconds, 0.0))
        around = self.places.neighbours.around(self._hypotheses.means[:, :2])
        self._leave(distances, around)
        share = self._novelty(listed, excess)
        if share > 0.0 and len(listed):
            ratios = np.full(len(self.places), MISSED)
            ratios[listed] = likelihood_ratios(excess, len(self.places))
            standing = np.zeros(len(self.places))
            standing[listed] = standing_out(excess)
            self._weigh(ratios, standing, share, around)
            self._bear(listed, ratios[listed] ** share, share)
            self._tidy()
        self._uncover(listed, alike)
        if len(self._hypotheses):
            best = int(np.argmax(self._hypotheses.weights))
            self._doubt(best, self._lead(best, listed, alike), max(seconds, 0.0), _part(share))
        return self._belief()

    # --- motion

    def _move(self, motion: Motion | None, seconds: float) -> Array:
        """Move the hypotheses and return how far each went, [H] metres."""
        hypotheses = self._hypotheses
        before = hypotheses.means[:, :2].copy()
        if motion is not None and self._plausible(motion, seconds):
            hypotheses.move(motion, seconds, self.settings.speed)
            self._way += max(motion.distance - motion.sigma, 0.0)  # standing still is noisy
            if self._support.lost:
                self._give_up(seconds)
        else:
            hypotheses.drift(seconds, self.settings.speed)
            self._way = math.inf
            self._give_up(seconds)
        moved = hypotheses.means[:, :2] - before
        distances: Array = np.hypot(moved[:, 0], moved[:, 1])
        return distances

    def _give_up(self, seconds: float) -> None:
        """Take all hypotheses for less likely: nothing has said for `seconds` that they hold.

        When none is likely any more, the next image counts in full, even if the camera stands: what
        it shows was held against one place so far, and not yet used to find another.
        """
        hypotheses = self._hypotheses
        likely = hypotheses.weights.max(initial=0.0) >= self.settings.candidate
        gone = 1.0 - math.exp(-seconds / FOLLOWED)
        self._nowhere += gone * float(hypotheses.weights.sum())
        hypotheses.weights = hypotheses.weights * (1.0 - gone)
        if likely and hypotheses.weights.max() < self.settings.candidate:
            self._fresh = True

    def _plausible(self, motion: Motion, seconds: float) -> bool:
        if not all(math.isfinite(value) for value in motion):
            return False
        return not self.settings.jumped(motion.distance, seconds)

    def _leave(self, distances: Array, around: Pairs) -> None:
        """Give up hypotheses that have gone off the mapped ground, `distances` [H] metres on."""
        hypotheses = self._hypotheses
        numbers, near = around
        offsets = self.places.positions[near, :2] - hypotheses.means[numbers, :2]
        variances = 0.5 * np.trace(hypotheses.covariances[:, :2, :2], axis1=1, axis2=2)
        squared = (offsets**2).sum(axis=1) / (variances[numbers] + self.places.reaches[near] ** 2)
        nearest = np.full(len(hypotheses), np.inf)
        np.minimum.at(nearest, numbers, squared)
        lost = (1.0 - np.exp(-0.5 * nearest)) * (1.0 - np.exp(-distances / LEFT))
        self._nowhere += float((hypotheses.weights * lost).sum())
        hypotheses.weights = hypotheses.weights * (1.0 - lost)

    # --- evidence

    def _novelty(self, listed: Indices, excess: Array) -> float:
        """How much of an independent look this image is, 0 to 1."""
        excess = excess**POWER
        norm = float(np.linalg.norm(excess)) * float(np.linalg.norm(self._seen))
        if self._fresh:
            change = 1.0
        elif norm == 0.0:
            change = 0.0
        else:
            change = 1.0 - float(excess @ self._seen[listed]) / norm
        change = min(max(change, 0.0), 1.0)
        # What n looks of correlation 1 - change add up to, each: (1 - correlation) / (1 + ...).
        share = change / (2.0 - change) - self._counted
        share = share if share > LEAST_SHARE else 0.0
        self._counted += share
        if change >= NOVELTY:
            self._seen[:] = 0.0
            self._seen[listed] = excess
            self._counted = 0.0
            self._fresh = False
        return share

    def _weigh(self, ratios: Array, standing: Array, share: float, around: Pairs) -> None:
        """Raise, lower and correct the hypotheses by the likelihood ratios [N] of all places.

        standing: `[N]`, the same ratios if no place were a look-alike: of the places around a
        hypothesis that is right none is, so these tell which of them is the one.
        """
        leak = share * self.settings.kidnapped
        hypotheses = self._hypotheses
        if not len(hypotheses):
            return
        kept = hypotheses.weights * (1.0 - leak)
        self._nowhere += float((hypotheses.weights * leak).sum())
        nearby = Nearby.of(hypotheses, self.places, around)
        numbers, near, count = nearby.numbers, nearby.places, len(hypotheses)
        gains = nearby.nearness * (ratios[near] - 1.0)
        evidence = np.maximum(1.0 + np.bincount(numbers, gains, count), MISSED)
        hypotheses.weights = kept * evidence**share
        raised = np.maximum(gains, 0.0)
        certain = np.minimum(np.bincount(numbers, raised, count) / evidence, 1.0)
        pointing = np.where(raised > 0.0, nearby.nearness * standing[near], 0.0)
        correct(hypotheses, self.places, nearby, pointing, certain, _part(share))

    def _bear(self, listed: Indices, ratios: Array, share: float) -> None:
        """Make hypotheses of candidates, out of the probability of being nowhere."""
        born = BORN if not len(self._hypotheses) else 1.0 - (1.0 - BORN) ** share
        map_places = self.places
        weights = self._nowhere * born * map_places.shares[listed] / map_places.distinct
        weights = weights * ratios
        # The part of the prior that falls on places that are not listed, or not among the best.
        best = np.argsort(-weights, kind="stable")[:BIRTHS]
        best = best[weights[best] > 0.0]  # what weighs nothing has no mean to be merged into
        self._nowhere *= 1.0 - born
        unlisted = 1.0 - float(map_places.shares[listed].sum()) / map_places.distinct
        self._nowhere += self._nowhere * born / (1.0 - born) * max(unlisted, 0.0) * MISSED**share
        self._nowhere += float(weights.sum() - weights[best].sum())
        chosen = listed[best]
        covariances = np.zeros((len(best), STATES, STATES))
        covariances[:, 0, 0] = covariances[:, 1, 1] = map_places.reaches[chosen] ** 2
        covariances[:, 2, 2] = VIEW_SIGMA**2 + map_places.yaw_sigmas[chosen] ** 2
        covariances[:, 3, 3] = self.settings.speed**2
        covariances[:, 4, 4] = SCALE**2
        means = np.zeros((len(best), STATES))
        means[:, :2] = map_places.positions[chosen, :2]
        means[:, 2] = map_places.yaws[chosen]
        self._hypotheses = self._hypotheses.joined(
            Hypotheses(
                weights[best],
                means,
                covariances,
                map_places.positions[chosen, 2].copy(),
                map_places.reaches[chosen] ** 2,
                np.zeros(len(best), np.bool_),
                np.zeros(len(best), np.bool_),
            )
        )

    def _tidy(self) -> None:
        """Merge hypotheses that say the same, forget the least, and let all sum up to one.

        Within the reach of a place no image tells them apart, however narrow they are. One that is
        sure is never forgotten: it may only be out of sight.
        """
        hypotheses = self._hypotheses
        least = np.where(hypotheses.sure, 2.0 * LEAST, np.finfo(float).tiny)
        hypotheses.weights = np.maximum(hypotheses.weights, least)
        sigmas = np.sqrt(0.5 * np.trace(hypotheses.covariances[:, :2, :2], axis1=1, axis2=2))
        radii = np.maximum(1.5 * sigmas, self.places.typical_reach)
        turns = np.sqrt(hypotheses.covariances[:, 2, 2]) + 0.2
        groups = group_by_distance(hypotheses.weights, hypotheses.means, radii, turns)
        merged = hypotheses.merged(groups)
        total = float(merged.weights.sum()) + self._nowhere
        merged.weights /= total
        order = np.argsort(-(merged.weights + merged.sure), kind="stable")[:MOST]
        order = order[merged.weights[order] >= LEAST]
        self._hypotheses = merged.only(order)
        self._nowhere = max(1.0 - float(self._hypotheses.weights.sum()), 0.0)

    def _uncover(self, listed: Indices, similarities: Array) -> None:
        """Give back what a place lost while it was out of sight, if the camera has stood there.

        What was in front of the camera spoke against the place; that it shows the place again
        speaks for it no more than any image of a place does, and once only while it stands.
        """
        hypotheses = self._hypotheses
        if not self._support.lost or self._way > self.places.typical_reach:
            return
        for number in np.flatnonzero(hypotheses.sure).tolist():  # one at most
            lead = self._lead(number, listed, similarities)
            if lead >= AGAIN * self._shown and self._support.shows(lead):
                others = 1.0 - hypotheses.weights[number]
                scale = (1.0 - self._believed) / others if others > 0.0 else 1.0
                self._nowhere *= scale
                hypotheses.weights = hypotheses.weights * scale
                hypotheses.weights[number] = self._believed
                hypotheses.followed = np.arange(len(hypotheses)) == number
                self._support.resume()

    def _lead(self, number: int, listed: Indices, similarities: Array) -> float:
        """By how much the places around a hypothesis look more alike than the middle one."""
        if not len(listed):
            return math.nan
        offsets = self.places.positions[listed, :2] - self._hypotheses.means[number, :2]
        near = (offsets**2).sum(axis=1) <= (2.0 * self.places.reaches[listed]) ** 2
        ascending, count = np.sort(similarities), len(similarities)
        middle = 0.5 * (ascending[(count - 1) // 2] + ascending[count // 2])
        return float(similarities[near].max(initial=-1.0) - middle)

    def _doubt(self, best: int, lead: float, seconds: float, part: float) -> None:
        """Note which hypothesis has become as good as certain, or is so no longer.

        best: the likeliest. lead: of the places around it; nan where the image says nothing. part:
        of an independent look, 0 to 1, that the image is.
        """
        hypotheses = self._hypotheses
        certain = hypotheses.weights >= self.settings.localised
        if certain.any():
            hypotheses.sure = certain
        elif self._support.supports(lead) and (
            hypotheses.sure[best] or hypotheses.weights[best] >= self.settings.candidate
        ):  # what is out of sight is not refuted
            hypotheses.sure &= hypotheses.weights >= self.settings.doubted
        if not math.isfinite(lead):
            return
        if not hypotheses.followed[best]:
            self._support.begin()
            hypotheses.followed = np.arange(len(hypotheses)) == best
        if hypotheses.sure[best] and self._support.supports(lead):
            self._believed, self._shown = float(hypotheses.weights[best]), lead
            self._way = 0.0
        self._support.look(lead, bool(hypotheses.sure[best]), seconds, part)

    # --- answer

    def _belief(self) -> Belief:
        hypotheses = self._hypotheses
        if not len(hypotheses):
            nothing = np.full(3, np.nan)
            return Belief("lost", 0.0, nothing, math.nan, np.full((6, 6), np.nan), -1)
        best = int(np.argmax(hypotheses.weights))
        probability = float(hypotheses.weights[best])
        place = self._nearest(hypotheses.means[best])
        covariance = self._covariance(best, place)
        position = np.append(hypotheses.means[best, :2], hypotheses.heights[best])
        yaw = float(hypotheses.means[best, 2])
        if covariance[5, 5] >= UNKNOWN_YAW_VARIANCE:
            yaw = math.nan
        state: State = "lost"
        if probability >= self.settings.candidate:
            sigma = math.sqrt(float(np.linalg.eigvalsh(covariance[:2, :2])[-1]))
            narrow = sigma <= self.settings.widest
            sure = hypotheses.sure[best] and probability >= self.settings.doubted
            certain = sure and narrow and self._support.seen
            state = "localised" if certain else "candidate"
        probability = min(probability, 1.0)
        return Belief(state, probability, position, yaw, covariance, place, self._support.seen)

    def _nearest(self, pose: Array) -> int:
        """The place nearest to a pose [3]; a radian of heading counts as ten metres."""
        _, near = self.places.neighbours.around(pose[None, :2])
        if not len(near):
            near = np.arange(len(self.places))
        offsets = self.places.positions[near, :2] - pose[:2]
        turns = wrapped(self.places.yaws[near] - pose[2])
        turns[~self.places.looks[near]] = 0.0
        return int(near[np.argmin((offsets**2).sum(axis=1) + (10.0 * turns) ** 2)])

    def _covariance(self, best: int, place: int) -> Array:
        """The hypothesis's own covariance and what all looks have in common.

        The camera drives beside the mapped track, the map is off, the best view is a little ahead:
        such errors stay the same over many images, so that no number of them makes up for it.
        """
        hypotheses, map_places = self._hypotheses, self.places
        ahead = (GAP_SHARE * map_places.halves[place]) ** 2
        beside = self.settings.beside**2
        common = (ahead - beside) * map_places.along[place] + (
            beside + map_places.sigmas[place] ** 2
        ) * np.eye(2)
        covariance = np.zeros((6, 6))
        planar = np.ix_((0, 1, 5), (0, 1, 5))
        covariance[planar] = hypotheses.covariances[best, :3, :3]
        covariance[:2, :2] += common
        covariance[2, 2] = hypotheses.height_variances[best] + 0.5 * float(np.trace(common))
        covariance[3, 3] = covariance[4, 4] = TILT_SIGMA**2
        covariance[5, 5] += map_places.yaw_sigmas[place] ** 2 + math.radians(3.0) ** 2
        covariance[5, 5] = min(covariance[5, 5], UNKNOWN_YAW_VARIANCE)
        return covariance


def _part(share: float) -> float:
    """Of an independent look, the part (0 to 1) that an image with this share of novelty is."""
    return min(share / (NOVELTY / (2.0 - NOVELTY)), 1.0)
