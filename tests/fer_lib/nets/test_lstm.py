"""Many LSTMs as one program: each is torch's own LSTM, and none knows of the others."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from fer_lib.nets.lstm import ClipLSTM

LENGTHS = torch.tensor([7, 1, 3, 3, 5, 2])


def clips(features: int = 5) -> torch.Tensor:
    """Six clips of up to seven frames; what stands behind a clip's end is no number and must not be read."""
    drawn = torch.randn(6, 7, features, generator=torch.Generator().manual_seed(1))
    drawn[torch.arange(7) >= LENGTHS[:, None]] = torch.nan
    return drawn


def torchs_answers(model: ClipLSTM, network: int, features: torch.Tensor) -> torch.Tensor:
    """The logits by ``torch.nn.LSTM`` on packed sequences, with the weights of one network."""
    mean, spread = model.lstm[0].mean[network], model.lstm[0].spread[network]
    given = model.arguments
    lstm = nn.LSTM(given["n_features"], given["hidden"], batch_first=True)
    with torch.no_grad():
        lstm.weight_ih_l0.copy_(model.lstm[0].from_input.weight[network])
        lstm.weight_hh_l0.copy_(model.lstm[0].from_state.weight[network])
        lstm.bias_ih_l0.copy_(model.lstm[0].from_input.bias[network])
        lstm.bias_hh_l0.zero_()
        packed = pack_padded_sequence(
            (features - mean) / spread, LENGTHS, batch_first=True, enforce_sorted=False
        )
        states, _ = pad_packed_sequence(lstm(packed)[0], batch_first=True)
        pooled = states.sum(dim=1) / LENGTHS[:, None]
        return pooled @ model.output.weight[network].T + model.output.bias[network]


def a_model() -> ClipLSTM:
    """Three networks with means, spreads and biases of their own."""
    model = ClipLSTM(5, 4, hidden=6, seeds=range(3)).eval()
    generator = torch.Generator().manual_seed(2)
    model.standardise_by(
        torch.randn((3, 5), generator=generator), torch.rand((3, 5), generator=generator) + 0.5
    )
    with torch.no_grad():
        model.output.bias.normal_(generator=generator)
    return model


def test_each_network_is_torchs_lstm_on_packed_sequences():
    model, features = a_model(), clips()
    with torch.no_grad():
        answers = model(features, LENGTHS)
    assert answers.shape == (3, 6, 4)
    for network in range(3):
        torch.testing.assert_close(
            answers[network], torchs_answers(model, network, features), rtol=1e-5, atol=1e-6
        )


def test_clips_that_are_packed_once_are_packed_again_where_anything_differs():
    model, features, lengths = a_model(), clips(), LENGTHS.clone()

    def check(features, lengths):
        fresh = a_model()(features.detach().clone(), lengths.clone())
        torch.testing.assert_close(model(features, lengths), fresh)

    check(features, lengths)
    features[0] += 1
    check(features, lengths)
    lengths[0] = 2
    check(features, lengths)
    check(2 * features, lengths)
    with torch.inference_mode():
        check(features + 1, lengths)
    followed = features.nan_to_num().requires_grad_()
    for _ in range(2):
        model(followed, lengths).sum().backward()
    assert followed.grad.abs().sum() > 0


def test_networks_may_have_features_of_their_own():
    model = a_model()
    own = torch.stack([clips(), clips() * 2, clips() - 1])
    with torch.no_grad():
        answers = model(own, LENGTHS)
    for network in range(3):
        expected = torchs_answers(model, network, own[network])
        torch.testing.assert_close(answers[network], expected, rtol=1e-5, atol=1e-6)


def test_gradients_stay_within_a_network():
    model = a_model()
    model(clips(), LENGTHS)[1].sum().backward()
    for value in model.parameters():
        moved = value.grad.flatten(1).abs().sum(dim=1) > 0
        assert moved.tolist() == [False, True, False]


def test_a_network_starts_and_drops_by_its_seed_whoever_is_beside_it():
    features = clips().nan_to_num()
    many = ClipLSTM(5, 4, hidden=6, seeds=(7, 3, 7, 8))
    alone = ClipLSTM(5, 4, hidden=6, seeds=(3,))
    for name, value in alone.state_dict().items():
        assert torch.equal(value[0], many.state_dict()[name][1])
    for _ in range(2):  # a second step drops other units, again the same ones
        together, single = many(features, LENGTHS), alone(features, LENGTHS)
        torch.testing.assert_close(together[1], single[0])
        torch.testing.assert_close(together[0], together[2])
        assert not torch.allclose(together[0], together[1])
    first = ClipLSTM(5, 4, hidden=6, seeds=(3,))(features, LENGTHS)
    assert not torch.allclose(single, first)
    alone.dropout.restart()
    assert torch.equal(alone(features, LENGTHS), first)


def test_dropout_keeps_the_mean_and_rests_in_evaluation():
    model = ClipLSTM(5, 4, hidden=500, dropout=0.25)
    ones = torch.ones(1, 400, 500)
    dropped = model.dropout(ones)
    assert dropped.unique().tolist() == pytest.approx([0, 4 / 3])
    # 200,000 independent draws: the mean's standard error is 0.0013.
    assert dropped.mean().item() == pytest.approx(1, abs=0.007)
    assert torch.equal(model.eval().dropout(ones), ones)


def test_first_weights_are_as_stated_and_leave_the_random_state():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    model = ClipLSTM(100, 3, hidden=25)
    assert torch.equal(before, torch.get_rng_state())
    for part, bound in (
        (model.lstm[0].from_input, 0.1),
        (model.lstm[0].from_state, 0.2),
        (model.output, 0.2),
    ):
        assert 0.95 * bound < part.weight.abs().max().item() <= bound
    gates = model.lstm[0].from_input.bias[0].view(4, 25)
    assert (gates[1] == 1).all() and (gates[[0, 2, 3]] == 0).all() and (model.output.bias == 0).all()


def one_way(model: ClipLSTM, which: int, clips: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """The last states (B, hidden) of the first network's LSTM ``which``, by torch's own."""
    reader, hidden = model.lstm[which], model.arguments["hidden"]
    lstm = nn.LSTM(5, hidden, batch_first=True)
    with torch.no_grad():
        for name, value in (("ih", reader.from_input.weight), ("hh", reader.from_state.weight)):
            getattr(lstm, f"weight_{name}_l0").copy_(value[0])
        lstm.bias_ih_l0.copy_(reader.from_input.bias[0])
        lstm.bias_hh_l0.zero_()
        ends = [lstm(clip[None, :length])[1][0][0, 0] for clip, length in zip(clips, lengths, strict=True)]
    return torch.stack(ends)


def test_the_last_state_and_both_ends_are_those_of_torchs_lstm():
    features = clips()
    turned = torch.stack(
        [torch.cat([clip[:n].flip(0), clip[n:]]) for clip, n in zip(features, LENGTHS, strict=True)]
    )
    for pooling, read in (("last", [features]), ("both_ends", [features, turned])):
        model = ClipLSTM(5, 4, hidden=6, pooling=pooling, seeds=(3, 8)).eval()
        states = torch.cat([one_way(model, k, own, LENGTHS) for k, own in enumerate(read)], dim=1)
        expected = states @ model.output.weight[0].T + model.output.bias[0]
        with torch.no_grad():
            torch.testing.assert_close(model(features, LENGTHS)[0], expected, rtol=1e-5, atol=1e-6)
