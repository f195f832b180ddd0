"""What students find in place of a module that a check takes its answer from (``withheld``, course.yaml)."""

raise ImportError("this module is withheld where notebooks are graded")
