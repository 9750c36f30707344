"""infer.py on every kind of network for photographs: tiny ones, in the format of the published."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import weights
import yaml
from fetch_fakes import Web, serving_hub
from photo_fakes import TRUNKS, caller, only_half, publish_clip, publish_trunk
from PIL import Image
from tiny_models import tiny_models

from lr_edit.backbones.open_clip import OpenClipEncoder
from lr_edit.model_files import FOLDER

Call = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The entries of a set of tiny models, all of them folders."""
    return yaml.safe_load(tiny_models(tmp_path_factory.mktemp("models")).read_text())


@pytest.fixture
def call(tmp_path: Path, parts: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Call:
    """infer.py on a set, some entries of which are given; see `caller`."""
    monkeypatch.chdir(tmp_path)
    return caller(tmp_path, parts)


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    """A hub on this machine, of which nothing has been fetched yet."""
    with serving_hub(tmp_path / "hub", monkeypatch) as web:
        yield web


def edited(folder: Path, name: str) -> np.ndarray:
    return np.asarray(Image.open(folder / name / "edit.png")).astype(int)


def entry(path: str, **arguments: Any) -> dict[str, Any]:
    return {"class_path": f"lr_edit.backbones.{path}", "init_args": arguments}


def inside_differs(folder: Path) -> bool:
    """Whether the region of out/ was painted, and nothing at the far side."""
    before = np.asarray(Image.open(folder / "photo.png")).astype(int)
    differs = before != edited(folder, "out")
    return bool(differs[24:32, 24:32].any() and not differs[:, 60:].any())


# CLIP by name and tag, LPIPS on published trunks


PHOTO = yaml.safe_load((FOLDER / "photo.yaml").read_text(encoding="utf-8"))
OPENAI = PHOTO["clip"]["init_args"]
CLIPS = {
    "openai": OPENAI,
    "openai, told of QuickGELU by the tag": {**OPENAI, "name": "ViT-B-16"},
    "laion": PHOTO["scorer"]["init_args"],
}


@pytest.mark.parametrize("name", list(CLIPS))
def test_clip_of_a_published_tag_guides(
    call: Call, tmp_path: Path, web: Web, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The entries of the set photo as they stand, and one that does not say quickgelu."""
    given = CLIPS[name]
    publish_clip(web, tmp_path / "published", given, monkeypatch)
    for output, weight in (("guided", 1000), ("free", 0)):
        entries = {"clip": entry("open_clip.OpenClipEncoder", **given)}
        report = call(output, entries, **{"weights.clip": weight})
        assert report["figures"]["changed_outside"] == 0
    assert (edited(tmp_path, "guided") != edited(tmp_path, "free")).any()
    assert web.taken().count("open_clip_model.safetensors") == 1
    network = OpenClipEncoder(**given).network
    used = {type(m).__name__ for m in network.modules() if "GELU" in type(m).__name__}
    assert used == {"GELU" if name == "laion" else "QuickGELU"}


@pytest.mark.parametrize("net", list(TRUNKS))
def test_published_lpips_guides(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, net: str
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    publish_trunk(tmp_path / "torch", net)
    entries = {"perceptual": entry("perceptual.LpipsDistance", net=net)}
    for name, weight in (("guided", 1000), ("free", 0)):
        report = call(name, entries, **{"weights.lpips": weight})
        assert report["figures"]["changed_outside"] == 0
    assert (edited(tmp_path, "guided") != edited(tmp_path, "free")).any()


# Stable Diffusion


@pytest.mark.parametrize("name", ["plain", "inpainting", "xl"])
def test_stable_diffusion_edits(
    call: Call, tmp_path: Path, latent_folders: Path, name: str
) -> None:
    diffusion = entry("latent_diffusion.StableDiffusion", name=str(latent_folders / name))
    report = call("out", {"diffusion": diffusion})
    assert report["figures"]["changed_outside"] == 0
    assert inside_differs(tmp_path)


@pytest.mark.parametrize("part", ["diffusion", "inpainter"])
def test_the_variant_of_the_recommended_set_edits(
    call: Call, tmp_path: Path, latent_folders: Path, part: str
) -> None:
    """Published as safetensors in fp16 alone; computed in float32, as on every CPU."""
    folder = only_half(latent_folders / "inpainting", tmp_path / "published")
    kind = {
        "diffusion": "latent_diffusion.StableDiffusion",
        "inpainter": "pipeline.PipelineInpainter",
    }
    model = entry(kind[part], name=str(folder), variant="fp16", dtype="float16")
    report = call("out", {"diffusion": None, part: model})
    assert report["figures"]["changed_outside"] == 0
    assert inside_differs(tmp_path)


# What finds regions

DINO = {
    "vit": {
        "do_normalize": True, "do_resize": True, "feature_extractor_type": "ViTFeatureExtractor",
        "resample": 2, "size": 224,
    },
    "dinov2": {
        "crop_size": {"height": 224, "width": 224}, "do_center_crop": True,
        "image_processor_type": "BitImageProcessor", "resample": 3, "rescale_factor": 1 / 255,
        "size": {"shortest_edge": 256},
    },
    "dinov3_vit": {
        "image_processor_type": "DINOv3ViTImageProcessorFast", "input_data_format": None,
        "resample": 2, "size": {"height": 224, "width": 224},
    },
}  # fmt: skip
DINO["dinov2_with_registers"] = DINO["dinov2"]


@pytest.mark.parametrize("kind", list(DINO))
def test_regions_are_learned_with_every_dino(call: Call, tmp_path: Path, kind: str) -> None:
    folder = weights.dino(tmp_path / "dino", kind)
    path = folder / "preprocessor_config.json"
    kept = {k: v for k, v in json.loads(path.read_text()).items() if k.startswith("image_")}
    path.write_text(json.dumps(kept | DINO[kind]))
    entries = {"dino": entry("dino.DinoEncoder", name=str(folder))}
    report = call("out", entries, proposer="per_image")
    assert report["settings"]["proposer"] == "per_image"
    assert report["figures"]["changed_outside"] == 0
    assert len(report["region"]["alternatives"]) > 1
    assert np.asarray(Image.open(tmp_path / "out" / "region.png")).any()


def test_segformer_as_published_segments_the_same(
    call: Call, tmp_path: Path, parts: dict[str, Any]
) -> None:
    """preprocessor_config.json of nvidia/segformer-b5-finetuned-ade-640-640, at another size."""
    ours = parts["segmenter"]["init_args"]["name"]
    shutil.copytree(ours, tmp_path / "published")
    said = json.loads((Path(ours) / "preprocessor_config.json").read_text())
    facts = {
        "do_normalize": True, "do_resize": True, "image_mean": said["image_mean"],
        "feature_extractor_type": "SegformerFeatureExtractor", "image_std": said["image_std"],
        "reduce_labels": True, "resample": 2, "size": 32,
    }  # fmt: skip
    (tmp_path / "published" / "preprocessor_config.json").write_text(json.dumps(facts))
    found = []
    for name, folder in (("new", ours), ("old", str(tmp_path / "published"))):
        entries = {"segmenter": entry("segformer.SegformerSegmenter", name=folder)}
        report = call(name, entries, proposer="segformer_clip")
        found.append((report["region"], (tmp_path / name / "region.png").read_bytes()))
    assert found[0] == found[1]
