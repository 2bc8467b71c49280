"""What loader workers are sent of large arrays: a place in shared memory, not a copy each."""

import copy
import io
import pickle
from multiprocessing.reduction import ForkingPickler

import numpy as np
import pytest
import torch.multiprocessing

from slowfast.datasets.annotations.people.key_frames import KeyFrames
from slowfast.utils.processes import shared_arrays
from slowfast.utils.processes.shared_arrays import for_workers, from_parent

NAMES = ("video", "timestamp", "first_person", "boxes", "actions")


def key_frames(people: int) -> KeyFrames:
    rng = np.random.default_rng(0)
    first = np.arange(people + 1, dtype=np.int32)
    boxes, actions = rng.random((people, 4), dtype=np.float32), rng.integers(0, 2, (people, 80), dtype=np.uint8)
    return KeyFrames(("a", "b"), np.zeros(people, np.int32), np.arange(people, dtype=np.int32), first, boxes, actions)


def sent(thing) -> bytes:
    """As a spawned process is sent it."""
    buffer = io.BytesIO()
    ForkingPickler(buffer, pickle.HIGHEST_PROTOCOL).dump(thing)
    return buffer.getvalue()


def assert_equal(first: KeyFrames, second: KeyFrames) -> None:
    assert first.videos == second.videos
    for name in NAMES:
        found, expected = getattr(first, name), getattr(second, name)
        assert isinstance(found, np.ndarray) and found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)


def test_large_key_frames_travel_as_a_place_and_small_ones_as_a_copy():
    large, small = key_frames(20_000), key_frames(10)
    assert len(sent(large)) < 10_000 < 1_900_000 < len(pickle.dumps(large))
    assert_equal(pickle.loads(sent(small)), small)


@pytest.mark.parametrize("people", [10, 20_000])
def test_any_other_copy_is_whole(people):
    made = key_frames(people)
    assert_equal(pickle.loads(pickle.dumps(made)), made)
    assert_equal(copy.deepcopy(made), made)
    assert_equal(pickle.loads(pickle.dumps(made)).subset(np.array([3, 1])), made.subset(np.array([3, 1])))


def test_all_workers_are_sent_the_same_memory():
    made = key_frames(20_000)
    sent(made)
    places = [made.__getstate__()["actions"].data_ptr() for _ in range(3)]
    assert len(set(places)) == 1 and made.__getstate__()["actions"].is_shared()


def test_where_shared_memory_is_small_arrays_are_copied(tmp_path, monkeypatch):
    arrays = {"a": np.arange(1_000_000)}
    usage = shared_arrays.shutil.disk_usage(tmp_path)
    for free, kind in ((31_999_999, np.ndarray), (32_000_000, torch.Tensor)):
        monkeypatch.setattr(shared_arrays.shutil, "disk_usage", lambda _, free=free: usage._replace(free=free))
        given = for_workers(arrays, folder=tmp_path)
        assert type(given["a"]) is kind
        np.testing.assert_array_equal(from_parent(given)["a"], arrays["a"])
    assert type(for_workers(arrays, folder=tmp_path / "none")["a"]) is np.ndarray


def _sum_in_worker(made: KeyFrames, answers) -> None:
    answers.put((int(made.actions.sum()), float(made.boxes.sum()), made.video_name(0)))


@pytest.mark.long
def test_a_spawned_process_reads_them():
    made = key_frames(20_000)
    context = torch.multiprocessing.get_context("spawn")
    answers = context.SimpleQueue()
    worker = context.Process(target=_sum_in_worker, args=(made, answers))
    worker.start()
    found = answers.get()
    worker.join()
    assert found == (int(made.actions.sum()), float(made.boxes.sum()), "a")
