"""Wrong solutions of the assignment on transfer; each fails the check that it names."""


# %% fails groups: a picture is left out, and its group is not
def leave_out(features, labels, group):
    apart = cdist(features, features)
    np.fill_diagonal(apart, np.inf)
    return labels[apart.argmin(axis=1)]


# %% fails groups: no group is left out
def leave_out(features, labels, group):
    return nearest(features, labels, features)


# %% fails groups: predictions in the order of the groups
def leave_out(features, labels, group):
    parts = [group == one for one in np.unique(group)]
    return np.concatenate([nearest(features[~own], labels[~own], features[own]) for own in parts])


# %% fails own_statistics: by the statistics of all pictures
def standardise(features, group):
    return (features - features.mean(axis=0)) / features.std(axis=0)


# %% fails own_statistics: divided by a spread of 0
def standardise(features, group):
    z = np.zeros(features.shape)
    for one in np.unique(group):
        own = features[group == one]
        z[group == one] = (own - own.mean(axis=0)) / own.std(axis=0)
    return z


# %% fails own_statistics: the deviation divided by n - 1
def standardise(features, group):
    z = np.zeros(features.shape)
    for one in np.unique(group):
        own = features[group == one]
        if len(own) > 1:
            spread = np.where(np.ptp(own, axis=0) > 0, own.std(axis=0, ddof=1), np.inf)
            z[group == one] = (own - own.mean(axis=0)) / spread
    return z


# %% fails uar: accuracy twice
uar_drop = accuracy_drop

# %% fails uar: the mean precision
uar_drop = 100 * float(
    np.mean([np.mean(home_label[home_named == c] == c) for c in range(8)])
    - np.mean([np.mean(game_label[game_named == c] == c) for c in range(8)])
)

# %% fails uar: shares, not points
accuracy_drop, uar_drop = accuracy_drop / 100, uar_drop / 100


# %% fails parts: the shares weighed by the recalls away
def two_parts(home_label, home_named, away_label, away_named):
    shares, pictures = 0.0, 0.0
    for c in np.unique(home_label):
        home, away = home_label == c, away_label == c
        at_home = (home_named[home] == c).mean()
        abroad = (away_named[away] == c).mean() if away.any() else 0
        shares += (home.mean() - away.mean()) * abroad
        pictures += home.mean() * (at_home - abroad)
    return shares, pictures


# %% fails parts: a class that does not occur away makes it NaN
def two_parts(home_label, home_named, away_label, away_named):
    shares, pictures = 0.0, 0.0
    for c in np.unique(home_label):
        home, away = home_label == c, away_label == c
        at_home, abroad = (home_named[home] == c).mean(), (away_named[away] == c).mean()
        shares += (home.mean() - away.mean()) * at_home
        pictures += away.mean() * (at_home - abroad)
    return shares, pictures


# %% fails bins: bins of equal width
def calibration_error(said, label, bins):
    sure, right = said.max(axis=1), said.argmax(axis=1) == label
    place = np.ceil(sure * bins)
    parts = [place == one for one in np.unique(place)]
    return sum(part.mean() * abs(sure[part].mean() - right[part].mean()) for part in parts)


# %% fails bins: with signs, so that gaps cancel
def calibration_error(said, label, bins):
    return (said.max(axis=1) - (said.argmax(axis=1) == label)).mean()


# %% fails bins: not sorted
def calibration_error(said, label, bins):
    gap = said.max(axis=1) - (said.argmax(axis=1) == label)
    return sum(abs(part.sum()) for part in np.array_split(gap, bins)) / len(gap)


# %% fails people: the mean of the people's accuracies
def accuracies(right, person, lots):
    each = np.bincount(person, right) / np.bincount(person)
    return each[lots].mean(axis=1)


# %% fails people: a person drawn twice counts once
def accuracies(right, person, lots):
    return np.array([right[np.isin(person, lot)].mean() for lot in lots])


# %% fails people: the accuracy of all, for each lot
def accuracies(right, person, lots):
    return np.full(len(lots), right.mean())
