"""Experiments by name: a YAML of a verb, or composed of a data set, a protocol and a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from armillary.experiments.command.parameters import model_class, parameters_of
from armillary.world_models.registry import available_models, canonical

GROUP, TRAIN = "experiment", "train"
Choices = Callable[[str], Sequence[str]]
"""What a group can be set to."""


@dataclass(frozen=True)
class Parts:
    """What an experiment is composed of; the protocol is empty for training."""

    dataset: str
    protocol: str
    model: str

    @property
    def name(self) -> str:
        """As runs and pages call it, ``bair_actions_sdvae_accuracy`` say."""
        return "_".join(part for part in (self.dataset, self.model, self.protocol) if part)


def listed(verb: str, verbs: Sequence[str], choices: Choices) -> list[str]:
    """The names of all experiments of a verb: YAMLs in its folder or in none, and composed ones."""
    own = []
    for name in choices(GROUP):
        first, _, rest = name.partition("/")
        if first == verb or first not in verbs:
            own.append(rest if first == verb else name)
    composed = [
        "/".join(part for part in (dataset, protocol, model) if part)
        for dataset in choices("dataset")
        for protocol in protocols(verb, choices)
        for model in _models(choices)
    ]
    return sorted({*own, *composed})


def protocols(verb: str, choices: Choices) -> list[str]:
    """The protocols of a verb; for training the empty one."""
    prefix = f"{verb}/"
    found = [name.removeprefix(prefix) for name in choices("protocol") if name.startswith(prefix)]
    return [""] if verb == TRAIN else found


def parts_of(verb: str, name: str, choices: Choices) -> Parts | None:
    """What a name is composed of, ``bair_actions/accuracy/sdvae`` say; None if it is not."""
    dataset, *protocol, model = name.split("/")
    parts = Parts(dataset, "/".join(protocol), model)
    known = dataset in choices("dataset") and model in _models(choices)
    return parts if known and parts.protocol in protocols(verb, choices) else None


def node(verb: str, parts: Parts, dataset: dict[str, Any], choices: Choices) -> dict[str, Any]:
    """What the YAML of a composed experiment would hold.

    Args:
        verb: whose experiment.
        parts: of it.
        dataset: the data set's YAML: its ``curriculum``, the ``size`` of its models if they have
            one, the ``num_slots`` of those that have slots, and by verb what it changes there.
        choices: of the groups.
    """
    own = {"name": parts.name, **dataset.get(verb, {})}
    if verb != TRAIN:
        return {"defaults": [{"/protocol@_global_": f"{verb}/{parts.protocol}"}, "_self_"], **own}
    if "num_slots" in dataset and "num_slots" in parameters_of(model_class(parts.model)):
        own["model"] = {"num_slots": dataset["num_slots"]}
    sized = f"{dataset.get('size')}/{parts.model}"
    model = sized if sized in choices("model") else parts.model
    curriculum = _curriculum(dataset["curriculum"], parts.model, choices)
    defaults = [{"/curriculum@_global_": curriculum}, {"override /model": model}, "_self_"]
    return {"defaults": defaults, **own}


def _models(choices: Choices) -> list[str]:
    """The models whose objective a curriculum can ask for, or that have a curriculum."""
    names, curricula = {*choices("model")} & {*available_models()}, choices("curriculum")
    return [
        name
        for name in sorted(names)
        if name in curricula or "objective" in parameters_of(model_class(name))
    ]


def _curriculum(name: str, model: str, choices: Choices) -> str:
    """A data set's curriculum for a model: the model's own where there is one."""
    own = [f"{name}_{alias}" for alias in (model, canonical(model, {})[0])] + [model]
    return next((choice for choice in own if choice in choices("curriculum")), name)
