import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread():
    """Pictures of 16 pixels are too small to share: threads would mostly wait for one another."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
