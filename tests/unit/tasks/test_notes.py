"""What is said of the data of a run: what is true of all splits, once."""

import logging

import numpy as np

from slowfast.config import load_cfg
from slowfast.tasks.build import build_task
from slowfast.video.writing.writer import write_video


def test_a_folder_is_divided_once_in_the_log(tmp_path, repo_root, caplog):
    pixels = np.random.default_rng(0).integers(0, 255, (4, 32, 32, 3), dtype=np.uint8)
    for name in ("jump/a", "jump/b", "sit/a", "sit/b", "walk/alone"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_video(pixels, tmp_path / f"{name}.mp4", 12)
    given = ["DATA.PATH_TO_DATA_DIR", str(tmp_path), "NUM_GPUS", "0", "TRAIN.BATCH_SIZE", "2", "DATA.HELD_OUT", "0.4"]
    task = build_task(load_cfg(repo_root / "configs/Folder/MViTv2_small.yaml", given))
    with caplog.at_level(logging.INFO):
        task.prepare()
    for note in ("2 of 5 videos are held out for val and test (DATA.HELD_OUT 0.4)", "1 classes have one file"):
        assert sum(note in record.getMessage() for record in caplog.records) == 1
    assert sum("videos, 3 classes" in record.getMessage() for record in caplog.records) == 3  # of each split its size
