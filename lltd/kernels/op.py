"""How an op is made: one meaning, up to three faces, and the choice among them.

An op says in its folder's reference.py, in plain torch, what it computes. Beside it may lie two faster faces of the
same signature and meaning: cpu.cpp, with a C function lltd_NAME, and cuda.py, with a function of the reference's
name. `Op` makes of them the custom op `lltd::NAME`, which takes tensors and scalars only, changes none of them, and
returns new contiguous tensors. Which face serves a call never changes its result but for rounding.
"""

import ctypes
from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.library import custom_op, infer_schema

from lltd.kernels import native

Outcome = Tensor | tuple[Tensor, ...]
REALS = {torch.float64: "double", torch.float32: "float"}


class View(ctypes.Structure):
    """A contiguous tensor as C++ sees it, `Tensor` in lanes.hpp: where its elements lie, and its shape."""

    _fields_ = (("data", ctypes.c_void_p), ("shape", ctypes.POINTER(ctypes.c_int64)))

    @classmethod
    def of(cls, tensor: Tensor) -> "View":
        """A view that is valid as long as the tensor is."""
        return cls(tensor.data_ptr(), (ctypes.c_int64 * tensor.ndim)(*tensor.shape))


class Op:
    """The op `lltd::NAME`.

    reference: the function it stands for; its annotations are the op's schema. outputs: takes the same arguments
    and returns empty tensors with the shapes and types of the results, contiguous.
    """

    def __init__(self, name: str, reference: Callable[..., Outcome], outputs: Callable[..., Outcome]) -> None:
        self.name, self.reference, self.outputs = name, reference, outputs
        schema = infer_schema(reference, mutates_args=())
        self.registered = custom_op(f"lltd::{name}", self._compute, mutates_args=(), schema=schema)
        self.registered.register_fake(outputs)

    def __call__(self, *arguments: Any) -> Outcome:  # noqa: ANN401
        """The results, as the reference gives them."""
        return self.registered(*arguments)

    def face(self, *arguments: Any) -> tuple[str, Callable[..., Outcome]]:  # noqa: ANN401
        """Which face serves such arguments ("cpu.cpp", "cuda.py" or "reference"), and the face."""
        tensors = [argument for argument in arguments if isinstance(argument, Tensor)]
        reals = {tensor.dtype for tensor in tensors if tensor.is_floating_point()}
        module = self.reference.__module__.rpartition(".")[0]
        if len(reals) == 1 and reals <= REALS.keys():
            if tensors[0].is_cuda and find_spec("triton") and find_spec(f"{module}.cuda"):
                return "cuda.py", getattr(import_module(f"{module}.cuda"), self.reference.__name__)
            source = Path(import_module(module).__file__).with_name("cpu.cpp")
            if tensors[0].is_cpu and source.exists():
                library = native.library(source, REALS[reals.pop()])
                if library is not None:
                    return "cpu.cpp", partial(self._call, library[f"lltd_{self.name}"])
        return "reference", self.reference

    def _compute(self, *arguments: Any) -> Outcome:  # noqa: ANN401
        arguments = tuple(value.contiguous() if isinstance(value, Tensor) else value for value in arguments)
        _, face = self.face(*arguments)
        outcome = face(*arguments)
        if isinstance(outcome, Tensor):
            return _new(outcome, arguments)
        return tuple(_new(tensor, arguments) for tensor in outcome)

    def _call(self, function: Callable[..., None], *arguments: Any) -> Outcome:  # noqa: ANN401
        """Call function(threads, arguments ..., outputs ...), as many threads as torch would use itself."""
        outcome = self.outputs(*arguments)
        results = (outcome,) if isinstance(outcome, Tensor) else outcome
        function(ctypes.c_int64(torch.get_num_threads()), *map(_passed, (*arguments, *results)))
        return outcome


def _passed(value: Tensor | float) -> View | ctypes.c_double | ctypes.c_int64:
    if isinstance(value, Tensor):
        return View.of(value)
    return ctypes.c_double(value) if isinstance(value, float) else ctypes.c_int64(value)


def _new(tensor: Tensor, arguments: tuple[Any, ...]) -> Tensor:
    """The tensor, or a copy of one that came in as an argument: an op's results are its own."""
    return tensor.clone() if any(tensor is argument for argument in arguments) else tensor.contiguous()
