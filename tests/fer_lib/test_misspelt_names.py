"""A misspelt name is refused wherever a name chooses what is computed; it never means another one."""

import numpy as np
import pytest

from fer_lib.aus.association import statistic
from fer_lib.aus.nulls import blocks_of
from fer_lib.nets.build import build_network
from fer_lib.train.callbacks import rate_of
from fer_lib.train.device import choose_precision
from fer_lib.train.predict import predict
from ferbook.errors import ParameterError

MISSPELT = {
    "no measure 'aurok' .did you mean 'auroc'": lambda: statistic(np.eye(4), np.eye(4)[:, :1], "aurok"),
    "no block 'sequences' .did you mean 'sequence'": lambda: blocks_of(None, "sequences"),
    "no precision 'fp23' .did you mean 'fp32'": lambda: choose_precision("fp23"),
    "no schedule 'cosin' .did you mean 'cosine'": lambda: rate_of("cosin", 0.1),
    "no test_time 'flop' .did you mean 'flip'": lambda: predict(None, (), test_time="flop"),
    "no network 'zero_bia' .did you mean 'zero_bias'": lambda: build_network("zero_bia", 7, 48),
}


@pytest.mark.parametrize("said", MISSPELT)
def test_a_misspelt_name_is_refused_with_the_nearest(said):
    with pytest.raises(ParameterError, match=f"^{said}.*; the .*s are "):
        MISSPELT[said]()
