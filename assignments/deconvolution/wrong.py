"""Wrong solutions: what students do, and what a cheat hands in."""


# %% fails pool_check: the last of equal values
def pool(x, size, stride, right=pool):
    maxima, switches = right(x[::-1, ::-1], size, 1)
    kept = slice(None, None, stride)
    return maxima[::-1, ::-1][kept, kept], (x.size - 1 - switches)[::-1, ::-1][kept, kept]


# %% fails pool_check: switches count within the square
def pool(x, size, stride, right=pool):
    squares = np.lib.stride_tricks.sliding_window_view(x, (size, size))[::stride, ::stride]
    return right(x, size, stride)[0], squares.reshape(*squares.shape[:2], -1).argmax(axis=2)


# %% fails pool_check: the answers of the example
def pool(x, size, stride):
    return np.array([[9.0, 9, 5, 5], [9, 9, 6, 4]]), np.array([[6, 6, 3, 3], [6, 6, 12, 8]])


# %% fails unpool_check: the last square overwrites the others
def unpool(signal, switches, shape):
    below = np.zeros(shape)
    below.flat[switches.ravel()] = signal.ravel()
    return below


# %% fails unpool_check: += with equal indices adds once
def unpool(signal, switches, shape):
    below = np.zeros(shape[0] * shape[1])
    below[switches] += signal
    return below.reshape(shape)


# %% fails transposed_check: the filter is flipped
def transposed(y, w, stride=1, padding=0, right=transposed):
    return right(y, w[::-1, ::-1], stride, padding)


# %% fails transposed_check: overwrites where filters meet
def transposed(y, w, stride=1, padding=0):
    below = np.zeros((np.array(y.shape) - 1) * stride + w.shape)
    for (i, j), value in np.ndenumerate(y):
        below[stride * i : stride * i + len(w), stride * j : stride * j + w.shape[1]] = value * w
    return below[padding : len(below) - padding, padding : below.shape[1] - padding]


# %% fails transposed_check: the padding is not cut off
def transposed(y, w, stride=1, padding=0, right=transposed):
    return right(y, w, stride)


# %% fails down_relu_check: deconvolution also requires an active neuron
def down_relu(signal, before, rule, right=down_relu):
    return right(signal, before, "guided" if rule == "deconv" else rule)


# %% fails down_relu_check: the gradient drops what is negative
def down_relu(signal, before, rule, right=down_relu):
    return right(signal, before, rule).clip(0)


# %% fails down_relu_check: a neuron at exactly 0 counts as on
def down_relu(signal, before, rule, right=down_relu):
    return right(signal, before + 1e-9, rule)


# %% fails alikeness_check: each map is paired with itself, too
def alikeness(maps, right=alikeness):
    count = maps.any(axis=(1, 2)).sum()
    return (right(maps) * (count - 1) + 1) / count if count > 1 else np.nan


# %% fails alikeness_check: without signs
def alikeness(maps, right=alikeness):
    return right(abs(maps))


# %% fails alikeness_check: the correlation, with means taken off
def alikeness(maps, right=alikeness):
    return right(maps - maps.mean(axis=(1, 2), keepdims=True))


# %% fails places_check: the layers from the top down
def places(layers, pixel, width, right=places):
    return right(layers[::-1], pixel, width)


# %% fails places_check: the border of the map is forgotten
def places(layers, pixel, width):
    low = high = pixel
    for kernel, stride, padding in layers:
        width = (width + 2 * padding - kernel) // stride + 1
        low, high = -((kernel - 1 - low - padding) // stride), (high + padding) // stride
    return None if low > width - 1 else (low, high)


# %% fails places_check: rounds down where it must round up
def places(layers, pixel, width):
    low = high = pixel
    for kernel, stride, padding in layers:
        width = (width + 2 * padding - kernel) // stride + 1
        low = max((low + padding - kernel + 1) // stride, 0)
        high = min((high + padding) // stride, width - 1)
    return (low, high) if low <= high else None


# %% fails luck_check: fields that begin outside the picture hold nothing
corners = 4 * np.arange(12) - 14
inside = np.array([region[r : r + 32, c : c + 32].sum() for r in corners for c in corners])
touching, held = (inside > 0).mean(), inside.mean() / region.sum()

# %% fails luck_check: the proportion of the field, not of the region
held = held * region.sum() / 32**2


# %% fails luck_check: a region of one pixel is passed over
def by_luck(region, right=by_luck):
    several = region & (region.sum() > 1)
    return (right(several) if several.any() else (0.0, 0.0))[0], right(region)[1]
