"""Prompts as Stable Diffusion is given them: by one CLIP text encoder, or as SDXL, by two.

It knows nothing of pictures.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from lr_edit.backbones.base import freeze
from lr_edit.backbones.memory import NO_SAVINGS, MemoryOptions, awake
from lr_edit.backbones.pipeline_files import component, pipeline_index
from lr_edit.backbones.tokenizer import token_count, token_ids
from lr_edit.instruction import check_length


class PromptEncoder:
    """The text encoders of a pipeline's folder.

    pooled: the width P of the pooled embedding that stands behind the tokens (see
    `joined`), 0 where there is one encoder.
    """

    def __init__(
        self,
        folder: Path,
        device: torch.device,
        dtype: torch.dtype,
        variant: str | None = None,
        memory: MemoryOptions = NO_SAVINGS,
    ) -> None:
        from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

        kinds: dict[str, Any] = {"": CLIPTextModel}
        if (folder / "text_encoder_2").is_dir():
            kinds["_2"] = CLIPTextModelWithProjection
        self._encoders: list[Any] = [
            freeze(component(kind, folder / f"text_encoder{end}", dtype, variant))
            for end, kind in kinds.items()
        ]
        self._tokenizers: list[Any] = [
            CLIPTokenizer.from_pretrained(str(folder / f"tokenizer{end}"), local_files_only=True)
            for end in kinds
        ]
        self._empty_is_zero = bool(pipeline_index(folder).get("force_zeros_for_empty_prompt"))
        self._device = device
        self._rests = memory.offload and device.type != "cpu"
        self.pooled = int(self._encoders[1].config.projection_dim) if len(kinds) > 1 else 0

    def wake(self) -> None:
        """Moves the encoders to their device, unless they rest between prompts."""
        if not self._rests:
            for encoder in self._encoders:
                encoder.to(self._device)

    def check_length(self, phrase: str) -> None:
        """Raises UserError for a phrase of which an encoder would not read the end."""
        for encoder, tokenizer in zip(self._encoders, self._tokenizers, strict=True):
            count = token_count(tokenizer, phrase)
            most = encoder.config.max_position_embeddings
            check_length(count, most, phrase, "the diffusion model")

    @torch.no_grad()
    def __call__(self, prompts: Sequence[str]) -> Tensor:
        """The condition float32 [B, L, D] of B prompts.

        One encoder: its last states. Two: the last but one of each (Podell et al., 2023, section
        2.1), the pooled embedding of the second, and 0 for "" where the model was trained so.
        """
        outputs = [
            self._encoded(encoder, tokenizer, prompts)
            for encoder, tokenizer in zip(self._encoders, self._tokenizers, strict=True)
        ]
        if not self.pooled:
            return outputs[0].last_hidden_state.float()
        tokens = [output.hidden_states[-2].float() for output in outputs]
        condition = joined(tokens, outputs[1].text_embeds.float())
        if self._empty_is_zero:
            said = torch.tensor([bool(prompt) for prompt in prompts], device=condition.device)
            condition = condition * said.view(-1, 1, 1)
        return condition

    def _encoded(self, encoder: Any, tokenizer: Any, prompts: Sequence[str]) -> Any:
        length = encoder.config.max_position_embeddings
        ids = token_ids(tokenizer, prompts, length).to(self._device)
        with awake(encoder, self._device, self._rests):
            return encoder(ids, output_hidden_states=True)


def text_tokens(condition: Tensor, pooled: int) -> tuple[Tensor, Tensor | None]:
    """A condition [B, L, D] from `joined`, taken apart; without a pooled part, pooled is 0."""
    if pooled == 0:
        return condition, None
    return condition[:, :-1], condition[:, -1, :pooled]


def joined(tokens: Sequence[Tensor], pooled: Tensor | None = None) -> Tensor:
    """One condition [B, L, D] of several encoders' tokens [B, L, D_i], side by side.

    A pooled embedding [B, P], P at most D, becomes one more token behind them, filled up with 0.
    """
    condition = torch.cat(list(tokens), dim=-1)
    if pooled is None:
        return condition
    room = condition.shape[-1] - pooled.shape[-1]
    return torch.cat([condition, pad(pooled, (0, room))[:, None]], dim=1)
