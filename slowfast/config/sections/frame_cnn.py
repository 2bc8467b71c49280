"""Keys of the backbone FrameCNNMViT: an image network on each frame, and MViT blocks on top."""

from slowfast.config.keys import Key, Section, at_least, from_to_below

FRAME_CNN = Section(
    "FRAME_CNN",
    "The backbone FrameCNNMViT",
    {
        "MOTION_CHANNELS": Key(
            32,
            "Channels a frame that tell what moved since the one before. 0: frames are not compared below the blocks, an "
            "ablation. Our default.",
            at_least(0),
        ),
        "MOTION_RADIUS": Key(
            2,
            "How far a place of one frame is looked for in the frame before, in places of 16 pixels of the input. Our default.",
            at_least(0),
        ),
        "INPUT_DROPOUT": Key(
            0.0,
            "Part of the channels of the image network's maps that training sets to 0, the same ones in all frames of a "
            "clip. Our default.",
            from_to_below(0, 1),
        ),
    },
)
