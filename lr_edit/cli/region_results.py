"""What `infer.py --region-only` leaves in its folder: the masks, a sheet, and a report."""

from pathlib import Path

import torch

from lr_edit.backbones.memory import enough_memory
from lr_edit.cli.edit import READING_REMEDY, Request
from lr_edit.cli.results import versions
from lr_edit.evaluation.machine import provenance
from lr_edit.files import save_image
from lr_edit.images import mask_to_pil
from lr_edit.output import replacing, write_json
from lr_edit.regions.region import Region
from lr_edit.sheet import Tile, marked, sheet

_SHOWN = 4  # alternatives on the sheet and in the report


@enough_memory(READING_REMEDY)
def write_region(folder: Path, request: Request, region: Region) -> str:
    """Writes a region to `folder` and says in a line what was found.

    region.png: the thing; change.png: what changes along with it, where the proposer knows it (both
    white = found, fit for --mask); sheet.png: these and the alternatives; report.json. Raises
    UserError where memory runs out, and where the folder cannot be written to.
    """
    save_image(mask_to_pil(region.mask), folder / "region.png")
    if region.change is not None:
        save_image(mask_to_pil(region.change), folder / "change.png")
    instruction, original = request.settings.instruction, request.picture.original
    share = float(region.mask.mean())
    note = f"confidence {region.confidence:.2f} · {share:.1%} of the picture"
    tiles = [Tile(original, "source", "{} x {} pixels".format(*original.size))]
    for mask, name, about in (
        (region.mask, "region", note),
        (region.change, "what changes with it", "its shadow, and room"),
        *((one.mask, one.label, f"score {one.score:.2f}") for one in region.alternatives[:_SHOWN]),
    ):
        if mask is not None:
            shown = mask_to_pil(mask)
            tiles.append(Tile(marked(original, shown, shown), name, about))
    save_image(sheet(f"“{instruction.find}”", tiles), folder / "sheet.png")
    report = {
        "find": instruction.find, "reading": instruction.reading,
        "confidence": region.confidence, "present": region.present, "region_share": share,
        "alternatives": [
            {"label": one.label, "score": one.score} for one in region.alternatives[:_SHOWN]
        ],
        "settings": {**request.settings.given, "proposer": request.settings.proposer},
        **provenance(torch.device(request.device)),
        "versions": versions(),
    }  # fmt: skip
    with replacing(folder / "report.json") as path:
        write_json(path, report)
    output = Path(request.settings.output)
    return f"{output / 'region.png'} is “{instruction.find}”: {note}"
