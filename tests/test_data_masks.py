"""Polygons and run lengths against slow references, and masks in every form that files have."""

import io
from pathlib import Path

import numpy as np
import pytest
from data_fakes import SIZE, counts, packed, scene, white
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lr_edit.data.masks import Drawn, Polygons, Runs, Spans, Union, alike, coco_mask
from lr_edit.data.opened import Stored
from lr_edit.data.outlines import (
    counts_mask,
    polygon_mask,
    polygons_mask,
    spans_mask,
    string_counts,
)
from lr_edit.data.records import NOTHING, Mask, Unusable

bits = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(
    lambda hw: st.lists(
        st.lists(st.booleans(), min_size=hw[1], max_size=hw[1]), min_size=hw[0], max_size=hw[0]
    )
)
coordinates = st.floats(-3, 12, allow_nan=False).map(lambda v: round(v, 2))
polygons = st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=7)


def inside(x: float, y: float, corners: list[tuple[float, float]]) -> bool:
    """Even and odd: how many edges a ray to the left crosses."""
    odd = False
    for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
        if (y0 <= y) != (y1 <= y):
            odd ^= x0 + (y - y0) * ((x1 - x0) / (y1 - y0)) <= x
    return odd


@settings(max_examples=60)
@given(polygons)
def test_a_polygon_covers_the_pixels_whose_centre_it_encloses(
    corners: list[tuple[float, float]],
) -> None:
    drawn = polygon_mask([v for corner in corners for v in corner], (9, 7))
    expected = [[inside(x + 0.5, y + 0.5, corners) for x in range(9)] for y in range(7)]
    assert drawn.shape == (7, 9) and drawn.tolist() == expected


def test_the_polygon_of_a_box_is_the_box_and_parts_add_up() -> None:
    first, second = [1, 1, 4, 1, 4, 3, 1, 3], [6, 0, 8, 0, 8, 7, 6, 7]
    drawn = polygons_mask([first, second, first], (9, 7))
    expected = np.zeros((7, 9), dtype=bool)
    expected[1:3, 1:4] = expected[:, 6:8] = True
    assert (drawn == expected).all()


@settings(max_examples=60)
@given(bits)
def test_run_lengths_come_back(rows: list[list[bool]]) -> None:
    mask = np.array(rows)
    runs = counts(mask)
    assert (counts_mask(runs, mask.shape[::-1]) == mask).all()
    assert string_counts(packed(runs)).tolist() == runs
    assert string_counts(packed(runs).encode()).tolist() == runs


@given(st.lists(st.integers(0, 2**30), min_size=1, max_size=12))
def test_long_runs_come_back(runs: list[int]) -> None:
    assert string_counts(packed(runs)).tolist() == runs


def test_a_string_written_by_hand() -> None:
    # 6x6 pixels, columns 1 and 2 filled but for their last pixel: from the fourth on, differences
    # 0 and 18, of which the latter takes two characters, for its fifth bit would be a sign.
    assert string_counts("6510b0").tolist() == [6, 5, 1, 5, 19]


@settings(max_examples=40)
@given(bits)
def test_spans_along_rows_come_back(rows: list[list[bool]]) -> None:
    mask = np.array(rows)
    flat = mask.ravel()
    spans = [v for k in np.flatnonzero(flat) for v in (int(k), 1)]
    assert (spans_mask(spans, mask.shape[::-1]) == mask).all()


@pytest.mark.parametrize(
    "mask",
    [
        Polygons([[1, 1, 2]], "a"), Polygons([[1, 1, 2, 2]], "a"), Polygons([[1, 1, "b"]], "a"),
        Polygons([[0, 0, 1, 1, float("nan"), 2]], "a"), Runs([3, 4], "a", (4, 3)),
        Runs([-1, 13], "a", (4, 3)), Runs([1.5, 10.5], "a", (4, 3)), Runs("", "a", (4, 3)),  # type: ignore[list-item]
        Runs("~~", "a", (4, 3)), Runs("äö", "a", (4, 3)), Runs("PPPPPPPPPPPPPP0", "a", (4, 3)),
        Spans([1], "a", (4, 3)), Spans([12, 1], "a", (4, 3)), Spans([-1, 2], "a", (4, 3)),
    ],
)  # fmt: skip
def test_what_is_no_mask_is_unusable(mask: Mask) -> None:
    with pytest.raises(Unusable, match="damaged mask: a"):
        mask.draw((4, 3))


