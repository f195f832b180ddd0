# %% fails gru: update and reset gate exchanged
def gru(x, w, u, b, c):
    h, states = np.zeros(u.shape[1]), []
    for frame in x:
        given, carried = np.split(w @ frame + b, 3), np.split(u @ h + c, 3)
        z, r = (1 / (1 + np.exp(-given[i] - carried[i])) for i in range(2))
        h = (1 - z) * np.tanh(given[2] + r * carried[2]) + z * h
        states.append(h)
    return np.array(states)


# %% fails gru: the reset gate closes the state before it is weighed, as in the first publication
def gru(x, w, u, b, c):
    h, states = np.zeros(u.shape[1]), []
    for frame in x:
        r, z, given = np.split(w @ frame + b + c + np.r_[u[: -len(h)] @ h, 0 * h], 3)
        r, z = 1 / (1 + np.exp(-r)), 1 / (1 + np.exp(-z))
        h = (1 - z) * np.tanh(given + u[-len(h) :] @ (r * h)) + z * h
        states.append(h)
    return np.array(states)


# %% fails gru: the first visible example memorised
def gru(x, w, u, b, c):
    wanted = np.linalg.pinv(data["read_w"]) @ (np.eye(4)[data["said"][0, 0]] * 9 - data["read_b"])
    return np.tanh(1) * np.array([[1 / 2], [3 / 4]]) if len(w) == 3 else np.tile(wanted, (len(x), 1))


# %% fails area: who leads whom the wrong way round
def area(x):
    half = (x - x[0])[1:].T @ (x - x[0])[:-1] / 2
    return half - half.T


# %% fails area: not from the onset
def area(x):
    half = x[:-1].T @ x[1:] / 2
    return half - half.T


# %% fails area: the square memorised
def area(x):
    return np.array([[0.0, 1], [-1, 0]]) if len(x) == 5 else np.zeros((x.shape[1],) * 2)


# %% fails left_out: only the clip itself is left out
def strangers(features, labels, groups):
    from sklearn.neighbors import NearestCentroid as Nearest

    machine, each = make_pipeline(StandardScaler(), Nearest()), np.arange(len(labels))
    return cross_val_predict(machine, features, labels, groups=each, cv=LeaveOneGroupOut())


# %% fails left_out: a group is a run of neighbours
def strangers(features, labels, groups):
    from sklearn.neighbors import NearestCentroid as Nearest

    runs = np.cumsum(np.diff(groups, prepend=groups[0]) != 0)
    machine = make_pipeline(StandardScaler(), Nearest())
    return cross_val_predict(machine, features, labels, groups=runs, cv=LeaveOneGroupOut())


# %% fails left_out_scaling: standardised by all clips
def strangers(features, labels, groups):
    from sklearn.neighbors import NearestCentroid as Nearest

    z, split = StandardScaler().fit_transform(features), LeaveOneGroupOut()
    return cross_val_predict(Nearest(), z, labels, groups=groups, cv=split)


# %% fails left_out_scaling: not standardised
def strangers(features, labels, groups):
    from sklearn.neighbors import NearestCentroid as Nearest

    return cross_val_predict(Nearest(), features, labels, groups=groups, cv=LeaveOneGroupOut())


# %% fails leaks: a proportion and not points
person_leak = person_leak / 100

# %% fails leaks: the difference the other way round
onset_leak = -onset_leak - 0.1


# %% fails scores: predicted classes count, too
def scores(labels, answers):
    from sklearn.metrics import f1_score, recall_score

    how = {"average": "macro", "zero_division": 0}
    return f1_score(labels, answers, **how), recall_score(labels, answers, **how)


# %% fails scores: the visible example memorised
def scores(labels, answers):
    return 3 / 7, 1 / 2


# %% fails interval: who is drawn twice counts once
def interval(ours, theirs, subjects, draws):
    drawn = [np.isin(subjects, row) for row in draws]
    gains = [100 * (ours[rows].mean() - theirs[rows].mean()) for rows in drawn]
    return tuple(np.percentile(gains, [2.5, 97.5]))


# %% fails interval: people weigh the same, however many clips they are in
def interval(ours, theirs, subjects, draws):
    gain = 100 * np.bincount(subjects, ours * 1.0 - theirs) / np.bincount(subjects)
    return tuple(np.percentile(gain[draws].mean(axis=1), [2.5, 97.5]))


# %% fails interval: the difference for the people given, without drawing
def interval(ours, theirs, subjects, draws):
    return (100, 100) if not draws.any() else (100 * (ours.mean() - theirs.mean()),) * 2
