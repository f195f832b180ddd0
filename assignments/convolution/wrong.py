"""Wrong solutions: what students do, and what a cheat hands in."""


# %% fails conv2d_check: filters are flipped
def conv2d(x, w, stride=1, padding=0, dilation=1, right=conv2d):
    return right(x, w[:, :, ::-1, ::-1], stride, padding, dilation)


# %% fails conv2d_check: padded with the border's pixels
def conv2d(x, w, stride=1, padding=0, dilation=1, right=conv2d):
    wide = np.pad(x, ((0, 0), (padding, padding), (padding, padding)), mode="edge")
    return right(wide, w, stride, 0, dilation)


# %% fails conv2d_dilation_check: the dilation is ignored
def conv2d(x, w, stride=1, padding=0, dilation=1, right=conv2d):
    return right(x, w, stride, padding)


# %% fails conv2d_dilation_check: the picture is thinned in place of the filter
def conv2d(x, w, stride=1, padding=0, dilation=1, right=conv2d):
    return right(x[:, ::dilation, ::dilation], w, stride, padding)


# %% fails conv2d_dilation_check: rows only
def conv2d(x, w, stride=1, padding=0, dilation=1, right=conv2d):
    wide = np.zeros((*w.shape[:2], dilation * (w.shape[2] - 1) + 1, w.shape[3]))
    wide[:, :, ::dilation] = w
    return right(x, wide, stride, padding)


# %% fails remove_local_mean_check: zeros beyond the border count
def remove_local_mean(x, size):
    wide = np.pad(x, size // 2)
    return 2 * (x - np.lib.stride_tricks.sliding_window_view(wide, (size, size)).mean(axis=(2, 3)))


# %% fails remove_local_mean_check: without the factor
def remove_local_mean(x, size, right=remove_local_mean):
    return right(x, size) / 2


# %% fails remove_local_mean_check: always squares of 3, as in the example
def remove_local_mean(x, size, right=remove_local_mean):
    return right(x, 3)


# %% fails silent_below_check: the mean answer in place of the largest
def silent_below(answers, bias):
    with np.errstate(divide="ignore"):
        return np.where(bias > 0, 0, np.where(answers.max((1, 2)) > 0, -bias / answers.mean((1, 2)), np.inf))


# %% fails silent_below_check: absolute answers
def silent_below(answers, bias, right=silent_below):
    return right(abs(answers), bias)


# %% fails silent_below_check: a positive bias gives a negative contrast
def silent_below(answers, bias):
    peak = answers.max(axis=(1, 2))
    return np.where(peak > 0, -bias / peak, np.inf)


# %% fails silent_below_check: the answers of the example
def silent_below(answers, bias):
    return np.resize([0.25, 0, np.inf], len(bias))


# %% fails changed_check: the biases are scaled, too, and nothing changes
changed = 0.0

# %% fails changed_check: the logits without the dense biases
changed = ((faint * dense).clip(0) @ output.T).argmax(1)
changed = (changed != ((dense + dense_bias).clip(0) @ output.T).argmax(1)).mean()

# %% fails changed_check: a neighbour's contrast
changed = [((c * dense + dense_bias).clip(0) @ output.T + output_bias).argmax(1) for c in (1, faint + 0.03)]
changed = (changed[0] != changed[1]).mean()


# %% fails changed_check: the output's biases are forgotten
def renamed(dense, bias, output, output_bias, contrast, right=renamed):
    return right(dense, bias, output, 0 * output_bias, contrast)


# %% fails parts_check: neurons are on where the picture alone is positive
def parts(dense, bias, output, output_bias):
    return output @ ((dense > 0) * dense), output @ ((dense > 0) * bias) + output_bias


# %% fails parts_check: the output's biases are forgotten
def parts(dense, bias, output, output_bias, right=parts):
    return right(dense, bias, output, 0 * output_bias)


# %% fails parts_check: what the network would say without biases, and the rest
def parts(dense, bias, output, output_bias):
    picture = output @ np.maximum(dense, 0)
    return picture, output @ np.maximum(dense + bias, 0) + output_bias - picture


# %% fails influence_check: from the picture up, in the wrong order
def influence(layers, right=influence):
    return right(layers[::-1])


# %% fails influence_check: dilation without holes
def influence(layers, right=influence):
    return right([((k - 1) * d + 1, s, 1) for k, s, d in layers])


# %% fails influence_check: every pixel once
def influence(layers, right=influence):
    return right(layers) if layers == [(3, 1, 1), (3, 1, 1)] else np.ones(len(right(layers)), int)


# %% fails influence_check: the stride is forgotten
def influence(layers, right=influence):
    return right([(k, 1, d) for k, s, d in layers])
