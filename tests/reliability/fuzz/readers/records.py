"""Files of records: BAIR robot pushing and TensorBoard logs."""

from __future__ import annotations

import struct
import tempfile
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
from google.protobuf.message import DecodeError
from tensorboard.compat.proto.event_pb2 import Event
from tfrecord import example_pb2

from armillary.experiments.pages.training import training_charts
from armillary.world_models.data.sources.bair_pushing import BairPushing
from tests.reliability.fuzz.mutate import framed, raw, values
from tests.reliability.fuzz.reader import Files, Reader
from tests.world_models.data.sources.records import write_records

_FOLDERS = ("train/traj_0_to_0.tfrecords", "test/traj_0_to_0.tfrecords")
_LOG = "events.out.tfevents.1700000000.host.1.0"
_NUMBERS = [value for value in values.ODD if isinstance(value, int | float)]


@cache
def _bair() -> list[Files]:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "records"
        write_records(path, range(1))
        content = path.read_bytes()
    return [dict.fromkeys(_FOLDERS, content)]


@cache
def _shortened(content: bytes) -> bytes:
    """A file of a record whose images have a few bytes, to be damaged quickly."""
    example = _example(framed.unframed(content)[0])
    for name, feature in example.features.feature.items():
        if name.endswith("encoded"):
            feature.bytes_list.value[0] = feature.bytes_list.value[0][:8]
    return framed.framed([example.SerializeToString(deterministic=True)])


def _example(record: bytes) -> example_pb2.Example:
    example = example_pb2.Example()
    example.ParseFromString(record)
    return example


def _bair_damaged(random: Random, files: Files) -> Files:
    name = random.choice(_FOLDERS)
    content = files[name] if random.random() < 0.2 else _shortened(files[name])
    return {**files, name: framed.damaged(random, content, _record_damaged)}


def _record_damaged(random: Random, record: bytes) -> bytes:
    if random.random() < 0.4:
        return raw.damaged(random, record)
    example = _example(record)
    features = example.features.feature
    name = random.choice(sorted(features))
    feature = features[name]
    match random.randrange(6):
        case 0:
            del features[name]
        case 1:
            feature.int64_list.value.append(random.choice((0, -1, 2**63 - 1)))
        case 2:
            feature.bytes_list.value.append(random.choice((b"", b"x", bytes(12288), bytes(10))))
        case 3:
            feature.float_list.value.append(random.choice((0.0, float("nan"), 3e38)))
        case 4:
            features["more"].CopyFrom(feature)
            features["0/image_aux1/enc\u00e9"].CopyFrom(feature)
        case _:
            feature.CopyFrom(features[random.choice(sorted(features))])
    return example.SerializeToString(deterministic=True)


def _convert(folder: Path) -> object:
    seen = []
    for camera in ("aux1", "both"):
        source = BairPushing(folder, "bair", "random", "x", camera)
        for part in source.parts():
            for episode in source.episodes(part):
                seen.append(np.asarray(episode.actions).sum())
    return seen


_TAGS = ("open_loop_psnr", "copy_psnr", "open_loop_ari", "context_ari")


@cache
def _log() -> list[Files]:
    events = [Event(wall_time=1.7e9, file_version="brain.Event:2")]
    for step in range(1, 4):
        for tag in _TAGS:
            event = Event(wall_time=1.7e9 + step, step=step)
            event.summary.value.add(tag=f"validation/{tag}", simple_value=20.0 + step)
            events.append(event)
        event = Event(wall_time=1.7e9 + step, step=step)
        event.summary.value.add(tag="run/stage", simple_value=step // 2)
        events.append(event)
    return [{_LOG: framed.framed([event.SerializeToString() for event in events])}]


def _log_damaged(random: Random, files: Files) -> Files:
    return {_LOG: framed.damaged(random, files[_LOG], _event_damaged)}


def _event_damaged(random: Random, record: bytes) -> bytes:
    if random.random() < 0.4:
        return raw.damaged(random, record)
    event = Event()
    try:
        event.ParseFromString(record)
        _changed(random, event)
    except (DecodeError, ValueError, OverflowError, TypeError, UnicodeError):
        return raw.damaged(random, record)
    return event.SerializeToString()


def _changed(random: Random, event: Event) -> None:
    number = random.choice(_NUMBERS)
    match random.randrange(9):
        case 0:
            event.wall_time = number
        case 1:
            event.step = int(number) % 2**64 - 2**63
        case 2:
            event.file_version = random.choice(("brain.Event:1", "", "brain.Event:x", "é"))
        case 3:
            event.session_log.status = random.choice((0, 1, 2, 3))
        case 4:
            event.graph_def = random.randbytes(20)
        case 5:
            event.summary.value.add(tag=random.choice(_TAGS), simple_value=number)
        case 6:
            event.summary.value.add(tag=f"validation/{random.choice(_TAGS)}").image.width = 3
        case 7:
            value = event.summary.value.add(tag=f"validation/{random.choice(_TAGS)}")
            value.tensor.dtype = random.choice((0, 1, 2, 3, 7))
            value.tensor.tensor_shape.dim.add(size=random.choice((-1, 0, 1, 2**40)))
            value.tensor.tensor_content = struct.pack("<f", 1.0)
            value.metadata.plugin_data.plugin_name = random.choice(("scalars", "images", "x"))
        case _:
            event.summary.value.add(tag="run/stage", simple_value=number)


def _charts(folder: Path) -> object:
    return [repr(chart) for chart in training_charts(folder)]


READERS = (
    Reader("bair-tfrecords", _bair, _bair_damaged, _convert),
    Reader("tensorboard-log", _log, _log_damaged, _charts),
)
