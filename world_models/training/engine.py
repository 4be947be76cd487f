"""The processes that share a run: one alone, or several joined by Lightning Fabric."""

from __future__ import annotations

import atexit
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from armillary.errors import ArmillaryError
from armillary.world_models.device import resolve_device
from armillary.world_models.training.randomness import seed_everything
from armillary.world_models.training.ranks import follows

STRATEGIES = ("auto", "ddp")
"""Those of Fabric in which every process has the whole model and a share of each batch."""

T = TypeVar("T")


@dataclass(frozen=True)
class Share:
    """Which clips of a batch are a process's own.

    Attributes:
        rank: of the process, from 0.
        processes: how many there are.
    """

    rank: int = 0
    processes: int = 1

    def rows(self, batch_size: int) -> slice:
        """Its rows of a batch, whose size the number of processes divides."""
        size = batch_size // self.processes
        return slice(self.rank * size, (self.rank + 1) * size)


class Engine:
    """A single process, which leads and agrees with itself.

    Args:
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.

    Attributes:
        leads: whether this process validates, writes and reports; known before ``start``.
        share: its clips of each batch; known after ``start``.
    """

    def __init__(self, device: str) -> None:
        self._device = device
        self.leads = True
        self.share = Share()

    def start(self) -> torch.device:
        """Meets the other processes; returns the device of this one."""
        return resolve_device(self._device)

    def seed_step(self, seed: int, step: int) -> None:
        """Before each step: a single process draws on from where its generators are."""

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Replaces each tensor by its mean over the processes."""

    def mean(self, value: float) -> float:
        """The mean of a number over the processes."""
        return value

    def any(self, flag: bool) -> bool:
        """Whether it is true in any process."""
        return self.mean(float(flag)) > 0

    def broadcast(self, value: T) -> T:
        """The value of the process that leads; everybody waits for it."""
        return value

    def gather(self, value: T) -> list[T]:
        """The values of all processes, by rank."""
        return [value]


class FabricEngine(Engine):
    """Several processes, each with the whole model and an equal share of every batch.

    On one machine the first process starts the others, which run the same command. On several
    machines somebody starts them: torchrun, Slurm, or the same command on each with
    ``MASTER_ADDR``, ``MASTER_PORT`` and ``NODE_RANK`` set. Each needs the data; the run's directory
    is the first one's, which tells the others where to resume.

    The gradients are averaged once per step, as one vector, which suits objectives that do not
    reach every parameter and models that differentiate inside their loss. Before each step a
    process seeds its noise from the seed, the step and its rank. Statistics of batch normalisation
    are those of a process's own clips.

    Args:
        device: ``auto``, ``cpu`` or ``cuda``.
        devices: processes per machine.
        nodes: machines.
        strategy: one of ``STRATEGIES``.

    Raises:
        ArmillaryError: Fabric is not installed, or this machine has too few such devices.
    """

    def __init__(self, device: str, *, devices: int, nodes: int, strategy: str) -> None:
        super().__init__(device)
        found = resolve_device(device)
        kind = found.type
        if kind not in ("cpu", "cuda"):
            raise ArmillaryError(f"several processes train on cpu or cuda, got device={kind}")
        if found.index is not None:
            raise ArmillaryError(
                f"devices={devices}: several processes have a device each, the first ones of their "
                f"kind; give device={kind}, or devices=1 with device={device}"
            )
        if kind == "cuda" and devices > torch.cuda.device_count():
            raise ArmillaryError(
                f"devices={devices} needs as many cuda devices on each machine; this one has "
                f"{torch.cuda.device_count()}. Give devices={torch.cuda.device_count()}, or "
                "device=cpu"
            )
        if find_spec("lightning_fabric") is None:
            raise ArmillaryError(
                f"training in {devices * nodes} processes needs lightning-fabric: "
                "pip install 'armillary[distributed]'"
            )
        from lightning_fabric import Fabric

        self._fabric = Fabric(accelerator=kind, devices=devices, num_nodes=nodes, strategy=strategy)
        self.leads = not follows()

    def start(self) -> torch.device:
        """See the base class."""
        self._fabric.launch()
        atexit.register(leave)  # Fabric does so for NCCL alone
        self.share = Share(self._fabric.global_rank, self._fabric.world_size)
        return self._fabric.device

    def seed_step(self, seed: int, step: int) -> None:
        """See the base class."""
        words = np.random.SeedSequence([seed, step, self.share.rank])
        seed_everything(int(words.generate_state(1)[0]))

    def average(self, tensors: Sequence[Tensor]) -> None:
        """See the base class."""
        joined = torch.cat([tensor.flatten() for tensor in tensors])
        self._fabric.all_reduce(joined, reduce_op="mean")
        parts = joined.split([tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.view_as(tensor))

    def mean(self, value: float) -> float:
        """See the base class."""
        number = torch.tensor(value, dtype=torch.float64, device=self._fabric.device)
        self._fabric.all_reduce(number, reduce_op="mean")
        return number.item()

    def broadcast(self, value: T) -> T:
        """See the base class."""
        return self._fabric.broadcast(value)

    def gather(self, value: T) -> list[T]:
        """See the base class."""
        values = [value] * self.share.processes
        torch.distributed.all_gather_object(values, value)
        return values


def leave() -> None:
    """Ends this process's part in its group, whose threads else may outlive the interpreter."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def make_engine(device: str, *, devices: int, nodes: int, strategy: str) -> Engine:
    """The engine of a run: Fabric only where there are several processes."""
    if devices * nodes == 1:
        return Engine(device)
    return FabricEngine(device, devices=devices, nodes=nodes, strategy=strategy)
