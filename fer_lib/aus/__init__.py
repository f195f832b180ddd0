"""Which action units the filters of a network answer to, how sure that is, and what chance alone would
show.
"""
