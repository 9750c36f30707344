"""Tables of the Hugging Face hub in exactly their columns and types, as the files there hold them.

The columns are those that the cards list (dataset_info of each README.md).
"""

import json
from functools import cache
from pathlib import Path
from typing import Any


@cache
def hub_features() -> dict[str, Any]:
    """The `datasets.Features` of every set, by its name on the hub."""
    from datasets import Features, Image, Sequence, Value

    text, whole, texts = Value("string"), Value("int64"), Sequence(Value("string"))
    said = [{"raw": text, "sent": text, "sent_id": whole, "tokens": texts}]
    raw = {"raw_anns": text, "raw_image_info": text, "raw_sentences": text, "image_path": text}
    rest = {
        **raw, "bbox": Sequence(Value("float64")), "captions": texts, "global_image_id": text,
        "anns_id": text,
    }  # fmt: skip
    refcoco = {
        "sent_ids": Sequence(whole), "file_name": text, "ann_id": whole, "ref_id": whole,
        "image_id": whole, "split": text, "sentences": said, "category_id": whole, **rest,
    }  # fmt: skip
    refcocog = {
        "image_id": whole, "split": text, "sentences": said, "file_name": text,
        "category_id": whole, "ann_id": whole, "sent_ids": Sequence(whole), "ref_id": whole, **rest,
    }  # fmt: skip
    numbers = Sequence(Value("float32"))
    lmms = {
        "question_id": text, "image": Image(), "question": text, "answer": texts,
        "segmentation": numbers, "bbox": numbers, "iscrowd": Value("int8"), "file_name": text,
    }  # fmt: skip
    pie_bench = {
        "image": Image(), "id": text, "source_prompt": text, "target_prompt": text,
        "edit_action": text, "aspect_mapping": text, "blended_words": text, "mask": text,
    }  # fmt: skip
    magic_brush = {
        "img_id": text, "turn_index": Value("int32"), "source_img": Image(), "mask_img": Image(),
        "instruction": text, "target_img": Image(),
    }  # fmt: skip
    sets = {
        "jxu124/refcoco": refcoco, "jxu124/refcocoplus": refcoco, "jxu124/refcocog": refcocog,
        "lmms-lab/RefCOCO": lmms, "lmms-lab/RefCOCOplus": lmms, "lmms-lab/RefCOCOg": lmms,
        "UB-CVML-Group/PIE_Bench_pp": pie_bench, "osunlp/MagicBrush": magic_brush,
        "google-research-datasets/conceptual_captions": {"image_url": text, "caption": text},
    }  # fmt: skip
    return {name: Features(columns) for name, columns in sets.items()}


def hub_set(columns: Any) -> str:
    """The first set with exactly these columns in any order; "" where there is none."""
    wanted = set(columns)
    return next((name for name, f in hub_features().items() if set(f) == wanted), "")


def hub_table(path: Path, rows: list[dict[str, Any]], name: str) -> Path:
    """A parquet file of the set of that name, as `datasets` wrote it when the set was uploaded."""
    from datasets import Dataset
    from pyarrow.parquet import read_table, write_table

    features = hub_features()[name]
    path.parent.mkdir(parents=True, exist_ok=True)
    Dataset.from_list(rows, features=features).to_parquet(path)
    table = read_table(path)
    old = {"info": {"features": {n: as_then(f) for n, f in features.to_dict().items()}}}
    write_table(table.replace_schema_metadata({"huggingface": json.dumps(old)}), path)
    return path


def as_then(feature: Any) -> Any:
    """A feature as `datasets` 2 described it: a Sequence of plain values, a list of records."""
    if not isinstance(feature, dict) or "_type" not in feature:
        return {n: as_then(f) for n, f in feature.items()}
    if feature["_type"] != "List":
        return feature
    inner = as_then(feature["feature"])
    return {"feature": inner, "_type": "Sequence"} if "_type" in inner else [inner]
