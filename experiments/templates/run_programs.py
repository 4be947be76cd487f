"""Imagines a few frames with the programs in this folder; needs torch and nothing else."""

import json
import sys
from pathlib import Path

import torch

FOLDER = Path(__file__).parent
MANIFEST = json.loads((FOLDER / "manifest.json").read_text(encoding="utf-8"))


def load(name: str) -> torch.nn.Module:
    """A program: takes tensors by position, as the manifest lists them, and returns a tuple."""
    program = MANIFEST["programs"].get(name, {})
    if "pt2" not in program.get("files", {}):
        reason = program.get("missing", {}).get("pt2", "it was not exported")
        sys.exit(f"this example needs {name}.pt2, which is not there: {reason}")
    return torch.export.load(FOLDER / program["files"]["pt2"]).module()


start, observe, step, decode = map(load, ("start", "observe", "step", "decode"))
size, device = MANIFEST["image_size"], MANIFEST["device"]
frame = torch.rand(1, 3, size, size, device=device)  # what the camera sees, in [0, 1]
still = torch.zeros(1, MANIFEST["actions"]["size"], device=device)
noise = torch.zeros(1, *MANIFEST["noise"]["shape"], device=device)

with torch.no_grad():
    belief = start(still, frame)
    for _ in range(MANIFEST["context_length"] - 1):
        belief = observe(*belief, still, frame)
    for ahead in range(1, 4):
        belief = step(*belief, still, noise)
        components, masks = decode(*belief)
        imagined = (components * masks).sum(1)
        print(f"{ahead} ahead: {tuple(imagined.shape)}, mean {imagined.mean().item():.4f}")
