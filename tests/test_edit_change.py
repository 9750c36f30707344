"""What an editor is handed of a region: all that changes, and whether that is known."""

import pytest
import torch
from editor_fakes import Witness, box_mask, picture
from torch import Tensor

from lr_edit.edit import edit_image
from lr_edit.instruction import Reading
from lr_edit.ranked import Critics
from lr_edit.regions.region import Region, RegionProposer

THING, CHANGE = box_mask(40, 40, 12, 12, 20, 20), box_mask(40, 40, 12, 12, 30, 24)


class Found(RegionProposer):
    """Finds that region whatever is asked."""

    def __init__(self, region: Region) -> None:
        self.region = region

    def propose(
        self, image: Tensor, phrase: str, reading: Reading = "refer", paint: str = ""
    ) -> Region:
        return self.region


@pytest.mark.parametrize("change", [CHANGE, None])
def test_the_editor_is_handed_all_that_changes_where_it_is_known(change: Tensor | None) -> None:
    editor, region = Witness(), Region(THING, (), 0.9, change=change)
    result = edit_image(
        picture(40, 40), "the mug", "a cat", proposer=Found(region), editor=editor,
        critics=Critics(), seeds=[0],
    )  # fmt: skip
    ((handed, complete),) = editor.handed
    assert torch.equal(handed, THING if change is None else change)
    assert complete is (change is not None)
    assert result.region is region and result.figures["region_share"] == float(THING.mean())


def test_each_of_several_is_handed_with_what_changes_along_with_it() -> None:
    things = THING + box_mask(40, 40, 32, 12, 36, 20)
    change = CHANGE + box_mask(40, 40, 32, 12, 38, 24)
    editor, proposer = Witness(), Found(Region(things, (), 1, change=change))
    edit_image(
        picture(40, 40), "both mugs", "two cats", proposer=proposer, editor=editor,
        critics=Critics(), seeds=[0],
    )  # fmt: skip
    assert [complete for _, complete in editor.handed] == [True, True]
    assert torch.equal(sum(handed for handed, _ in editor.handed), change)
