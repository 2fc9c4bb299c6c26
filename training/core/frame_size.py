"""Height and width of frames. A configuration gives one number for a square, or WIDTHxHEIGHT."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import NamedTuple, Self

from engine.core.errors import TrainingError
from engine.core.structured import shown

ImageSize = int | str
"""As a configuration has it: 256, or "640x360", which is 640 wide."""
MULTIPLE = 8
"""Of both sides: the three finest levels of a generator are then exactly twice the one before."""
LONGEST_SHAPE = 8
"""How many times as long as the short side the long one may be."""
_WRITTEN = re.compile(r"(\d{1,5})x(\d{1,5})")


class FrameSize(NamedTuple):
    """Rows and columns of a frame."""

    height: int
    width: int

    @classmethod
    def of(cls, image_size: object, name: str = "image_size") -> Self:
        """Read a number or "WIDTHxHEIGHT". Raises TrainingError, with `name` in its sentence, for anything else."""
        if type(image_size) is int:
            return cls(image_size, image_size)
        written = _WRITTEN.fullmatch(image_size) if isinstance(image_size, str) else None
        if written is None:
            raise TrainingError(
                f"{name} is {shown(image_size)}; a number of pixels for a square was expected, or WIDTHxHEIGHT such as 640x360."
            )
        return cls(int(written[2]), int(written[1]))

    @property
    def image_size(self) -> ImageSize:
        """The size as a configuration has it; a square is one number, so that the same size is always written alike."""
        return self.height if self.height == self.width else str(self)

    @property
    def short_side(self) -> int:
        return min(self)

    @property
    def mean_side(self) -> float:
        """The side of a square with as many pixels."""
        return math.sqrt(self.height * self.width)

    @property
    def shape(self) -> Fraction:
        """Width divided by height."""
        return Fraction(self.width, self.height)

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"

    def doubled(self) -> FrameSize:
        return FrameSize(2 * self.height, 2 * self.width)

    def halved(self, times: int = 1) -> FrameSize:
        """Halve both sides, rounded up."""
        return FrameSize(-(-self.height // 2**times), -(-self.width // 2**times))

    def check(self, name: str = "image_size") -> None:
        """Raise TrainingError, with `name` in its sentence, for a size that no generator makes."""
        nearest = FrameSize(*(max(MULTIPLE, MULTIPLE * round(side / MULTIPLE)) for side in self))
        if nearest != self:
            raise TrainingError(
                f"{name} is {self.image_size}; both sides must be multiples of {MULTIPLE}, such as {nearest.image_size}."
            )
        if max(self) > LONGEST_SHAPE * min(self):
            raise TrainingError(
                f"{name} is {self.image_size}; the long side can be {LONGEST_SHAPE} times the short one at most, such as "
                f"{FrameSize(*(min(side, LONGEST_SHAPE * min(self)) for side in self))}."
            )


def shaped_size(mean_side: float, width: int, height: int) -> FrameSize:
    """Return the size, in multiples of MULTIPLE, with nearly `mean_side`² pixels and nearly the shape of `width` by `height`."""
    shape, area = width / height, mean_side**2
    ideal = math.sqrt(area / shape)
    rows = {MULTIPLE * max(1, math.floor(ideal / MULTIPLE) + step) for step in (-1, 0, 1, 2)}
    columns = ((row, MULTIPLE * max(1, round(row * shape / MULTIPLE))) for row in rows)

    def error(size: tuple[int, int]) -> tuple[float, int]:
        # A wrong shape costs parts of the frame, a wrong number of pixels only time.
        of_shape = abs(math.log(size[1] / size[0] / shape))
        return 2.0 * of_shape + abs(math.log(size[0] * size[1] / area)), size[0]

    return FrameSize(*min(columns, key=error))
