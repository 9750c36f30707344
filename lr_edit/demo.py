"""A first edit to look at: a tabletop with a red apple, which becomes an orange.

    python -m lr_edit.demo --output out/demo

The scene is always the same; the edit is what `infer.py` does with the picture of it.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from lr_edit.arguments import OneLineParser
from lr_edit.cli.main import main as infer
from lr_edit.errors import UserError
from lr_edit.tabletop.scene import Camera, Light, Scene, Thing

FIND, PAINT = "the red apple", "an orange"
SIZE = 128
SCENE = Scene(
    things=(
        Thing("apple", "red", "shiny", "large", -0.15, -0.85, 0.3),
        Thing("mug", "blue", "shiny", "large", 1.25, 0.2, -0.4),
        Thing("book", "purple", "matte", "large", -1.6, 0.7, 0.4),
        Thing("lamp", "yellow", "matte", "large", -1.35, 2.3, 0.2),
    ),
    surface="wood",
    backdrop="gray wall",
    camera=Camera(azimuth=0.05, elevation=0.52, distance=7.2),
    light=Light(azimuth=-0.9, elevation=0.95, strength=0.6),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Renders the scene to OUTPUT/scene.png and edits it; the exit status of `infer.py`."""
    parser = OneLineParser(prog="python -m lr_edit.demo", description=__doc__)
    parser.add_argument("--output", default="out/demo", help="folder for the results")
    output = Path(parser.parse_args(arguments).output)
    print(f"rendering a scene, in which {FIND} becomes {PAINT}", flush=True)
    try:
        picture = write_scene(output)
    except UserError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 2
    edit = ["--image", str(picture), "--replace", FIND, "--with", PAINT]
    return infer([*edit, "--output", str(output), "--overwrite"])


def write_scene(folder: Path) -> Path:
    """The picture of SCENE as a file in the folder."""
    from lr_edit.files import save_image
    from lr_edit.images import to_pil
    from lr_edit.output import made_folder
    from lr_edit.tabletop.render import render

    path = made_folder(folder) / "scene.png"
    save_image(to_pil(render([SCENE], SIZE).images)[0], path)
    return path


if __name__ == "__main__":
    sys.exit(main())
