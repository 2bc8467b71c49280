"""The network and the size of clips on which tools/benchmark.py is tried."""

TOY = "configs/Toy/BMViT_toy.yaml"
SMALL = ["DATA.NUM_FRAMES", "4", "DATA.TRAIN_CROP_SIZE", "[32, 32]", "DATA.TEST_CROP_SIZE", "[32, 32]"]
