"""`python -m lr_edit.tabletop`: pictures, masks, words and edits of a few scenes, for a person."""

import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image
from rich.progress import track

from lr_edit.arguments import OneLineParser
from lr_edit.errors import UserError
from lr_edit.files import save_image
from lr_edit.images import mask_to_pil, to_pil
from lr_edit.output import output_folder, replacing
from lr_edit.tabletop.captions import caption
from lr_edit.tabletop.edits import KINDS, SceneEdit, sample_edit
from lr_edit.tabletop.language import Phrase, phrases
from lr_edit.tabletop.masks import edit_mask, object_mask
from lr_edit.tabletop.render import render
from lr_edit.tabletop.scene import Scene, sample_scene
from lr_edit.tabletop.sheet import PALETTE, Cell, Line, contact_sheet, outlined

SIDE = 256
FOLDERS = ("pictures", "masks", "edits")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status, 2 for a user's mistake."""
    parser = OneLineParser(prog="python -m lr_edit.tabletop", description=__doc__)
    parser.add_argument("--count", type=int, default=16, help="scenes, at least 1")
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="folder to fill, new or empty"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace what is in the folder already"
    )
    parser.add_argument("--seed", type=int, default=0, help="other seeds show other scenes")
    parser.add_argument("--size", type=int, default=192, help="side of a picture, 32 to 1024")
    options = parser.parse_args(arguments)
    try:
        show(options.output, options.count, options.seed, options.size, options.overwrite)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def show(
    output: Path, count: int = 16, seed: int = 0, size: int = 192, overwrite: bool = False
) -> None:
    """Fills the folder: pictures/, masks/, edits/, captions.jsonl, edits.jsonl and two sheets.

    sheet.png: every picture, its caption and its phrases, the things they refer to outlined.
    edits.png: an edit of every scene, as source, exact target and edit mask. Raises UserError for a
    count or size out of range, for a folder that is not empty unless what was shown there before
    may go (overwrite), and for one that cannot be written to.
    """
    if count < 1 or not 32 <= size <= 1024:
        raise UserError(f"got count {count} and size {size}: give count >= 1, size from 32 to 1024")
    with output_folder(output, overwrite, stale=[f"{name}/*.png" for name in FOLDERS]) as place:
        _fill(place, count, seed, size)
    print(f"{count} scenes in {output}: look at sheet.png and edits.png")


def _fill(output: Path, count: int, seed: int, size: int) -> None:
    for name in FOLDERS:
        (output / name).mkdir()
    cells, edit_cells, captions, edits = [], [], [], []
    for index in track(range(count), "Rendering"):
        rng = random.Random(f"show {seed} {index}")
        scene = sample_scene(f"show {seed} {index}")
        cell, words = show_scene(output, f"{index:03}", scene, rng, size)
        cells.append(cell)
        captions.append(words)
        edit = _some_edit(scene, rng, index)
        cell, words = show_edit(output, f"{index:03}", edit, size)
        edit_cells.append(cell)
        edits.append(words)
    _write_lines(output / "captions.jsonl", captions)
    _write_lines(output / "edits.jsonl", edits)
    save_image(contact_sheet(cells, 4, SIDE), output / "sheet.png")
    save_image(contact_sheet(edit_cells, 2, SIDE * 3 // 4), output / "edits.png")


def show_scene(
    output: Path, name: str, scene: Scene, rng: random.Random, size: int
) -> tuple[Cell, dict[str, Any]]:
    """Writes one picture and the mask of each phrase; returns its cell and its line of words."""
    rendering = render([scene], size)
    said = phrases(scene, rng)
    masks = [object_mask(rendering, [phrase.targets]) for phrase in said]
    picture, sentence = to_pil(rendering.images)[0], caption(scene, rng)
    save_image(picture, output / "pictures" / f"{name}.png")
    for number, mask in enumerate(masks):
        save_image(mask_to_pil(mask), output / "masks" / f"{name}-{number}.png")
    large = picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    outlines = [mask_to_pil(m).resize((SIDE, SIDE)) for m in masks]
    drawn = outlined(large, outlines, PALETTE[: len(outlines)])
    lines = (Line(sentence, margin=0), *map(_phrase_line, said, PALETTE))
    words = {
        "picture": f"pictures/{name}.png",
        "caption": sentence,
        "phrases": [
            {"mask": f"masks/{name}-{number}.png", "text": p.text, "kind": p.kind}
            for number, p in enumerate(said)
        ],
        "scene": scene.to_dict(),
    }
    return Cell((drawn,), lines), words


def show_edit(output: Path, name: str, edit: SceneEdit, size: int) -> tuple[Cell, dict[str, Any]]:
    """Writes source, exact target and edit mask; returns their cell and their line of words."""
    source, target = render([edit.source], size), render([edit.target], size)
    mask = mask_to_pil(edit_mask(source, target))
    pictures = {
        "source": to_pil(source.images)[0],
        "target": to_pil(target.images)[0],
        "mask": mask,
    }
    for role, picture in pictures.items():
        save_image(picture, output / "edits" / f"{name}-{role}.png")
    words = {role: f"edits/{name}-{role}.png" for role in pictures}
    words |= {key: getattr(edit, key) for key in ("kind", "instruction", "find", "paint")}
    return Cell(tuple(pictures.values()), (Line(edit.instruction, margin=0),)), words


def _phrase_line(phrase: Phrase, colour: tuple[int, int, int]) -> Line:
    if phrase.targets:
        return Line(phrase.text, colour)
    return Line(f"{phrase.text} (not there)", faint=True)


def _some_edit(scene: Scene, rng: random.Random, index: int) -> SceneEdit:
    """The edit whose turn it is, or the next kind that the scene admits."""
    turn = index % len(KINDS)
    kinds = (*KINDS[turn:], *KINDS[:turn])
    return next(edit for kind in kinds if (edit := sample_edit(scene, rng, kind)) is not None)


def _write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    with replacing(path) as temporary:
        temporary.write_text("".join(f"{json.dumps(row)}\n" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
