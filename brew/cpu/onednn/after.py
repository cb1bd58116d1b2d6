"""The post-ops of a oneDNN operation: applied to its results before they are written."""

from __future__ import annotations

import weakref
from ctypes import byref, c_float, c_void_p

from .primitives import ADD, RELU, SRC_1, Description, check, library
from .scratch import new_attributes


class After:
    """The changes to each value before an operation writes it: oneDNN's post-ops, in the order they are added.

    An `Operation` takes it as its attributes; nothing can be added afterwards.

    slope   of its ReLU; 1 without one
    adds    whether another array is added
    """

    def __init__(self) -> None:
        self._ops, self._count = c_void_p(), 0
        self._scaled: list[int] = []
        self._attributes: c_void_p | None = None
        self.slope, self.adds = 1.0, False
        check("post-ops", library().dnnl_post_ops_create(byref(self._ops)))
        weakref.finalize(self, library().dnnl_post_ops_destroy, self._ops)

    def relu(self, slope: float = 0.0) -> After:
        self._count += 1
        self.slope = slope
        append = library().dnnl_post_ops_append_eltwise
        check("post-ops", append(self._ops, RELU, c_float(slope), c_float(0)))
        return self

    def sum(self, factor: float = 1.0) -> After:
        """Add what stands where the result goes, times `factor`."""
        append = library().dnnl_post_ops_append_sum
        check("post-ops", append(self._ops, c_float(factor), 0, 0))
        self._count += 1
        return self

    def add(self, description: Description) -> int:
        """Add another array; the number by which it is an argument of the operation."""
        self.adds = True
        check("post-ops", library().dnnl_post_ops_append_binary(self._ops, ADD, description.handle))
        self._count += 1
        return 0x8000 * self._count | SRC_1

    def scaled(self, argument: int) -> After:
        """Multiply this argument, before all else, by the one number that is given as `SCALE_OF | argument`."""
        self._scaled.append(argument)
        return self

    @property
    def _as_parameter_(self) -> c_void_p:
        """The attributes, for calls through ctypes."""
        if self._attributes is None:
            self._attributes = new_attributes()
            weakref.finalize(self, library().dnnl_primitive_attr_destroy, self._attributes)
            check("attributes", library().dnnl_primitive_attr_set_post_ops(self._attributes, self._ops))
            for argument in self._scaled:
                check("scale", library().dnnl_primitive_attr_set_scales_mask(self._attributes, argument, 0))
        return self._attributes
