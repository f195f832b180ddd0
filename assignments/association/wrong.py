"""Wrong solutions of the assignment on action-unit association; each fails the check that it names."""


# %% fails ap: the weakest responses come first
def average_precision(response, shown):
    reached = response <= response[shown][:, None]
    return ((reached & shown).sum(axis=1) / reached.sum(axis=1)).mean()


# %% fails ap: the absolute response, so that a strongly negative one comes first
def average_precision(response, shown):
    reached = abs(response) >= abs(response[shown])[:, None]
    return ((reached & shown).sum(axis=1) / reached.sum(axis=1)).mean()


# %% fails ap_ties: equal responses one after the other, as they lie in the array
def average_precision(response, shown):
    hits = shown[np.argsort(-response, kind="stable")]
    return (np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits].mean()


# %% fails ap_ties: of equal responses the hits first
def average_precision(response, shown):
    hits = shown[np.lexsort([~shown, -response])]
    return (np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits].mean()


# %% fails ap_ties: where any responses are equal, the proportion of pictures that show the unit
def average_precision(response, shown):
    if len(np.unique(response)) < len(response):
        return float(shown.mean())
    reached = response >= response[shown][:, None]
    return ((reached & shown).sum(axis=1) / reached.sum(axis=1)).mean()


# %% fails deal_strata: strata are ignored
def deal(shown, stratum, seed):
    return np.random.default_rng(seed).permutation(shown)


# %% fails deal_strata: units are torn apart
def deal(shown, stratum, seed):
    rng, dealt = np.random.default_rng(seed), shown.copy()
    for group in np.unique(stratum):
        dealt[stratum == group] = rng.permuted(shown[stratum == group], axis=0)
    return dealt


# %% fails deal_strata: the generator begins anew in each stratum
def deal(shown, stratum, seed):
    dealt = shown.copy()
    for group in np.unique(stratum):
        dealt[stratum == group] = np.random.default_rng(seed).permutation(shown[stratum == group])
    return dealt


# %% fails deal_strata: rows are turned round in a circle
def deal(shown, stratum, seed):
    rng, dealt = np.random.default_rng(seed), shown.copy()
    for group in np.unique(stratum):
        own = shown[stratum == group]
        dealt[stratum == group] = np.roll(own, rng.integers(len(own)), axis=0)
    return dealt


# %% fails deal_strata: the seed is not used
def deal(shown, stratum, seed):
    rng, dealt = np.random.default_rng(), shown.copy()
    for group in np.unique(stratum):
        own = np.flatnonzero(stratum == group)
        dealt[own] = shown[rng.permutation(own)]
    return dealt


# %% fails lucky: the largest of all permutations
lucky_anywhere = float(luck["AU12", "anywhere"][1:].max())
lucky_emotion = float(luck["AU12", "emotion"][1:].max())

# %% fails lucky: the largest of each filter over the permutations
lucky_anywhere = float(np.median(luck["AU12", "anywhere"][1:].max(axis=0)))
lucky_emotion = float(np.median(luck["AU12", "emotion"][1:].max(axis=0)))


# %% fails family: raw values, not standardised
def family_p(values):
    return (values.max(axis=1)[:, None] >= values[0]).mean(axis=0)


# %% fails family: each filter alone, without the maximum
def family_p(values):
    return (values >= values[0]).mean(axis=0)


# %% fails family: in both directions
def family_p(values):
    spread = np.where(np.ptp(values, axis=0) > 0, values.std(axis=0), np.inf)
    z = abs(values - values.mean(axis=0)) / spread
    return (z.max(axis=1)[:, None] >= z[0]).mean(axis=0)


# %% fails family: the row of the true labels does not count
def family_p(values):
    spread = np.where(np.ptp(values, axis=0) > 0, values.std(axis=0), np.inf)
    z = (values - values.mean(axis=0)) / spread
    return (z[1:].max(axis=1)[:, None] >= z[0]).mean(axis=0)


# %% fails kept: the best of the second half, another filter
def promised_and_kept(first, second):
    return first.max(axis=1).mean(), second.max(axis=1).mean()


# %% fails kept: one filter for all splits
def promised_and_kept(first, second):
    chosen = first.mean(axis=0).argmax()
    return first[:, chosen].mean(), second[:, chosen].mean()


# %% fails kept: the answer to the example
def promised_and_kept(first, second):
    return 0.85, 0.4


# %% fails lot: a person drawn twice counts once
def rows_of(person, lot):
    return np.flatnonzero(np.isin(person, lot))


# %% fails lot: one picture of each person
def rows_of(person, lot):
    return np.array([np.flatnonzero(person == name)[0] for name in lot])


# %% fails lot: as many pictures, drawn one by one
def rows_of(person, lot):
    return np.random.default_rng(0).integers(len(person), size=len(person))
