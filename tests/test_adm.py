"""ADM checkpoints become diffusers folders that say what the public code says.

tests/golden/adm*.safetensors were written by guided-diffusion (github.com/openai/guided-diffusion,
commit 22e0df8183507e13a7813f8d38d51b072ca1e67c) on a CPU, with the weights and inputs that `drawn`
and `inputs` make here from the key names and shapes kept in their metadata:

adm: UNetModel(64, in_channels=3, model_channels=64, out_channels=6, num_res_blocks=2,
attention_resolutions=(4, 8), channel_mult=(1, 1, 2, 2), num_head_channels=32,
use_scale_shift_norm=True, resblock_updown=True); besides output and gradient, p_mean_variance of
the SpacedDiffusion of 25 of 1000 linear steps (learned range, clip_denoised=False).

adm_labels: likewise with model_channels=256, num_res_blocks=1, attention_resolutions=(2,),
channel_mult=(0.5, 0.25), num_classes=5, asked for label 3. Like ADM at 512 pixels, it has half as
many channels at its finest level as sinusoids of t.
"""

import json
import math
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from editor_fakes import EdgeDistance, LinearClip, box_mask, picture
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file

from lr_edit.backbones.adm import convert, main
from lr_edit.backbones.diffusion import UNetDiffusion
from lr_edit.cli.main import main as infer
from lr_edit.editors.guided import GuidedEditor
from lr_edit.editors.options import SamplingOptions, WindowOptions
from lr_edit.errors import UserError
from lr_edit.guidance.options import AugmentOptions, GuidanceWeights, ViewOptions
from lr_edit.images import to_pil

GOLDEN = Path(__file__).parent / "golden"
LABELS = {"adm": None, "adm_labels": 3}
SEEDS = {"adm": 0, "adm_labels": 1}
TABLETOP = Path(__file__).parents[1] / "lr_edit" / "tabletop" / "weights"
MODELS = """
clip:
  class_path: lr_edit.backbones.open_clip.OpenClipEncoder
  init_args: {{name: "local-dir:lr_edit/tabletop/weights/clip"}}
perceptual:
  class_path: lr_edit.backbones.perceptual.LpipsDistance
  init_args: {{folder: lr_edit/tabletop/weights/perceptual}}
diffusion:
  class_path: lr_edit.backbones.diffusion.UNetDiffusion
  init_args: {{folder: "{0}", checkpointing: true}}
"""


def uniform(shape: list[int], generator: torch.Generator, spread: float = 1.0) -> torch.Tensor:
    """Numbers of standard deviation `spread`; unlike randn's, the same bits everywhere."""
    return (torch.rand(shape, generator=generator) * 2 - 1) * (spread * 3**0.5)


def shapes(name: str) -> dict[str, list[int]]:
    with safe_open(GOLDEN / f"{name}.safetensors", "pt") as file:
        return json.loads(file.metadata()["shapes"])


def drawn(name: str) -> dict[str, torch.Tensor]:
    """The weights of a golden file; none is zero, those that ADM begins with as zeros neither."""
    generator, state = torch.Generator().manual_seed(SEEDS[name]), {}
    for key, shape in sorted(shapes(name).items()):
        if key.endswith("bias"):
            state[key] = uniform(shape, generator, 0.1)
        elif len(shape) == 1:
            state[key] = 1 + uniform(shape, generator, 0.1)
        else:
            state[key] = uniform(shape, generator, math.prod(shape[1:]) ** -0.5)
    return state


def inputs(name: str) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """x_t, t, and the direction along which the gradient was taken."""
    generator = torch.Generator().manual_seed(100 + SEEDS[name])
    x_t, direction = (uniform([2, c, 16, 16], generator) for c in (3, 6))
    return x_t, torch.tensor([7, 903]), direction


