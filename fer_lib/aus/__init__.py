"""Which action units the filters of a network respond to, with what certainty, and what chance alone would
show.
"""
