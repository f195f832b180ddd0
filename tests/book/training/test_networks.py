"""The networks side by side, counted by hand."""

from book.training.study import network_table


def test_networks_stand_side_by_side_and_one_is_used():
    table = network_table(8, 48, "vgg").data.set_index("network")
    assert table["used here"].tolist().count("yes") == 1 and table.loc["vgg", "used here"] == "yes"
    # 25·64 + 25·64·128 + 25·128·256, 1024·300 + 300, 300·8 + 8.
    assert table.loc["zero_bias", "weights"] == 1_600 + 204_800 + 819_200 + 307_500 + 2_408
    # Each product counts once at every place of its map: 48², 24², 12².
    by_hand = 1_600 * 48**2 + 204_800 * 24**2 + 819_200 * 12**2 + 1024 * 300 + 300 * 8
    assert table.loc["zero_bias", "multiply-adds"] == by_hand
    assert network_table(8, 8, "vgg").data.set_index("network").loc["residual"].isna()["weights"]