def network(folder: Path) -> Any:
    from diffusers import UNet2DModel

    return UNet2DModel.from_pretrained(str(folder / "unet")).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("adm")
    for name, label in LABELS.items():
        torch.save(drawn(name), place / f"{name}.pt")
        convert(place / f"{name}.pt", place / name, label=label, head_channels=32)
    return {name: place / name for name in LABELS}


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Asserts one clear line, status 2 and nothing written."""

    def check(says: str, checkpoint: Path, output: Path, *options: str) -> None:
        before = set(tmp_path.rglob("*"))
        assert main([str(checkpoint), str(output), "--head-channels", "32", *options]) == 2
        out, err = capsys.readouterr()
        assert out == "" and err.startswith("adm: ") and err.count("\n") == 1 and says in err
        assert set(tmp_path.rglob("*")) == before

    return check


def empty(name: str = "adm") -> dict[str, torch.Tensor]:
    """A state dict that has all shapes and takes next to no room."""
    return {key: torch.zeros(()).expand(shape) for key, shape in shapes(name).items()}


def saved(path: Path, state: object, **options: Any) -> Path:
    torch.save(state, path, **options)
    return path


# What the converted network says


@pytest.mark.parametrize("name", list(LABELS))
def test_output_and_gradient_are_those_of_the_public_code(folders, name):
    golden = load_file(GOLDEN / f"{name}.safetensors")
    x_t, t, direction = inputs(name)
    x_t.requires_grad_()
    output = network(folders[name])(x_t, t).sample
    (gradient,) = torch.autograd.grad((output * direction).sum(), x_t)
    torch.testing.assert_close(output.detach(), golden["output"], atol=1e-5, rtol=0)
    # Machines sum up in other orders: 4.5e-6 off on one, 1.4e-5 on another.
    torch.testing.assert_close(gradient, golden["gradient"], atol=3e-5, rtol=0)


@torch.no_grad()
def test_means_and_variances_are_those_of_the_public_sampler(folders):
    from diffusers import DDPMScheduler

    golden, unet = load_file(GOLDEN / "adm.safetensors"), network(folders["adm"])
    scheduler = DDPMScheduler.from_pretrained(str(folders["adm"] / "scheduler"))
    scheduler.set_timesteps(25)
    x_t = inputs("adm")[0][:1]
    for i, t in enumerate(golden["timesteps"]):
        output = unet(x_t, t[None]).sample
        noisy = scheduler.step(output, t, x_t, generator=torch.Generator().manual_seed(5))
        noise = torch.randn(x_t.shape, generator=torch.Generator().manual_seed(5))
        log_variance = scheduler._get_variance(t, predicted_variance=output[:, 3:])
        mean = noisy.prev_sample - (log_variance / 2).exp() * noise
        torch.testing.assert_close(mean[0], golden["means"][i], atol=1e-5, rtol=0)
        torch.testing.assert_close(
            log_variance[0], golden["log_variances"][i], atol=5e-4, rtol=0
        )  # diffusers keeps the betas in float32


@torch.no_grad()
def test_taking_q_k_and_v_as_thirds_would_be_seen(folders):
    from diffusers.models.attention_processor import Attention

    unet = network(folders["adm"])
    for module in unet.modules():
        if isinstance(module, Attention):
            for kind in ("weight", "bias"):
                thirds = [getattr(m, kind) for m in (module.to_q, module.to_k, module.to_v)]
                heads = torch.stack([third.unflatten(0, (-1, 32)) for third in thirds], 1)
                packed = heads.flatten(0, 2)  # as it lies in the checkpoint
                for third, naive in zip(thirds, packed.chunk(3), strict=True):
                    third.copy_(naive.clone())
    x_t, t, _ = inputs("adm")
    off = (unet(x_t, t).sample - load_file(GOLDEN / "adm.safetensors")["output"]).abs().max()
    assert off > 0.01


def test_half_precision_halves_the_file_and_says_nearly_the_same(folders, tmp_path):
    convert(folders["adm"].with_suffix(".pt"), tmp_path / "half", head_channels=32, float16=True)
    (small,), (large,) = (
        (f / "unet").glob("*.safetensors") for f in (tmp_path / "half", folders["adm"])
    )
    assert small.stat().st_size < 0.51 * large.stat().st_size
    x_t, t, _ = inputs("adm")
    golden = load_file(GOLDEN / "adm.safetensors")["output"]
    with torch.no_grad():
        torch.testing.assert_close(
            network(tmp_path / "half")(x_t, t).sample, golden, atol=0.02, rtol=0
        )


# It is a model of this program


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_unet_diffusion_takes_the_noise_and_leaves_the_variance(folders, dtype):
    model = UNetDiffusion(str(folders["adm"]), dtype=dtype)
    assert model.size == 64 and not model.text_conditional
    betas = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)
    torch.testing.assert_close(
        model.alphas_cumprod.double(), (1 - betas).cumprod(0), atol=1e-6, rtol=1e-4
    )
    x_t, t, _ = inputs("adm")
    with torch.no_grad():
        prediction = model.predict(x_t, t, model.embed(["a", "b"]), x_t, x_t[:, :1])
    golden = load_file(GOLDEN / "adm.safetensors")["output"][:, :3]
    tolerance = 1e-5 if dtype == "float32" else 0.05
    torch.testing.assert_close(prediction.eps, golden, atol=tolerance, rtol=0)


@pytest.mark.parametrize("gradient", ["unet", "straight"])
def test_the_guided_editor_paints_with_it(folders, gradient):
    editor = GuidedEditor(
        UNetDiffusion(str(folders["adm"])), LinearClip(), EdgeDistance(),
        GuidanceWeights(clip=1, lpips=1, l2=1, range=1),
        SamplingOptions(steps=2, gradient=gradient), WindowOptions(minimum=8),
        ViewOptions(side=16), AugmentOptions(copies=2),
    )  # fmt: skip
    image, region = picture(48, 56), box_mask(48, 56, 14, 12, 40, 38)
    result = editor.edit(image, region, "a dog", seeds=[4])
    outside = (result.mask == 0).expand_as(image)
    assert torch.equal(result.candidates[outside], image[outside])
    assert torch.isfinite(result.candidates).all()
    assert (result.candidates - image).abs()[~outside].mean() > 0.05
    assert set(result.losses) == {"clip", "lpips", "l2", "range"}


@pytest.mark.skipif(not (TABLETOP / "clip").is_dir(), reason="the shipped weights are not here")
def test_infer_py_paints_with_it(folders, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo.yaml").write_text(MODELS.format(folders["adm"].as_posix()))
    to_pil(picture(48, 64))[0].save("photo.png")
    to_pil(box_mask(48, 64, 20, 10, 44, 36).expand(-1, 3, -1, -1) * 2 - 1)[0].save("mask.png")
    words = "--image photo.png --mask mask.png --replace apple --with mug --output out --count 1"
    assert infer([*words.split(), "--models", "photo.yaml", "--steps", "2", "--device", "cpu"]) == 0
    assert "0 pixels changed outside" in capsys.readouterr().out
    before, after = Image.open("photo.png"), Image.open("out/edit.png")
    assert after.size == before.size and after.tobytes() != before.tobytes()


# What is refused


def test_the_program_says_what_it_made(tmp_path, capsys):
    checkpoint = saved(tmp_path / "adm.pt", drawn("adm_labels"))
    assert main([str(checkpoint), str(tmp_path / "deep" / "out"), "--label", "0"]) == 0
    assert "16 pixels, 128, 64 channels" in capsys.readouterr().out
    assert (tmp_path / "deep" / "out" / "unet" / "config.json").is_file()
    assert {path.name for path in (tmp_path / "deep").iterdir()} == {"out"}


def test_files_that_are_no_whole_checkpoint(refused, tmp_path):
    refused("no file", tmp_path / "none.pt", tmp_path / "out")
    refused("no file", tmp_path, tmp_path / "out")
    for old in (True, False):
        whole = saved(tmp_path / "whole.pt", empty(), _use_new_zipfile_serialization=old)
        for share in (0.0, 0.5, 0.99):
            cut = whole.with_name("cut.pt")
            cut.write_bytes(whole.read_bytes()[: int(share * whole.stat().st_size)])
            refused("cut.pt", cut, tmp_path / "out")
    page = tmp_path / "page.pt"
    page.write_text("<html>not found</html>")
    refused("get a whole copy", page, tmp_path / "out")
    for other in ([torch.zeros(1)], {"epoch": 3}, {"state_dict": empty()}):
        refused("no state dict", saved(tmp_path / "other.pt", other), tmp_path / "out")


class Code:
    """Unpickled, it makes a file."""

    def __reduce__(self):
        return os.mkdir, ("made-by-a-pickle",)


@pytest.mark.parametrize("new", [True, False])
def test_code_in_a_pickle_is_refused_and_not_run(refused, tmp_path, monkeypatch, new):
    monkeypatch.chdir(tmp_path)
    state = {**empty(), "extra": Code()}
    path = saved(tmp_path / "evil.pt", state, _use_new_zipfile_serialization=new)
    refused("holds code", path, tmp_path / "out")


def test_networks_of_another_kind(refused, tmp_path):
    def case(says: str, changed: dict[str, list[int]], *options: str, name: str = "adm") -> None:
        state = empty(name) | {k: torch.zeros(()).expand(s) for k, s in changed.items()}
        refused(says, saved(tmp_path / "x.pt", state), tmp_path / "out", *options)

    case("takes 6 channels", {"input_blocks.0.0.weight": [64, 6, 3, 3]})
    case("gives 3", {"out.2.weight": [3, 64, 3, 3]})
    case("another shape of out.0.weight", {"out.0.weight": [32]})
    case("another shape of middle_block.1.qkv.bias", {"middle_block.1.qkv.bias": [128]})
    case("has the unknown a, b, c and 1 more", {name: [1] for name in "abcd"})
    case("embeds t in 32 channels", {"time_embed.0.weight": [256, 32]})
    case("no heads of 48", {}, "--head-channels", "48")
    case("no heads of 0", {}, "--head-channels", "0")
    case("knows no labels", {}, "--label", "3")
    case("on 5 labels", {}, name="adm_labels")
    case("0 to 4", {}, "--label", "5", name="adm_labels")
    classifier = {k: v for k, v in empty().items() if not k.startswith("output_blocks")}
    refused("no output_blocks", saved(tmp_path / "x.pt", classifier), tmp_path / "out")
    refused("no output_blocks", saved(tmp_path / "x.pt", {}), tmp_path / "out")


def test_every_key_that_is_missing_is_named(refused, tmp_path):
    for key in ("out.2.weight", "time_embed.2.bias", "input_blocks.1.0.out_layers.3.bias",
                "output_blocks.4.1.qkv.weight", "middle_block.0.in_layers.0.weight"):  # fmt: skip
        state = empty()
        del state[key]
        refused(f"lacks {key}:", saved(tmp_path / "x.pt", state), tmp_path / "out")
    state = {k: v for k, v in empty().items() if not k.startswith("middle_block")}
    refused("and 23 more", saved(tmp_path / "x.pt", state), tmp_path / "out")


def test_what_is_there_is_not_overwritten(refused, folders, tmp_path):
    checkpoint = folders["adm"].with_suffix(".pt")
    (tmp_path / "file").write_text("years of work")
    refused("exists already", checkpoint, tmp_path)
    refused("exists already", checkpoint, tmp_path / "file")
    refused("cannot be written", checkpoint, tmp_path / "file" / "below")


def test_a_write_that_fails_leaves_nothing(folders, tmp_path, monkeypatch):
    from diffusers import DDPMScheduler

    def full(*arguments: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(DDPMScheduler, "save_pretrained", full)
    with pytest.raises(UserError, match="No space left"):
        convert(folders["adm"].with_suffix(".pt"), tmp_path / "out", head_channels=32)
    assert list(tmp_path.iterdir()) == []


def test_the_checkpoint_is_needed_no_more(folders, tmp_path):
    shutil.copytree(folders["adm_labels"], tmp_path / "moved")
    assert UNetDiffusion(str(tmp_path / "moved")).size == 16
