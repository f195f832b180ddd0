"""What the engine asks of this book."""

from ferbook.book import Suite

SUITE = Suite(title="Throw dice, and say how sure the mean is.", packages=("numpy",))
