"""fastai learners for the networks."""
