"""A mask keeps the pieces that are as sure and nearly as large as its main one."""

import torch

from lr_edit.regions.strays import without_specks, without_strays


def test_small_and_unsure_pieces_go_and_others_stay() -> None:
    logits = torch.full((32, 32), -5.0)
    logits[2:12, 2:12] = 5.0  # the thing
    logits[2:12, 18:26] = 4.0  # another of the kind
    logits[18:28, 2:10] = 0.3  # something like it
    logits[28, 28] = 6.0  # a speck
    left = without_strays(logits)
    assert torch.equal(left[:14], logits[:14])
    assert (left[14:] <= -5).all() and (left[18:28, 2:10] == -20).all()
    assert left[17, 5] == -20  # with the pixels around it


def test_what_is_in_one_piece_stays_as_it_is() -> None:
    logits = torch.full((16, 16), -3.0)
    assert without_strays(logits) is logits
    logits[3:9, 3:9] = 0.1
    assert without_strays(logits) is logits


def test_specks_go_that_nowhere_reach_a_half_and_soft_rims_stay() -> None:
    mask = torch.zeros(12, 12)
    mask[2:5, 2:5], mask[5, 2:5] = 1, 0.2  # a thing with a soft rim
    whole = mask.clone()
    whole[10, 10] = 0.4
    assert torch.equal(without_specks(whole), mask)
    assert torch.equal(without_specks(mask), mask)


def test_what_is_faint_everywhere_stays_as_what_comes_nearest() -> None:
    mask = torch.zeros(8, 8)
    mask[1, 1], mask[6, 6] = 0.3, 0.2
    assert without_specks(mask) is mask
