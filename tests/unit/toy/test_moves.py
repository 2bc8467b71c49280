"""Moves: no single frame tells one, played backwards each is its partner, and what is seen is what the numbers say."""

import numpy as np
import pytest
from scipy.stats import kstest

from slowfast.toy.moves import (
    ANGLE,
    FIGURES,
    FRAME_SIZE,
    MOVES,
    PARTNERS,
    RADIUS,
    RATE,
    SHAPES,
    SIZE,
    MovingFigure,
    MovingScene,
    X,
    Y,
    frame_times,
    phases_at,
    render,
    sample_scene,
    state_at,
)

STEP = 1 / 6  # seconds between two frames of a clip at SAMPLING_RATE 2


@pytest.fixture(scope="module")
def scenes() -> list[MovingScene]:
    rng = np.random.default_rng(0)
    return [sample_scene(rng) for _ in range(60)]


@pytest.fixture(scope="module")
def figures() -> list[MovingFigure]:
    rng = np.random.default_rng(1)
    return [figure for _ in range(200) for figure in sample_scene(rng).figures]


def lone(shape: str = "flag", phases: tuple[float, float, float, float] = (0.5, 0.5, 0.5, 0.0)) -> MovingScene:
    return MovingScene((MovingFigure(phases, 0.4, shape, ((200, 40, 40), (20, 20, 30))),), background=3)


def centroid(picture: np.ndarray, empty: np.ndarray) -> np.ndarray:
    """(x, y) of the pixels that differ from the empty wall, their mean, and how many they are."""
    ys, xs = np.nonzero((picture != empty).any(axis=-1))
    return np.array([xs.mean() + 0.5, ys.mean() + 0.5, len(xs)])


# --- no single frame tells a move ------------------------------------------------------------------------------------


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("time", [-0.96, 0.0, 0.7])
def test_at_any_time_every_phase_is_uniform_whatever_the_move(move, time, figures):
    phases = np.concatenate([phases_at(figure, move, np.array([time])) for figure in figures])
    assert phases.shape == (200 * FIGURES, 4)
    for phase in (X, Y, SIZE, ANGLE):
        assert kstest(phases[:, phase], "uniform").pvalue > 1e-3  # 96 comparisons


def test_that_comparison_sees_a_start_that_tells():
    """Where figures start in one half of their circle, a frame in time tells the direction, and the comparison sees it."""
    rng = np.random.default_rng(1)
    starts = rng.uniform(0.25, 0.75, size=400)
    found = {}
    for move in ("move_left", "move_right"):
        figures = [lone(phases=(float(x), 0.5, 0.5, 0.0)).figures[0] for x in starts]
        found[move] = np.concatenate([phases_at(f, move, np.array([0.5])) for f in figures])[:, X]
        assert kstest(found[move], "uniform").pvalue < 1e-9
    assert abs(found["move_left"].mean() - found["move_right"].mean()) > 0.2


def test_the_middle_of_a_video_is_the_same_picture_whatever_the_move(scenes):
    for scene in scenes[:3]:
        pictures = [render(scene, move, np.zeros(1)) for move in MOVES]
        assert all(np.array_equal(picture, pictures[0]) for picture in pictures)
    assert not np.array_equal(render(scenes[0], "grow", np.zeros(1)), render(scenes[1], "grow", np.zeros(1)))


def thumbnail(picture: np.ndarray) -> np.ndarray:
    """(10 * 10 * 3,), in [-1, 1]."""
    cells = FRAME_SIZE // 10
    return picture.reshape(10, cells, 10, cells, 3).mean(axis=(1, 3)).ravel() / 127.5 - 1


def least_squares_accuracy(features: np.ndarray, train: int, ridge: float) -> float:
    """Accuracy on the scenes from `train` on of a linear classifier fitted to those before; features (scenes, moves, D)."""
    scenes, moves, _ = features.shape
    inputs = np.concatenate([features, np.ones((scenes, moves, 1))], axis=2)
    seen = inputs[:train].reshape(train * moves, -1)
    targets = np.tile(np.eye(moves), (train, 1))
    weights = np.linalg.solve(seen.T @ seen + ridge * np.eye(seen.shape[1]), seen.T @ targets)
    return float(((inputs[train:] @ weights).argmax(axis=2) == np.arange(moves)).mean())


