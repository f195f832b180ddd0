"""What a neuron of a layer sees of the picture, and of every map on the way to it."""

from dataclasses import dataclass, replace

from torch import nn

from fer_lib.look.layers import PICTURE, Call, example_picture, way_to
from fer_lib.nets.classifier import Sum
from ferbook.errors import ParameterError

POINTWISE = (nn.BatchNorm2d, nn.ReLU, nn.Identity, nn.Dropout, nn.Dropout2d, Sum)
SLIDING = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d)


@dataclass(frozen=True)
class ReceptiveField:
    """Unit (r, c) of a layer sees rows ``start + r·stride`` … ``start + r·stride + size - 1``, and columns by
    c alike.

    In pixels of the picture, or places of a map below. ``start`` is negative where maps are padded: what lies
    outside counts as zero.
    """

    size: int
    stride: int
    start: int


@dataclass(frozen=True)
class Sliding:
    """How a module slides over its input: all in pixels of that input, alike for rows and columns.

    ``straddles``: a neuron may see beyond the input's borders.
    """

    kernel: int = 1
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    straddles: bool = False

    def below(self, field: ReceptiveField) -> ReceptiveField:
        """What is seen of the module's input where ``field`` is seen of its output."""
        return ReceptiveField(
            (field.size - 1) * self.stride + self.dilation * (self.kernel - 1) + 1,
            field.stride * self.stride,
            field.start * self.stride - self.padding,
        )


def sliding(call: Call) -> Sliding:
    """How ``call``'s module slides. Raises ParameterError, naming it, where there is no rule to go back
    through it.
    """
    module = call.module
    kind = type(module)  # not isinstance: a child's forward may be another one
    if kind in POINTWISE:
        if kind is nn.BatchNorm2d and module.running_mean is None:
            raise _refused(call, "it keeps no running statistics, so a picture's maps depend on its batch")
        return Sliding()
    if kind is nn.Conv2d and module.padding_mode != "zeros":
        raise _refused(call, f"its padding is {module.padding_mode!r}; only zeros are known")
    if kind is nn.AvgPool2d and module.divisor_override:
        raise _refused(call, "it divides by a number of its own (divisor_override)")
    if kind in (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d):
        names = ("kernel_size", "stride", "padding", "dilation")
        slide = Sliding(*(_square(call, name) for name in names if hasattr(module, name)))
        return replace(slide, straddles=slide.padding > 0 or getattr(module, "ceil_mode", False))
    if kind is nn.AdaptiveAvgPool2d:
        return Sliding(*_parts(call))
    raise _refused(call, "there is no rule to go back through such a module")


def _refused(call: Call, why: str) -> ParameterError:
    kinds = ", ".join(kind.__name__ for kind in (*SLIDING, *POINTWISE))
    return ParameterError(f"cannot go back through {call.name!r}, {call.module}: {why}. What can be: {kinds}")


def _square(call: Call, name: str) -> int:
    value = getattr(call.module, name)
    if isinstance(value, str):
        raise _refused(call, f"its {name} is {value!r}; only numbers are known")
    if isinstance(value, tuple):
        if len(set(value)) > 1:
            raise _refused(call, f"its {name} {value} differs between rows and columns")
        return value[0]
    return value


def _parts(call: Call) -> tuple[int, int]:
    """Kernel and stride of an adaptive mean that cuts its input into equal squares."""
    sides = {(before, after) for before, after in zip(call.given[2:], call.shape[2:], strict=True)}
    kernels = {before // after for before, after in sides}
    if len(kernels) > 1 or any(before % after for before, after in sides):
        raise _refused(call, f"it does not cut maps of {call.given[2:]} into equal squares")
    kernel = kernels.pop()
    return kernel, kernel


def fields_below(way: dict[int, Call]) -> dict[int, ReceptiveField]:
    """What one neuron of the last call of ``way`` sees of the output of every call, and of the picture
    (``PICTURE``).

    Where several calls use one map, the smallest field that covers what each of them sees. Raises
    ParameterError as ``sliding`` does.
    """
    last = max(way)
    fields = {last: ReceptiveField(1, 1, 0)}
    for number in sorted(way, reverse=True):
        call = way[number]
        need = sliding(call).below(fields[number])
        for maker in call.inputs:
            fields[maker] = _union(call, fields.get(maker, need), need)
    return fields


def _union(call: Call, one: ReceptiveField, other: ReceptiveField) -> ReceptiveField:
    if one.stride != other.stride:
        raise _refused(call, f"its branches step over the maps below by {one.stride} and {other.stride}")
    start = min(one.start, other.start)
    end = max(one.start + one.size, other.start + other.size)
    return ReceptiveField(end - start, one.stride, start)


def receptive_field(model: nn.Module, layer: str) -> ReceptiveField:
    """What one neuron of ``layer`` sees of the picture, in pixels: the union over all branches.

    For pictures of the size that ``model`` was built for (it matters to means of whole maps only), after its
    standardisation, which looks at 5×5 pixels in the zero-bias CNN and at the whole picture in the others.
    Raises ParameterError for an unknown layer (listing all), and for modules on the way whose reach is not
    known.
    """
    return fields_below(way_to(model, layer, example_picture(model)))[PICTURE]
