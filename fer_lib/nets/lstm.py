"""Many small LSTMs over the features of a clip's frames, computed as one program.

A study that leaves one subject out trains a network per subject and seed. Each is too small to use a
processor fully, so all of them are one network here whose weights have a leading dimension M: their sums are
a few large matrix products. No information passes between the M networks.
"""

import math
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from fer_lib.names import Pooling
from ferbook.errors import ParameterError

# Input, forget, cell and output gate, in the order of ``torch.nn.LSTM``.
GATES = 4


class ClipLSTM(nn.Module):
    """M LSTMs of one layer (Hochreiter & Schmidhuber 1997; forget gates of Gers et al. 2000), each with an
    output layer.

    Takes the features of clips, float (B, T, F) that all networks read, or (M, B, T, F) with different ones
    for each network, and the clips' ``lengths`` int (B,) in frames; returns logits (M, B, ``n_classes``).
    Values after a clip's end are not read.

    Layers, in order: ``lstm``, ``dropout``, ``output``. ``lstm`` first standardises the features by the mean
    and spread of each network (``standardise_by``; zero and one at first). ``dropout`` acts on the pooled
    state only, so that one pass through ``lstm`` serves both training and validation.

    First weights are uniform within ±1/sqrt(fan-in); biases zero, but one for the forget gates (Jozefowicz et
    al. 2015). They depend neither on the other networks nor on torch's random state.

    Parameters
    ----------
    n_features, n_classes : int
    hidden : int
        Cells.
    dropout : float
    pooling : str
        What represents a clip: the ``mean`` of the states over its frames, the ``last`` state, or, with
        ``both_ends``, this and the last state of a second LSTM that reads the clip backwards (Schuster &
        Paliwal 1997).
    seeds : sequence of int
        One per network; networks of one seed have the same first weights and dropout masks.
    """

    def __init__(
        self,
        n_features: int,
        n_classes: int,
        hidden: int = 32,
        dropout: float = 0.5,
        pooling: Pooling = "mean",
        *,
        seeds: Sequence[int] = (0,),
    ) -> None:
        super().__init__()
        self.seeds = tuple(seeds)
        self.arguments = {
            "n_features": n_features,
            "n_classes": n_classes,
            "hidden": hidden,
            "dropout": dropout,
            "pooling": pooling,
        }
        ways = (False, True) if pooling == "both_ends" else (False,)
        self.lstm = Readers(
            LSTMs(len(seeds), n_features, hidden, last=pooling != "mean", backwards=way) for way in ways
        )
        self.dropout = SeededDropout(dropout, self.seeds)
        self.output = Dense(len(seeds), hidden * len(ways), n_classes)
        self._initialise()

    @torch.no_grad()
    def _initialise(self) -> None:
        parts = [part for reader in self.lstm for part in (reader.from_input, reader.from_state)]
        parts.append(self.output)
        for network, seed in enumerate(self.seeds):
            generator = torch.Generator().manual_seed(seed)
            for part in parts:
                bound = 1 / math.sqrt(part.weight.shape[2])
                part.weight[network].uniform_(-bound, bound, generator=generator)
        for reader in self.lstm:
            reader.from_input.bias[:, reader.hidden : 2 * reader.hidden] = 1.0

    @torch.no_grad()
    def standardise_by(self, mean: torch.Tensor, spread: torch.Tensor) -> None:
        """Set the ``mean`` and ``spread``, float (M, F), that standardise the features."""
        for reader in self.lstm:
            reader.mean.copy_(mean)
            reader.spread.copy_(spread)

    def forward(self, features: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        return self.output(self.dropout(self.lstm(features, lengths)))


class ClipClassifier(ClipLSTM):
    """A single such LSTM: logits (B, ``n_classes``), as losses and fastai take them."""

    def forward(self, features: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        return super().forward(features, lengths)[0]


class Dense(nn.Module):
    """M linear layers: (M, B, ``inputs``) to (M, B, ``outputs``)."""

    def __init__(self, networks: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(networks, outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(networks, outputs))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return torch.baddbmm(self.bias[:, None], inputs, self.weight.transpose(1, 2))


class Readers(nn.ModuleList):
    """Several ``LSTMs`` on the same clips: their outputs side by side, (M, B, Σ ``hidden``)."""

    def forward(self, features: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        return torch.cat([reader(features, lengths) for reader in self], dim=2)


class LSTMs(nn.Module):
    """M LSTMs: the mean of the states over the frames of each clip, or the ``last`` one, (M, B, ``hidden``).

    ``backwards``: each clip is read from its last frame to its first.

    ``mean`` and ``spread`` (M, F) standardise the features; ``from_input`` and ``from_state`` hold the
    weights of the gates; one bias, where ``torch.nn.LSTM`` adds two.
    """

    def __init__(
        self, networks: int, n_features: int, hidden: int, *, last: bool = False, backwards: bool = False
    ) -> None:
        super().__init__()
        self.hidden, self.last, self.backwards = hidden, last, backwards
        # Not learned, but stored with the weights.
        self.register_buffer("mean", torch.zeros(networks, n_features))
        self.register_buffer("spread", torch.ones(networks, n_features))
        self.from_input = Dense(networks, n_features, GATES * hidden)
        self.from_state = Dense(networks, hidden, GATES * hidden)
        # One bias is enough for a sum.
        self.from_state.bias = None
        self._last: tuple | None = None

    def forward(self, features: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        packed = self._packed(features, lengths)
        gates = self._projected(packed.data, features.ndim == 3)
        networks = len(gates)
        running = int(packed.batch_sizes[0])
        state = gates.new_zeros(networks, self.hidden, running)
        cell = pooled = torch.zeros_like(state)
        finals = []
        counts = packed.batch_sizes.tolist()
        # Split at once: the gradient of each single slice would be as large as all slices.
        for count, now in zip(counts, gates.split(counts, dim=2), strict=True):
            if count < running:  # clips come longest first: those that have ended are the last ones
                finals.append((state if self.last else pooled)[:, :, count:])
                state, cell, pooled = (memory[:, :, :count] for memory in (state, cell, pooled))
                running = count
            entering, memory, new, leaving = torch.baddbmm(now, self.from_state.weight, state).chunk(GATES, 1)
            cell = memory.sigmoid() * cell + entering.sigmoid() * new.tanh()
            state = leaving.sigmoid() * cell.tanh()
            pooled = pooled + state
        states = torch.cat([state if self.last else pooled, *reversed(finals)], dim=2).transpose(1, 2)
        states = states.index_select(1, packed.unsorted_indices)
        return states if self.last else states / lengths.to(states)[:, None]

    def _packed(self, features: torch.Tensor, lengths: torch.Tensor) -> PackedSequence:
        """Return the frames in the order in which they are read; packed once if every step reads the same
        clips, since packing takes a fifth of a step's time.
        """
        if features.requires_grad or features.is_inference() or torch.is_inference_mode_enabled():
            return self._pack(features, lengths)
        key = [(each.data_ptr(), each.shape, each._version) for each in (features, lengths)]
        if self._last is None or self._last[0] != key:
            # With its inputs: the address of memory in use is not given to another tensor.
            self._last = key, self._pack(features, lengths), features, lengths
        return self._last[1]

    def _pack(self, features: torch.Tensor, lengths: torch.Tensor) -> PackedSequence:
        by_clip = features if features.ndim == 3 else features.movedim(0, 2).flatten(2)
        if self.backwards:
            by_clip = _turned(by_clip, lengths)
        return pack_padded_sequence(by_clip, lengths.cpu(), batch_first=True, enforce_sorted=False)

    def _projected(self, frames: torch.Tensor, alike: bool) -> torch.Tensor:
        """Return what the frames add to the gates, of the standardised features: (M, 4 · hidden, frames).

        The weights are scaled instead of the features, of which M copies would be in memory otherwise.
        """
        layer = self.from_input
        weight = layer.weight / self.spread[:, None]
        bias = layer.bias - (weight @ self.mean[:, :, None])[..., 0]
        networks, rows, features = weight.shape
        if alike:
            return torch.addmm(bias.view(-1, 1), weight.view(-1, features), frames.T).view(networks, rows, -1)
        return torch.baddbmm(bias[:, :, None], weight, frames.view(-1, networks, features).permute(1, 2, 0))


def _turned(clips: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Reverse the frames of ``clips`` (B, T, F) from each one's last to its first; values after it do not
    move.
    """
    places, lengths = torch.arange(clips.shape[1]), lengths.cpu()[:, None]
    order = torch.where(places < lengths, lengths - 1 - places, places).to(clips.device)
    return clips.gather(1, order[:, :, None].expand_as(clips))


class SeededDropout(nn.Module):
    """Dropout of (M, B, ``hidden``) where each network's mask comes from its own seed, independently of the
    others.

    A network drops the same states in the same step whether it is trained alone or with others. ``restart``
    begins the masks again.
    """

    def __init__(self, share: float, seeds: Sequence[int]) -> None:
        super().__init__()
        if not 0 <= share < 1:
            raise ParameterError(f"dropout {share}: give a share from 0 to below 1")
        self.share = share
        distinct = list(dict.fromkeys(seeds))
        self.register_buffer("mask_of", torch.tensor([distinct.index(seed) for seed in seeds]), False)
        self.distinct = distinct
        self.restart()

    def restart(self) -> None:
        """Begin the masks again, as if the network were new."""
        self.generators = [torch.Generator().manual_seed(seed) for seed in self.distinct]

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        if not self.training or not self.share:
            return states
        shape = states.shape[1:]
        mask = torch.stack([torch.rand(shape, generator=g) >= self.share for g in self.generators])
        weights = mask.to(states.device, states.dtype) / (1 - self.share)
        return states * weights[self.mask_of]
