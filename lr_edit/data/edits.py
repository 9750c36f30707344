"""Pictures with an edit of them in words and where it is made: PIE-Bench and MagicBrush."""

import re
from functools import cached_property

from lr_edit.data.hub import CACHE, open_stream, open_table
from lr_edit.data.masks import Drawn, Spans
from lr_edit.data.nouns import noun_phrases
from lr_edit.data.opened import stored_cell
from lr_edit.data.records import PhraseSource, Record, Unusable, phrases_of
from lr_edit.data.rows import Rows

_FUNCTION_WORDS = {"a", "an", "the", "of", "with", "in", "on", "and", "at", "to", "is"}


class PieBench(PhraseSource):
    """UB-CVML-Group/PIE_Bench_pp: PIE-Bench (Ju et al., ICLR 2024) with revised prompts.

    Columns used, as its card on the hub lists them (dataset_info of README.md): "image", 512 x 512;
    "id"; "source_prompt" and "target_prompt", in which brackets mark what differs; "mask", "start
    length start length …" along the rows, the part to be edited. What is marked in the source's
    prompt refers to the thing; what is marked in the target's is an edit prompt. Both mean the
    mask, which is also what the edit changes.

    config: the kind of edit, "0_random_140" for one. split: "V1" is the only one.
    """

    COLUMNS = ("image", "id", "source_prompt", "target_prompt", "mask")
    SIZE = (512, 512)

    def __init__(
        self,
        config: str = "1_change_object_80",
        name: str = "UB-CVML-Group/PIE_Bench_pp",
        split: str = "V1",
        cache: str = CACHE,
    ) -> None:
        self.name, self.config, self.split, self.cache = name, config, split, cache

    @cached_property
    def rows(self) -> Rows:
        """The table."""
        return open_table(self.name, self.split, self.COLUMNS, self.config, self.cache)

    def __len__(self) -> int:
        return len(self.rows)

    def record(self, number: int) -> Record:
        row = self.rows.row(number)
        name = f"{self.name} {self.config}, {row['id']}"
        try:
            spans = [int(word) for word in row["mask"].split()]
        except (AttributeError, ValueError) as error:
            raise Unusable("damaged mask", name) from error
        mask = Spans(spans, f"the mask of {name}", self.SIZE)
        before = phrases_of(marked(row["source_prompt"]), mask, "refer", mask)
        after = phrases_of(marked(row["target_prompt"]), mask, "edit", mask)
        return Record(name, stored_cell(row["image"], name), before + after)


class MagicBrush(PhraseSource):
    """osunlp/MagicBrush (Zhang et al., NeurIPS 2023): instructions with a region painted by hand.

    Columns used, as its card on the hub lists them (dataset_info of README.md): "img_id";
    "turn_index"; "source_img"; "mask_img", the source with the region made transparent (as the
    authors say in issue 10 of OSU-NLP-Group/MagicBrush), sometimes of another size; "instruction",
    an edit prompt. The region is generous: it is what may change rather than the thing.

    split: "train" or "dev". streaming: whether rows are read on the way (the set has 25 GB) and not
    kept.
    """

    COLUMNS = ("img_id", "turn_index", "source_img", "mask_img", "instruction")

    def __init__(
        self,
        name: str = "osunlp/MagicBrush",
        split: str = "train",
        streaming: bool = True,
        cache: str = CACHE,
    ) -> None:
        self.name, self.split, self.streaming, self.cache = name, split, streaming, cache
        self.streamed = streaming

    @cached_property
    def rows(self) -> Rows:
        """The table."""
        opened = open_stream if self.streaming else open_table
        return opened(self.name, self.split, self.COLUMNS, cache=self.cache)

    def __len__(self) -> int:
        return len(self.rows)

    def record(self, number: int) -> Record:
        row = self.rows.row(number)
        name = f"{self.name} {self.split}, {row['img_id']} turn {row['turn_index']}"
        region = stored_cell(row["mask_img"], name, "mask")
        mask = Drawn(region, f"the mask of {name}", stretched=True, holes=True)
        phrases = phrases_of(row["instruction"], mask, "edit", mask)
        return Record(name, stored_cell(row["source_img"], name), phrases)


def marked(prompt: object) -> list[str]:
    """The noun phrases of a prompt in which something stands in brackets.

    "a slanted [rusty] mountain bicycle on the road" => ["a slanted rusty mountain bicycle"].
    """
    if not isinstance(prompt, str):
        return []
    words = {word for part in re.findall(r"\[([^\]]*)\]", prompt.lower()) for word in part.split()}
    plain = re.sub(r"[\[\]]", "", prompt)
    wanted = words - _FUNCTION_WORDS
    return [noun for noun in noun_phrases(plain) if wanted & set(noun.split())]
