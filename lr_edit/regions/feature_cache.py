"""Feature maps of frozen backbones kept on disk, so that each picture is computed once, ever.

It knows neither the backbones nor where pictures come from: pictures go by their pixels alone.
"""

import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lr_edit.backbones.sources import readable
from lr_edit.errors import UserError
from lr_edit.output import made_folder, replacing
from lr_edit.regions.feature_shards import KEY_BYTES, Shards

FORMAT = 1
FACTS = "about.json"
_MOST = torch.finfo(torch.float16).max

Maps = tuple[Tensor, ...]
"""Feature maps [B, C_i, h_i, w_i]."""


class FeatureCache:
    """The maps of certain backbones in a folder that several processes may use at once.

    Maps are kept as float16, values beyond its range cut to it. What is computed is rounded in the
    same way before it is given, so that a picture has the same maps the first time and ever after.

    folder: made if need be; every set of backbones has a folder of its own in it. identities: tell
    these backbones from others, see `DenseEncoder.identity`. per_file: pictures a file.

    Raises UserError where the folder cannot be made or read.
    """

    def __init__(self, folder: str, identities: Sequence[str], per_file: int = 256) -> None:
        self.facts = {"format": FORMAT, "backbones": list(identities), "pictures_a_file": per_file}
        told = json.dumps(self.facts).encode()
        self.place = made_folder(Path(folder) / hashlib.sha256(told).hexdigest()[:16])
        self.shapes: list[tuple[int, ...]] = []
        self._shards: Shards | None = None
        self._grows = True
        if (self.place / FACTS).exists():
            self._open(kept_shapes(self.place / FACTS))

    def maps(self, images: Tensor, compute: Callable[[Tensor], Maps]) -> Maps:
        """The maps of pictures [B, 3, H, W] in [-1, 1], float32, on their device.

        compute: makes the maps of any such batch; it is called for the pictures that are not there
        yet, in full precision, and never where all are. What it gives is kept.

        Raises UserError where the cache is damaged.
        """
        keys = [picture_key(image) for image in images.detach().float().cpu()]
        rows = self._found(keys)
        lacking = [key for key in dict.fromkeys(keys) if key not in rows]
        if lacking:
            chosen = images[[keys.index(key) for key in lacking]]
            with torch.autocast(images.device.type, enabled=False):
                fresh = compute(chosen)
            self._check([tuple(one.shape[1:]) for one in fresh])
            flat = torch.cat([one.flatten(1).float() for one in fresh], 1)
            halves = flat.clamp(-_MOST, _MOST).half().cpu().numpy()
            self._keep(lacking, halves)
            rows.update(zip(lacking, halves, strict=True))
        stacked = torch.from_numpy(np.stack([rows[key] for key in keys]))
        return self._parted(stacked.to(images.device))

    def estimate(self, count: int) -> str:
        """A line for a person: what `count` pictures take, what is there, and what is free.

        Needs the maps of one picture at least.
        """
        each = 2 * sum(map(volume, self.shapes))
        here = len(self._shards) if self._shards else 0
        free = shutil.disk_usage(self.place).free
        line = (
            f"feature cache {str(self.place)!r}: {readable(each)} a picture, for at most {count} "
            f"pictures {readable(each * count)}; kept so far: {here}, free disk: {readable(free)}"
        )
        if each * (count - here) > free:
            line += "; what does not fit will be computed every time"
        return line

    def _found(self, keys: Sequence[bytes]) -> dict[bytes, np.ndarray]:
        """The rows of those keys that any process has kept."""
        if self._shards is None:
            return {}
        rows = self._shards.rows(keys)
        if all(key in rows for key in keys):
            return rows
        try:
            self._shards.refresh()
        except OSError as error:
            raise self._damaged(error.strerror or str(error)) from error
        return self._shards.rows(keys)

    def _keep(self, keys: Sequence[bytes], rows: np.ndarray) -> None:
        """Writes rows as long as that is possible; once it is not, says so and goes on without."""
        if self._shards is None or not self._grows:
            return
        try:
            self._shards.add(keys, rows)
        except OSError as error:
            self._grows = False
            print(
                f"the feature cache {str(self.place)!r} cannot grow ({error.strerror or error}): "
                f"its {len(self._shards)} pictures stay valid, others are computed every time; "
                "make room and start again to go on filling it",
                file=sys.stderr,
            )

    def _check(self, shapes: list[tuple[int, ...]]) -> None:
        """Notes the shapes of a picture's maps the first time; later ones must be the same."""
        if self._shards is None:
            with replacing(self.place / FACTS) as path:
                path.write_text(json.dumps({**self.facts, "shapes": shapes}), encoding="utf-8")
            self._open(shapes)
        elif shapes != self.shapes:
            raise self._damaged(f"its maps are {self.shapes}, but these are {shapes}")

    def _open(self, shapes: list[tuple[int, ...]]) -> None:
        self.shapes = shapes
        try:
            width = sum(map(volume, shapes))
            self._shards = Shards(self.place, width, int(str(self.facts["pictures_a_file"])))
        except OSError as error:
            raise self._damaged(error.strerror or str(error)) from error

    def _parted(self, rows: Tensor) -> Maps:
        """Rows float16 [B, N] as the maps that they were made of, float32."""
        parts = rows.split([volume(shape) for shape in self.shapes], 1)
        return tuple(
            part.unflatten(1, shape).float() for part, shape in zip(parts, self.shapes, strict=True)
        )

    def _damaged(self, reason: str) -> UserError:
        return UserError(
            f"the feature cache {str(self.place)!r} cannot be used ({reason}): remove that folder, "
            "or give another"
        )


def picture_key(image: Tensor) -> bytes:
    """What a picture float32 [3, H, W] on the CPU is known by: a hash of its size and pixels."""
    digest = hashlib.blake2b(str(tuple(image.shape)).encode(), digest_size=KEY_BYTES)
    digest.update(image.contiguous().numpy().data)
    return digest.digest()


def volume(shape: Sequence[int]) -> int:
    """How many numbers a map has."""
    return int(np.prod(shape))


def kept_shapes(path: Path) -> list[tuple[int, ...]]:
    """The shapes of a picture's maps as noted in a cache's facts; UserError for damaged ones."""
    try:
        shapes = [tuple(map(int, shape)) for shape in json.loads(path.read_text())["shapes"]]
        if shapes and all(volume(shape) > 0 for shape in shapes):
            return shapes
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise UserError(f"{str(path)!r} is damaged: remove the folder that it lies in")
