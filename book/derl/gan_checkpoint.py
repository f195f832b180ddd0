"""The state of a GAN's training on disk after each epoch, from which it goes on as if nothing had happened."""

import json
from pathlib import Path

import torch
from fastai.callback.core import Callback
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as tensors_to_bytes

from fer_lib.train.precision import Precision, Request
from ferbook.errors import DataError
from ferbook.files import write_atomically

FORMAT = 1


class GanCheckpoint(Callback):
    """Writes ``file`` after each epoch, and begins where it ends if it exists.

    One safetensors file with a JSON record in its header, so that it is whole or not there at all, whenever a
    process is killed. It holds both networks, the averaged generator, the state of both optimisers, that of
    the batches' random numbers, the last good weights and the curve. ``identity``: plain JSON values that
    make one training the same as another. ``epochs_done``: how many the file held at first.

    Raises DataError where ``file`` is damaged or that of another training, naming what differs.
    """

    order = (
        80  # after Averaging (70) has begun its average, and at an epoch's end put the trained network back
    )

    def __init__(self, file: Path, identity: dict) -> None:
        super().__init__()
        self.file, self.identity = file, identity
        self.record, self.tensors = _read(file, identity) if file.exists() else ({}, {})
        self.epochs_done = len(self.record.get("curve", ()))

    def precision_for(self, request: Request | Precision) -> Request | Precision:
        """What the file's epochs were computed in, or ``request`` where it holds none.

        Another machine might choose otherwise, and the digits would differ. Raises DataError where something
        else is requested by name.
        """
        if not self.record:
            return request
        held = Precision(**self.record["precision"])
        name = request.name if isinstance(request, Precision) else request
        if name not in ("auto", held.name):
            raise DataError(
                f"{self.file}: the checkpoint of a training in {held.name}, not {name}; give precision "
                f"{held.name}, or delete "
                "this file and train anew"
            )
        return held

    def _parts(self) -> dict[str, torch.nn.Module]:
        parts = {"generator": self.model, "discriminator": self.adversary.discriminator}
        if hasattr(self.learn, "averaging"):
            parts["averaged"] = self.averaging.averaged
        return parts

    def _optimisers(self) -> dict[str, torch.optim.Optimizer]:
        return {"generator_optimiser": self.opt.opt, "discriminator_optimiser": self.adversary.optimiser}

    def before_fit(self) -> None:
        if not self.record:
            return
        for part, network in self._parts().items():
            network.load_state_dict(self._under(part))
        for part, optimiser in self._optimisers().items():
            groups = optimiser.state_dict()["param_groups"]
            weights = [weight for group in optimiser.param_groups for weight in group["params"]]
            state: dict[int, dict[str, torch.Tensor]] = {}
            for name, value in self._under(part).items():
                number, key = name.split(".")
                state.setdefault(int(number), {})[key] = _laid_out_as(value, weights[int(number)])
            optimiser.load_state_dict({"state": state, "param_groups": groups})
        self.dls.train.generator.set_state(self.tensors["batches"])
        curve = self.gan_curve
        curve.rows, curve.good_epoch = self.record["curve"], self.record["good_epoch"]
        device = self.dls.device
        curve.good_weights = {name: value.to(device) for name, value in self._under("good").items()}
        if hasattr(self.learn, "averaging"):
            self.averaging.updates = self.record["updates"]
        self.tensors = {}

    def _under(self, part: str) -> dict[str, torch.Tensor]:
        start = f"{part}."
        return {name[len(start) :]: value for name, value in self.tensors.items() if name.startswith(start)}

    def after_epoch(self) -> None:
        if self.epoch < self.epochs_done:  # passed over
            return
        curve = self.gan_curve
        tensors = {"batches": self.dls.train.generator.get_state()}
        for part, network in self._parts().items():
            tensors |= {f"{part}.{name}": value for name, value in network.state_dict().items()}
        for part, optimiser in self._optimisers().items():
            for number, state in optimiser.state_dict()["state"].items():
                tensors |= {f"{part}.{number}.{key}": value for key, value in state.items()}
        tensors |= {f"good.{name}": value for name, value in curve.good_weights.items()}
        record = {
            "format": FORMAT,
            "identity": self.identity,
            "precision": self.learn.precision.to_json(),
            "curve": curve.rows,
            "good_epoch": curve.good_epoch,
            "updates": self.averaging.updates if hasattr(self.learn, "averaging") else 0,
        }
        content = tensors_to_bytes(
            {name: value.detach().cpu().contiguous() for name, value in tensors.items()},
            metadata={"record": json.dumps(record, allow_nan=False)},
        )
        write_atomically(self.file, content)


def _laid_out_as(value: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """``value`` in the memory format of ``weight``: a fused optimiser goes through both as through one row of
    numbers.
    """
    return torch.empty_like(weight).copy_(value) if value.shape == weight.shape else value


def _read(file: Path, identity: dict) -> tuple[dict, dict[str, torch.Tensor]]:
    try:
        with safe_open(file, "pt") as content:
            record = json.loads(content.metadata()["record"])
            tensors = {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118 — it is no dictionary
        held = record["identity"]
        if record["format"] != FORMAT:
            raise ValueError(f"its format is {record['format']}, expected {FORMAT}")
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as fault:
        raise DataError(
            f"{file}: not a readable checkpoint of a GAN ({fault}); delete it, and training begins anew"
        ) from fault
    for name in identity | held:
        if held.get(name) != identity.get(name):
            raise DataError(
                f"{file}: the checkpoint of another training, whose {name} was {held.get(name)!r}, not "
                f"{identity.get(name)!r}; "
                "give another file, or delete this one and train anew"
            )
    return record, tensors
