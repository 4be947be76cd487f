"""Models as programs of tensors that run without this package: torch.export and ONNX."""
