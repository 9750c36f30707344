"""How tests call infer.py: options as words, quick ones, and masks of one box."""

from pathlib import Path
from typing import Any

from PIL import Image


def as_words(options: dict[str, Any]) -> list[str]:
    """A command line of these options: True is a flag, None drops one."""
    return [
        word
        for name, value in options.items()
        if value is not None
        for word in ([f"--{name}"] if value is True else [f"--{name}", str(value)])
    ]


def quick_edit(folder: Path, **changes: Any) -> list[str]:
    """An edit of photo.png in that folder that takes no time, results in out/."""
    options = {
        "image": folder / "photo.png", "replace": "the red apple", "with": "an orange",
        "output": folder / "out", "count": 2, "steps": 2, "device": "cpu",
    }  # fmt: skip
    return as_words(options | changes)


def white(size: tuple[int, int], box: tuple[int, int, int, int], value: int = 255) -> Image.Image:
    """A mask of that size (width, height), black but for a box."""
    mask = Image.new("L", size)
    mask.paste(value, box)
    return mask
