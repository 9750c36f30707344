"""Every row of the benchmark of sizes runs end to end, on tiny architectures."""

from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest
import torch

from lr_edit.backbones.adm import empty_unet
from lr_edit.backbones.adm_keys import Architecture
from lr_edit.evaluation import bench_sizes
from lr_edit.evaluation.bench_memory import alone, peak_gib
from lr_edit.evaluation.bench_rows import ROWS, Figures, figures
from lr_edit.evaluation.bench_timing import parameters
from lr_edit.evaluation.random_models import ADM_256, ADM_512, Sizes

TINY = Sizes(
    sides=(16, 32),
    adm=(
        Architecture((32, 64), (False, True), layers=1, time_channels=32),
        Architecture((32, 32, 64), (False, False, True), layers=1, time_channels=64),
    ),
    clip={
        "embed_dim": 16,
        "vision_cfg": {
            "image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 8,
        },
        "text_cfg": {
            "context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1,
        },
    },
    lpips="squeeze",
    segformer={
        "hidden_sizes": [8, 8, 16, 16], "depths": [1, 1, 1, 1], "num_attention_heads": [1, 1, 2, 2],
        "decoder_hidden_size": 16, "num_labels": 3,
    },
    segmented=32,
    unet={
        "sample_size": 4, "in_channels": 9, "block_out_channels": (16, 32), "layers_per_block": 1,
        "cross_attention_dim": 32, "attention_head_dim": 8, "norm_num_groups": 8,
        "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
    },
    vae={
        "block_out_channels": (8,) * 4, "layers_per_block": 1, "norm_num_groups": 4,
        "sample_size": 32, "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
    },
    text={
        "vocab_size": 600, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1,
        "num_attention_heads": 2, "max_position_embeddings": 20, "projection_dim": 16,
    },
    tiny={
        "encoder_block_out_channels": (8,) * 4, "decoder_block_out_channels": (8,) * 4,
        "num_encoder_blocks": (1,) * 4, "num_decoder_blocks": (1,) * 4,
    },
)  # fmt: skip
HEAD = [
    "configuration", "M parameters", "load (s)", "region (s)", "step 16 px (s)", "step 32 px (s)",
    "peak (GiB)",
]  # fmt: skip


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))  # which a row sets anew
    return tmp_path


def lines(page: str) -> list[list[str]]:
    """The cells of the table's lines."""
    rows = [line.strip("|").split("|") for line in page.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows]


def test_every_row_has_its_figures(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = place / "bench.md"
    assert bench_sizes.main(["--output", str(output)], TINY, figures) == 0
    page = output.read_text()
    assert page == capsys.readouterr().out and "torch" in page and "random weights" in page
    head, _, *body = lines(page)
    assert head == HEAD
    assert [row[0] for row in body] == [row.title for row in ROWS.values()]
    for name, (_, count, load, *timed, peak) in zip(ROWS, body, strict=True):
        assert min(map(float, (count, peak))) > 0 and float(load) >= 0
        column = 0 if name == "region" else 1 if name.startswith("adm256") else 2
        assert [cell != "–" for cell in timed] == [k == column for k in range(3)]


def test_rows_can_be_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench_sizes.main(["--rows", "region"], TINY, figures) == 0
    assert [row[0] for row in lines(capsys.readouterr().out)[2:]] == [ROWS["region"].title]


def test_unknown_rows_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench_sizes.main(["--rows", "adm256", "adm1024"]) == 2
    shown = capsys.readouterr()
    assert "adm1024" in shown.err and "adm256-twice" in shown.err
    assert shown.err.count("\n") == 1 and not shown.out


def test_a_row_that_memory_does_not_suffice_for_is_left_empty(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def ended(*_: object) -> Figures:
        raise BrokenProcessPool

    assert bench_sizes.main(["--rows", "region"], TINY, ended) == 0
    assert lines(capsys.readouterr().out)[2][1:] == ["–"] * 6


def test_a_folder_that_does_not_exist_is_told(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench_sizes.main(["--output", str(place / "no" / "bench.md")]) == 2
    assert "does not exist" in capsys.readouterr().err


def test_a_process_of_its_own_does_not_count_the_memory_of_this_one() -> None:
    held = torch.ones(2**26)  # a quarter of a GiB
    assert 0 < alone(peak_gib, "cpu") < peak_gib("cpu") - 0.2
    assert held.numel() == 2**26


def test_the_real_sizes_are_those_of_the_published_networks() -> None:
    for architecture, side, millions in ((ADM_256, 256, 552.8), (ADM_512, 512, 558.0)):
        assert architecture.size == side
        assert parameters(empty_unet(architecture)) / 1e6 == pytest.approx(millions, abs=0.2)
