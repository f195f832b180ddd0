"""Wrong solutions: what students do, and what a cheat hands in."""


# %% fails concentration_check: without absolute values
def concentration(change, regions):
    with np.errstate(all="ignore"):
        return (change * regions).sum((1, 2)) / change.sum() / regions.mean((1, 2))


# %% fails concentration_check: the proportion of the change, not divided by that of the area
def concentration(change, regions):
    share = (abs(change) * regions).sum((1, 2)) / abs(change).sum()
    return np.where(regions.any((1, 2)), share, np.nan)


# %% fails concentration_check: zero where nothing is defined
def concentration(change, regions, right=concentration):
    return np.nan_to_num(right(change, regions))


# %% fails recognise_check: the person is among the templates
def recognise(changes):
    d = changes.reshape(*changes.shape[:2], -1)
    t = d.mean(axis=0)
    return (d @ (t / np.linalg.norm(t, axis=1, keepdims=True)).T).argmax(axis=2)


# %% fails recognise_check: lengths are not divided out
def recognise(changes):
    d = changes.reshape(*changes.shape[:2], -1)
    return np.array([(own @ np.delete(d, p, axis=0).mean(axis=0).T).argmax(1) for p, own in enumerate(d)])


# %% fails recognise_check: without signs
def recognise(changes, right=recognise):
    return right(np.abs(changes))


# %% fails recognise_check: a cheat that always names the diagonal
def recognise(changes):
    return np.tile(np.arange(changes.shape[1]), (len(changes), 1))


# %% fails turn_ratio_check: the noise is left in
turn_ratio = ((turned[:, turn] - off) ** 2).mean() / (changes**2).mean()

# %% fails turn_ratio_check: bytes wrap around
turn_ratio = ((data["turned"][:, turn] - data["off"]) ** 2).mean() / (changes**2).mean()

# %% fails turn_ratio_check: a neighbour's turn
turn_ratio = ((turned[:, 3 - turn] - off) ** 2 - (turned[:, 0] - off) ** 2).mean() / (changes**2).mean()


# %% fails best_shift_check: the other way round
def best_shift(moved, fixed, reach, right=best_shift):
    return right(fixed, moved, reach)


# %% fails best_shift_check: what goes out comes in at the other side
def best_shift(moved, fixed, reach):
    ways = [(r, c) for r in range(-reach, reach + 1) for c in range(-reach, reach + 1)]
    return min(ways, key=lambda way: ((np.roll(moved.astype(float), way, (0, 1)) - fixed) ** 2).mean())


# %% fails best_shift_check: a sum, which favours shifts that leave few pixels
def best_shift(moved, fixed, reach):
    ways, padded = range(-reach, reach + 1), np.pad(fixed.astype(float), reach, constant_values=np.nan)
    cut = [(r, c) for r in ways for c in ways]
    h, w = moved.shape
    at = [padded[reach + r : reach + r + h, reach + c : reach + c + w] for r, c in cut]
    return cut[np.argmin([np.nansum((moved - other) ** 2) for other in at])]


# %% fails best_shift_check: a cheat that knows the example
def best_shift(moved, fixed, reach):
    return 2, -1


# %% fails weighted_kappa_check: without weights
def weighted_kappa(a, b):
    luck = (a[:, None] != b).mean()
    return 1 - (a != b).mean() / luck if luck else np.nan


# %% fails weighted_kappa_check: linear weights
def weighted_kappa(a, b):
    luck = abs(a[:, None] - b).mean()
    return 1 - abs(a - b).mean() / luck if luck else np.nan


# %% fails weighted_kappa_check: the correlation, which forgives a coder who is always one too low
def weighted_kappa(a, b):
    return np.corrcoef(a, b)[0, 1] if a.any() else np.nan


# %% fails posterior_check: the frequencies of the laboratory count twice
def posterior(present, emotion, prior):
    joint = prior * np.bincount(emotion, weights=present, minlength=len(prior))
    return joint / joint.sum() if joint.sum() > 0 else joint * np.nan


# %% fails posterior_check: the proportions themselves, not inverted
def posterior(present, emotion, prior):
    rates = np.array([present[emotion == e].mean() for e in range(len(prior))])
    return rates / rates.sum() if rates.any() else np.full(len(prior), np.nan)


# %% fails posterior_check: zeros for a unit that does not occur
def posterior(present, emotion, prior, right=posterior):
    return np.nan_to_num(right(present, emotion, prior))
