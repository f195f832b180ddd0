"""fastai learners for the networks."""

import warnings

# torch warns when fastai is imported, and every chapter's output would show it, with a machine's path.
warnings.filterwarnings("ignore", message=".*torch.jit.script.* is deprecated", category=FutureWarning)