def flow(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """What the first order of a shift says: how change over time goes with the slopes of the picture."""
    before, after = before.mean(axis=-1), after.mean(axis=-1)
    slope_y, slope_x = np.gradient((before + after) / 2)
    return np.array([((after - before) * slope).sum() for slope in (slope_x, slope_y)]) / 1e5


def test_one_frame_gives_chance_and_two_neighbours_give_more():
    rng = np.random.default_rng(2)
    chance, scenes, train = 1 / len(MOVES), 45, 30
    one, two = [], []
    for scene in [sample_scene(rng) for _ in range(scenes)]:
        for move in MOVES:
            before, after = render(scene, move, rng.uniform(-1, 1) + np.array([0, 0.04]))
            one.append(thumbnail(before))
            two.append(flow(before, after))
    one, two = (np.array(rows).reshape(scenes, len(MOVES), -1) for rows in (one, two))
    # 120 videos in 15 scenes: three standard deviations above chance
    assert least_squares_accuracy(one, train, ridge=10.0) < chance + 3 * np.sqrt(chance * (1 - chance) / 120)
    assert least_squares_accuracy(two, train, ridge=1e-6) > 2.5 * chance


# --- moves -----------------------------------------------------------------------------------------------------------


def test_labels_follow_the_alphabet_and_partners_are_mutual():
    assert list(MOVES) == sorted(MOVES)
    assert all(PARTNERS[PARTNERS[move]] == move != PARTNERS[move] for move in MOVES)
    assert (PARTNERS["grow"], PARTNERS["move_up"], PARTNERS["move_left"]) == ("shrink", "move_down", "move_right")
    assert PARTNERS["turn_clockwise"] == "turn_counterclockwise"


@pytest.mark.parametrize("move", MOVES)
def test_played_backwards_it_is_its_partner(move, scenes):
    times = frame_times(10)
    forward, partner = (render(scenes[5], name, times) for name in (move, PARTNERS[move]))
    assert np.array_equal(forward[::-1], partner)
    assert not np.array_equal(forward, partner)


def test_times_are_those_of_frames_about_the_middle():
    assert frame_times(24)[[0, 11, 12, 23]] == pytest.approx([-11.5 / 12, -0.5 / 12, 0.5 / 12, 11.5 / 12])
    assert (frame_times(24) == -frame_times(24)[::-1]).all()


@pytest.mark.parametrize(
    ("move", "phase", "sign"),
    [("move_left", X, -1), ("move_right", X, 1), ("move_up", Y, -1), ("move_down", Y, 1), ("grow", SIZE, 1),
     ("shrink", SIZE, -1), ("turn_clockwise", ANGLE, 1), ("turn_counterclockwise", ANGLE, -1)],
)  # fmt: skip
def test_a_move_turns_one_phase_evenly_and_no_other(move, phase, sign):
    figure = lone().figures[0]
    phases = phases_at(figure, move, np.array([-STEP, 0.0, STEP, 1 / figure.rate]))
    moved = (phases[2] - phases[0] + 0.5) % 1 - 0.5
    expected = np.zeros(4)
    expected[phase] = sign * 2 * STEP * figure.rate
    assert moved == pytest.approx(expected)
    assert (phases[3] - phases[1] + 0.5) % 1 - 0.5 == pytest.approx(0)  # a whole turn


def test_a_step_of_a_clip_is_short_enough_to_have_a_direction():
    assert RATE[1] * STEP < 0.15  # of a turn; from half a turn on, forwards would look like backwards


def test_a_name_that_is_no_move_is_refused():
    with pytest.raises(ValueError, match=r"'jump' is no move; possible: \['grow', .*'turn_counterclockwise'\]"):
        phases_at(lone().figures[0], "jump", np.zeros(1))


# --- what is drawn ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_drawn_moves_grows_and_turns_as_the_numbers_say(shape):
    scene, times = lone(shape), np.array([0.0, 0.3])
    empty = render(MovingScene((), background=3), "grow", np.zeros(1))[0]
    x, y, area = centroid(render(scene, "grow", times[:1])[0], empty)
    for move, shift in (("move_right", (9.6, 0)), ("move_up", (0, -9.6))):  # 0.3 s, 0.4 turns a second, 80 pixels
        assert centroid(render(scene, move, times)[1], empty)[:2] - [x, y] == pytest.approx(shift, abs=0.6)
    radius = state_at(scene.figures[0], "grow", times).radius
    assert RADIUS[0] < radius[0] < radius[1] < RADIUS[1]
    grown = centroid(render(scene, "grow", times)[1], empty)[2]
    assert grown / area == pytest.approx((radius[1] / radius[0]) ** 2, rel=0.12)


def test_clockwise_is_clockwise_for_a_viewer():
    """The head of an arrow that points right goes down when it turns clockwise."""
    quarter = np.array([0.0, 0.25 / 0.4])
    state = state_at(lone("arrow").figures[0], "turn_clockwise", quarter)
    assert state.angle == pytest.approx([0, np.pi / 2])
    head = (np.abs(render(lone("arrow"), "turn_clockwise", quarter).astype(int) - [20, 20, 30]) < 8).all(axis=-1)
    (y0, x0), (y1, x1) = (np.mean(np.nonzero(picture), axis=1) for picture in head)
    assert x0 > FRAME_SIZE / 2 + 4 and abs(y0 + 0.5 - FRAME_SIZE / 2) < 1
    assert y1 > FRAME_SIZE / 2 + 4 and abs(x1 + 0.5 - FRAME_SIZE / 2) < 1


@pytest.mark.parametrize("place", [0.02, 0.98])
def test_who_leaves_on_one_side_comes_in_on_the_other(place):
    """A figure in a corner is seen whole, in four parts: the frame rolled by half its size shows it in the middle."""
    figures = [lone(phases=(p, p, 0.5, 0.2)) for p in (place, (place + 0.5) % 1)]
    empty = render(MovingScene((), background=3), "grow", np.zeros(1))[0]
    corner, middle = ((render(f, "grow", np.zeros(1))[0] != empty).any(axis=-1) for f in figures)
    assert corner[:, :3].any() and corner[:, -3:].any() and corner[:3].any() and corner[-3:].any()
    differing = np.roll(corner, FRAME_SIZE // 2, axis=(0, 1)) != middle
    assert differing.sum() < 0.05 * middle.sum()


@pytest.mark.parametrize("shape", SHAPES)
def test_no_turn_but_a_whole_one_leaves_a_shape_as_it_is(shape):
    pictures = [
        render(lone(shape, (0.5, 0.5, 1.0 - 1e-9, k / 24)), "grow", np.zeros(1))[0].astype(int) for k in range(24)
    ]
    changed = [(np.abs(picture - pictures[0]).sum(axis=-1) > 60).sum() for picture in pictures[1:]]
    assert min(changed) > 60, changed


def test_figures_have_two_colours_and_a_rate_in_range(scenes):
    for scene in scenes[:20]:
        assert len(scene.figures) == FIGURES
        for figure in scene.figures:
            assert figure.colours[0] != figure.colours[1] and RATE[0] <= figure.rate <= RATE[1]
