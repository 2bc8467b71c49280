"""A trained model as a file for other programs: a torch.export program, ONNX, or safetensors with a config.json."""
