"""The layers of a net as pycaffe shows them: `net.layers[i].type` and `.blobs`."""

from __future__ import annotations

from typing import Any

from brew.layer import Layer

from .vectors import BlobVec


class LayerView:
    """A layer of a net: its type, and its parameters.

    Of a layer that the user wrote in Python it also has whatever that object has, and what is set here is set there.
    """

    type: str
    blobs: BlobVec

    def __init__(self, layer: Layer, blobs: BlobVec) -> None:
        own = {"_name": layer.name, "type": layer.type, "blobs": blobs, "_user": getattr(layer, "instance", None)}
        self.__dict__.update(own)

    def __getattr__(self, name: str) -> Any:
        user = self.__dict__.get("_user")
        if user is None:
            raise AttributeError(f"a layer of type {self.__dict__.get('type', '?')} has no attribute {name!r}")
        return getattr(user, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if self._user is None or name in self.__dict__:
            raise AttributeError(f"{name!r} of a layer of type {self.type} cannot be set")
        setattr(self._user, name, value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *(() if self._user is None else dir(self._user))})

    def __repr__(self) -> str:
        return f'<Layer "{self._name}" {self.type}>'
