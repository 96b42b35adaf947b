from __future__ import annotations

from benchmarks.localization.kidnapping import kidnapped, left_standing
from test.benchmarks.localization.test_replay import made


def test_a_kidnapping_ends_when_a_right_pose_comes() -> None:
    place, drive, eyes = made(20, 580)
    looks = [eyes.look(x, y) for x, y, _ in drive.positions]
    found = kidnapped(place, drive, looks.__getitem__, leaves=60, arrives=180, most=50)
    assert found.found_after is not None
    assert 1 < found.found_after <= 50
    assert found.false <= found.found_after
    never = kidnapped(place, drive, looks.__getitem__, leaves=60, arrives=180, most=1)
    assert never.found_after is None


def test_who_is_left_standing_gives_the_old_place_up() -> None:
    place, drive, eyes = made(20, 580)
    looks = [eyes.look(x, y) for x, y, _ in drive.positions]
    seen, stands = [looks[250]] * 120, drive.positions[250]
    standing = left_standing(place, drive, looks.__getitem__, 60, 60, seen, stands)
    assert 1 <= standing.published <= 10
    assert standing.given_up_after is not None
    assert standing.published < standing.given_up_after <= 120
    soon = left_standing(place, drive, looks.__getitem__, 60, 60, seen[:10], stands)
    assert soon.given_up_after is None
    assert soon.published == standing.published
    assert not soon.here
    before = [looks[60]] * 9, drive.positions[60]
    stays = left_standing(place, drive, looks.__getitem__, 60, 60, *before)
    assert (stays.published, stays.given_up_after, stays.here) == (0, 1, True)  # it never left
