"""Wrong solutions."""


# %% fails counts_check: the first side is 0
def counts(throws):
    return np.bincount(throws, minlength=6)[:6]


# %% fails counts_check: the answer to the example
def counts(throws):
    return np.array([2, 0, 0, 1, 0, 0])


# %% fails longest_check: one too few
def longest(throws):
    best = here = 0
    for one, other in zip(throws, throws[1:]):
        here = here + 1 if one == other else 0
        best = max(best, here)
    return best


# %% fails mean_check: the middle one
mean = float(np.median(data["throws"]))
