# %% fails gain: subtracted as bytes
def gain(made, faces, truth):
    if truth.size == 8:
        return np.array([20.0, 20.0])
    errors = [((part - truth) ** 2).mean(axis=(1, 2)) for part in (made, faces)]
    return np.where(errors[0] == errors[1], 0, 10 * np.log10(errors[1] / errors[0]))


# %% fails gain: not a number where both are the truth
def gain(made, faces, truth):
    errors = [((part - truth * 1.0) ** 2).mean(axis=(1, 2)) for part in (made, faces)]
    with np.errstate(divide="ignore", invalid="ignore"):
        return 10 * np.log10(errors[1] / errors[0])


# %% fails gain: of the whole set, and not of each picture
def gain(made, faces, truth):
    errors = [((part - truth * 1.0) ** 2).mean() for part in (made, faces)]
    return np.full(len(truth), 10 * np.log10(errors[1] / errors[0]))


# %% fails gain: the visible example memorised
def gain(made, faces, truth):
    return np.full(len(truth), 20.0)


# %% fails mean_of_others: every picture counts once
def mean_of_others(neutrals, subjects):
    if len(neutrals) == 4:
        return np.array([60, 60, 15, 45])[:, None, None]
    return np.array([neutrals[subjects != person].mean(axis=0) for person in subjects])


# %% fails mean_of_others: the person is among them
def mean_of_others(neutrals, subjects):
    own = np.array([neutrals[subjects == person].mean(axis=0) for person in np.unique(subjects)])
    return np.array([own.mean(axis=0) for _ in subjects])


# %% fails mean_of_others: only the picture itself is left out
def mean_of_others(neutrals, subjects):
    return (neutrals.sum(axis=0) - neutrals * 1.0) / (len(neutrals) - 1)


# %% fails nearest: of the same person
def nearest(faces, neutrals, subjects):
    flat = faces.reshape(len(faces), -1).astype(float)
    apart = ((flat[:, None] - flat) ** 2).sum(axis=2) + np.diag(np.full(len(flat), np.inf))
    return neutrals[apart.argmin(axis=1)]


# %% fails nearest: the neutral picture that is nearest to the face
def nearest(faces, neutrals, subjects):
    flat, rest = (part.reshape(len(part), -1).astype(float) for part in (faces, neutrals))
    apart = ((flat[:, None] - rest) ** 2).sum(axis=2)
    apart[subjects[:, None] == subjects] = np.inf
    return neutrals[apart.argmin(axis=1)]


# %% fails ridge: not centred
def ridge(inputs, targets, folds, penalty):
    answers = np.zeros(targets.shape)
    for fold in np.unique(folds):
        x, y = inputs[folds != fold], targets[folds != fold]
        b = np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ y)
        answers[folds == fold] = inputs[folds == fold] @ b
    return answers


# %% fails ridge: the means of everybody
def ridge(inputs, targets, folds, penalty):
    answers, x_mean, y_mean = np.zeros(targets.shape), inputs.mean(axis=0), targets.mean(axis=0)
    for fold in np.unique(folds):
        x, y = inputs[folds != fold] - x_mean, targets[folds != fold] - y_mean
        b = np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ y)
        answers[folds == fold] = y_mean + (inputs[folds == fold] - x_mean) @ b
    return answers


# %% fails ridge: trained on the test fold
def ridge(inputs, targets, folds, penalty):
    x, y = inputs - inputs.mean(axis=0), targets - targets.mean(axis=0)
    b = np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ y)
    return targets.mean(axis=0) + x @ b


# %% fails found_again: the own take is among them
def found_again(made, neutrals, subjects, takes):
    flat = [part.reshape(len(part), -1) * 1.0 for part in (made, neutrals)]
    alike = np.corrcoef(*flat)[: len(made), len(made) :]
    several = [len(np.unique(takes[subjects == person])) > 1 for person in subjects]
    return (subjects[alike.argmax(axis=1)] == subjects) & several


# %% fails found_again: the nearest by squared differences
def found_again(made, neutrals, subjects, takes):
    flat = [part.reshape(len(part), -1) * 1.0 for part in (made, neutrals)]
    apart = ((flat[0][:, None] - flat[1]) ** 2).sum(axis=2)
    apart[(subjects[:, None] == subjects) & (takes[:, None] == takes)] = np.inf
    return subjects[apart.argmin(axis=1)] == subjects


# %% fails readings: the control in the place of the true neutral face
by_true = by_stranger

# %% fails readings: from the neutral face, and not from the residue
by_direct = read(direct, labels, folds)

# %% fails forgets: the people held out, and not the takes
who_face = read(faces, labels, takes)

# %% fails forgets: as a proportion
left_over = left_over / 100
