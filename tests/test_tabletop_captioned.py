"""What is learned from captions: phrases that are true of their pictures, and no mask."""

import random
from pathlib import Path

import torch
from tabletop_reader import read

from lr_edit.tabletop.cache import rendered
from lr_edit.tabletop.captioned import CaptionedPictures, true_phrases
from lr_edit.tabletop.scene import NOUNS, UNSEEN_PAIRS, sample_scene
from lr_edit.tabletop.wishes import allowed, any_wish


def test_items_are_functions_of_their_index_and_hold_no_mask(tmp_path: Path) -> None:
    samples = CaptionedPictures(rendered("train", 4, 48, tmp_path, processes=1), 100, phrases=3)
    first, again = samples[7], samples[7]
    names = {"image", "clear", "phrases", "meant", "prompts", "captions", "edit"}
    assert first.keys() == names and first["captions"] == first["phrases"]
    assert torch.equal(first["image"], again["image"]) and first["phrases"] == again["phrases"]
    assert first["image"].shape == (3, 48, 48) and first["image"].abs().max() <= 1
    assert len(first["phrases"]) == len(first["prompts"]) == 3 and not first["edit"].any()
    batch = samples.collate([samples[1], samples[2]])
    assert batch["image"].shape == (2, 3, 48, 48) and batch["edit"].shape == (2, 3)
    assert batch["phrases"] == samples[1]["phrases"] + samples[2]["phrases"]


def test_every_phrase_names_something_that_is_there() -> None:
    for seed in range(60):
        scene = sample_scene(f"captioned {seed}")
        if scene.things:
            for phrase in true_phrases(scene, random.Random(seed), 3):
                assert read(scene, phrase.text) == set(phrase.targets), (seed, phrase.text)


def test_an_edit_prompt_says_itself_what_things_become_and_its_caption_what_they_are(
    tmp_path: Path,
) -> None:
    scenes = rendered("train", 4, 48, tmp_path, processes=1)
    samples = CaptionedPictures(scenes, 20, phrases=2, kinds=("edit_prompt",))
    seen = 0
    for item in (samples[k] for k in range(20)):
        rows = zip(item["edit"], item["phrases"], item["prompts"], item["captions"], strict=True)
        for edit, phrase, prompt, caption in rows:
            if edit:
                seen += 1
                assert prompt == phrase != caption
                assert caption.split()[-1] in phrase.split(), (phrase, caption)
    assert seen > 10


def test_no_wish_is_for_what_training_must_not_see() -> None:
    for noun in NOUNS:
        assert not {(colour, noun) for colour in allowed(noun)} & set(UNSEEN_PAIRS)
    rng = random.Random(0)
    assert all(any_wish(rng).startswith(("a ", "an ")) for _ in range(50))
