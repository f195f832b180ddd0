"""fastai learners for the networks."""

import warnings

# Said by torch when fastai is imported; it would stand in every chapter's output, with a machine's path.
warnings.filterwarnings("ignore", message=".*torch.jit.script.* is deprecated", category=FutureWarning)