def test_masks_of_another_size_are_unusable() -> None:
    sized = [Runs([12], "a", (4, 3)), Spans([], "a", (4, 3)), Polygons([], "a", (4, 3))]
    for mask in [*sized, Drawn(Stored(Image.new("L", (4, 3)), "a"), "a")]:
        assert mask.draw((4, 3)).shape == (3, 4)
        with pytest.raises(Unusable, match=r"mask of another size: a .*4x3 for 3x4"):
            mask.draw((3, 4))


@pytest.mark.parametrize("mode", ["L", "1", "RGB", "RGBA", "P", "LA", "I;16"])
def test_white_is_inside_in_every_mode(mode: str, tmp_path: Path) -> None:
    _, mask, _ = scene(3)
    image = Image.fromarray(mask.astype(np.uint16) * 65535)
    if mode != "I;16":
        image = white(mask).convert(mode)
    image.save(tmp_path / "mask.png")
    drawn = Drawn(Stored(tmp_path / "mask.png", "m", "mask"), "m").draw(SIZE)
    assert drawn.dtype == bool and (drawn == mask).all()


def test_masks_of_0_and_1_are_refused_and_transparent_is_black() -> None:
    _, mask, _ = scene(3)
    with pytest.raises(Unusable, match="nearly black"):
        Drawn(Stored(Image.fromarray(mask.astype(np.uint8)), "m"), "m").draw(SIZE)
    clear = Image.new("RGBA", SIZE, (255, 255, 255, 0))
    assert not Drawn(Stored(clear, "m"), "m").draw(SIZE).any()
    assert Drawn(Stored(clear, "m"), "m", holes=True).draw(SIZE).all()


def test_stretched_masks_fit_pictures_of_the_same_shape_only() -> None:
    _, mask, _ = scene(3)
    small = Drawn(Stored(white(mask), "m"), "m", stretched=True)
    drawn = small.draw((96, 64))
    assert (drawn[::2, ::2] == mask).all() and (drawn[1::2, 1::2] == mask).all()
    with pytest.raises(Unusable, match="another size"):
        small.draw((96, 96))
    assert alike((1024, 683), (1600, 1067)) and not alike((100, 100), (100, 102))


def test_files_that_are_missing_or_damaged(tmp_path: Path) -> None:
    (tmp_path / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    with pytest.raises(Unusable, match="missing mask: gone"):
        Drawn(Stored(tmp_path / "gone.png", "gone", "mask"), "gone").draw(SIZE)
    with pytest.raises(Unusable, match="damaged mask: torn"):
        Drawn(Stored(tmp_path / "torn.png", "torn", "mask"), "torn").draw(SIZE)
    with pytest.raises(Unusable, match="damaged picture: bytes"):
        Stored(b"no picture", "bytes").image()
    buffer = io.BytesIO()
    scene(0)[0].save(buffer, "PNG")
    with pytest.raises(Unusable, match="damaged picture"):
        Stored(buffer.getvalue()[:200], "cut").image()


def test_coco_segmentations_of_every_kind_mean_the_same() -> None:
    mask = np.zeros(SIZE[::-1], dtype=bool)
    mask[4:9, 3:20] = True
    box = [3, 4, 20, 4, 20, 9, 3, 9]
    size = list(SIZE[::-1])
    forms = [
        [box], box, {"counts": counts(mask), "size": size},
        {"counts": packed(counts(mask)), "size": size},
    ]  # fmt: skip
    for form in forms:
        assert (coco_mask(form, "a").draw(SIZE) == mask).all()
    assert (Union([coco_mask(form, "a") for form in forms]).draw(SIZE) == mask).all()
    for wrong in (None, "text", 3, {"counts": [1]}, {"size": [1, 1]}):
        with pytest.raises(Unusable, match="damaged mask"):
            coco_mask(wrong, "a")
    assert not NOTHING.draw(SIZE).any()
