"""Who is who on hand-made boxes: people who cross, a gap, a newcomer, a weak score that continues a track."""

from dataclasses import replace

import pytest

from slowfast.inference.tracking.tracks import Tracker, TrackRules, match
from slowfast.structures.outputs.moment import ActionScore, Moment, Person


def person(x: float, *, y: float = 0.5, score: float = 0.9, walk: float | None = None, width: float = 0.2) -> Person:
    """A person of half the height of a frame of 100 x 100, centre at (x, y)."""
    box = (x - width / 2, y - 0.25, x + width / 2, y + 0.25)
    actions = () if walk is None else (ActionScore("walk", 3, walk),)
    return Person(box, tuple(100 * value for value in box), score, actions)


def follow(*moments: list[Person], rules: TrackRules | None = None, step: float = 1.0) -> list[dict[int, float]]:
    """The tracks of each moment: number -> x of the centre, rounded."""
    tracker = Tracker(rules)
    told = [tracker(Moment(i * step, (100, 100), tuple(people))) for i, people in enumerate(moments)]
    return [{p.track: round((p.box[0] + p.box[2]) / 2, 3) for p in moment.people} for moment in told]


def test_matching_takes_the_best_sum_not_the_best_first():
    # The first box overlaps both; taking its best partner would leave the second with none.
    a, b = (0.0, 0.0, 1.0, 1.0), (0.3, 0.0, 1.3, 1.0)
    others = [(0.1, 0.0, 1.1, 1.0), (-0.3, 0.0, 0.7, 1.0)]
    assert match([a, b], others, 0.3) == [(0, 1), (1, 0)]
    # Overlaps by hand: 0.6 and 0 in one assignment, 0.45 twice in the other, which counts for nothing at 0.5.
    at = [(x, 0.0, x + 1.0, 1.0) for x in (0.0, 0.629, 0.25, -0.379)]
    assert match(at[:2], at[2:], 0.5) == [(0, 0)] and match(at[:2], at[2:], 0.4) == [(0, 1), (1, 0)]
    assert match([], others, 0.3) == [] and match([a], [], 0.3) == []
    assert match([a], [(2.0, 0.0, 3.0, 1.0)], 0.1) == []


@pytest.mark.parametrize("step", [1.0, 0.25])
def test_people_who_cross_keep_their_numbers(step):
    """They pass each other at 0.5; where they meet the nearest box is the other one's, and only their motion tells."""
    left, right = [0.2, 0.3, 0.4, 0.52, 0.62, 0.72], [0.8, 0.7, 0.6, 0.48, 0.38, 0.28]
    found = follow(*([person(x), person(z, score=0.8)] for x, z in zip(left, right, strict=True)), step=step)
    assert found == [{1: x, 2: z} for x, z in zip(left, right, strict=True)]


def test_a_gap_is_bridged_as_long_as_the_memory_lasts():
    seen, nobody = [person(0.3)], []
    assert [list(t) for t in follow(seen, nobody, nobody, nobody, seen)] == [[1], [], [], [], [1]]
    assert [list(t) for t in follow(seen, nobody, nobody, nobody, nobody, seen)] == [[1], [], [], [], [], [2]]
    assert [list(t) for t in follow(seen, nobody, seen, rules=TrackRules(memory=0))] == [[1], [], [2]]


def test_a_gap_goes_on_in_the_direction_of_before():
    found = follow([person(0.2)], [person(0.3)], [], [person(0.5)])
    assert found[-1] == {1: 0.5}
    # Someone who stood still and someone far away are two.
    assert follow([person(0.2)], [person(0.2)], [], [person(0.5)])[-1] == {2: 0.5}


def test_a_newcomer_gets_a_number_of_their_own():
    found = follow([person(0.2)], [person(0.2), person(0.7, score=0.95)], [person(0.7), person(0.2)])
    assert found == [{1: 0.2}, {2: 0.7, 1: 0.2}, {2: 0.7, 1: 0.2}]


def test_a_weak_score_continues_a_track_and_begins_none():
    weak = replace(person(0.2), score=0.2)
    assert follow([person(0.2)], [weak], [person(0.2)]) == [{1: 0.2}, {1: 0.2}, {1: 0.2}]
    assert follow([weak], [weak]) == [{}, {}]
    assert follow([person(0.2)], [person(0.2, score=0.05)]) == [{1: 0.2}, {}]  # below `low` it is nothing
    # The second step asks for more overlap, and takes no track that was already lost.
    assert follow([person(0.2)], [person(0.3, score=0.2)])[1] == {}
    assert follow([person(0.2)], [], [weak])[2] == {}


def test_a_strong_one_goes_first():
    """A weak box that fits better does not take the track from a strong one."""
    found = follow([person(0.2)], [person(0.2, score=0.3), person(0.25)])
    assert found[1] == {1: 0.25}


def test_the_same_person_found_twice_is_one():
    assert follow([person(0.2), person(0.21, score=0.6)], [person(0.2), person(0.21, score=0.6)]) == [{1: 0.2}] * 2


def test_scores_are_smoothed_along_a_track():
    """share 0.5, by hand: 0.8; (0.8 + 0.4) / 2 = 0.6; an action that is not told counts as 0."""
    tracker = Tracker(TrackRules(smoothing=0.5))
    people = [person(0.2, score=0.9, walk=0.8), person(0.2, score=0.7, walk=0.4), person(0.2, score=0.8)]
    told = [tracker(Moment(float(i), (100, 100), (one,))).people[0] for i, one in enumerate(people)]
    assert [p.actions[0].score for p in told] == pytest.approx([0.8, 0.6, 0.3])
    assert [p.score for p in told] == pytest.approx([0.9, 0.8, 0.8])
    plain = Tracker(TrackRules(smoothing=1.0))
    assert [plain(Moment(float(i), (9, 9), (one,))).people[0].score for i, one in enumerate(people)] == [0.9, 0.7, 0.8]


def test_what_cannot_be_is_an_error():
    tracker = Tracker()
    tracker(Moment(1.0, (9, 9), ()))
    with pytest.raises(ValueError, match=r"moments in order, got 1\.0 after 1\.0"):
        tracker(Moment(1.0, (9, 9), ()))
    with pytest.raises(ValueError, match=r"0 <= low <= high <= 1, got low 0\.6 and high 0\.5"):
        TrackRules(low=0.6)
    with pytest.raises(ValueError, match="smooths by more than 0"):
        TrackRules(smoothing=0)
