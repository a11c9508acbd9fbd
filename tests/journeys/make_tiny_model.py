"""Writes builtin/tiny as a Hugging Face Llama, so that a real inference server can serve it.

    python make_tiny_model.py FOLDER        (needs torch, transformers and tokenizers; see real_server.py)

The weights are those the repository ships; only their names, the tokenizer's file format and the chat template
are written anew.
"""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path

import numpy as np
import torch  # ty: ignore[import-not-found]
from tokenizers import (  # ty: ignore[import-not-found]
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    pre_tokenizers,
)
from transformers import (  # ty: ignore[import-not-found]
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

WEIGHTS = Path(__file__).resolve().parents[2] / "data" / "builtin" / "tiny.npz"
PATTERN = r" ?\p{L}{1,32}| ?\p{N}| ?[^\s\p{L}\p{N}]{1,16}|\s{1,16}"
SPECIALS = ("<bos>", "<end>", "<|system|>", "<|user|>", "<|assistant|>")
TEMPLATE = (
    "<bos>{% for m in messages %}{{ '<|' + m['role'] + '|>' }}"
    "{% if m['content'] is string %}{{ m['content'] }}"
    "{% else %}{% for part in m['content'] %}{{ part['text'] }}{% endfor %}{% endif %}<end>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
NAMES = {
    "before_attention": "input_layernorm.weight",
    "before_feed": "post_attention_layernorm.weight",
    "query.weight": "self_attn.q_proj.weight",
    "key.weight": "self_attn.k_proj.weight",
    "value.weight": "self_attn.v_proj.weight",
    "out.weight": "self_attn.o_proj.weight",
    "gate.weight": "mlp.gate_proj.weight",
    "up.weight": "mlp.up_proj.weight",
    "down.weight": "mlp.down_proj.weight",
}


def printable() -> list[str]:
    """The character that stands for each byte in a byte-level vocabulary (GPT-2's table)."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [value for value in range(256) if value not in plain]
    table = {value: chr(value) for value in plain} | {value: chr(256 + n) for n, value in enumerate(rest)}
    return [table[value] for value in range(256)]


def merges(tokens: list[bytes], shown: list[str]) -> list[tuple[str, str]]:
    """The pair each token was merged from: what the merges before it make of its bytes."""
    rank = {token: number for number, token in enumerate(tokens)}
    found = []
    for token in tokens[256:]:
        parts = [bytes([value]) for value in token]
        while len(parts) > 2:
            pairs = [(rank.get(a + b, len(tokens)), i) for i, (a, b) in enumerate(itertools.pairwise(parts))]
            _, at = min(pair for pair in pairs if pair[0] < rank[token])
            parts[at : at + 2] = [parts[at] + parts[at + 1]]
        left, right = ("".join(shown[value] for value in part) for part in parts)
        found.append((left, right))
    return found


def tokenizer(tokens: list[bytes]) -> PreTrainedTokenizerFast:
    shown = printable()
    vocabulary = {"".join(shown[value] for value in token): number for number, token in enumerate(tokens)}
    made = Tokenizer(models.BPE(vocab=vocabulary, merges=merges(tokens, shown)))
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERN), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in SPECIALS])
    fast = PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<bos>", eos_token="<end>", pad_token="<end>")
    fast.chat_template = TEMPLATE
    return fast


def main() -> None:
    folder = Path(sys.argv[1])
    with np.load(WEIGHTS, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files if name != "meta"}
        meta = json.loads(stored["meta"].tobytes())
    tokens = [bytes.fromhex(token) for token in meta["tokens"]]
    shape = meta["shape"]
    end = len(tokens) + SPECIALS.index("<end>")
    config = LlamaConfig(
        vocab_size=len(tokens) + len(SPECIALS),
        hidden_size=shape["width"],
        intermediate_size=shape["inner"],
        num_hidden_layers=shape["layers"],
        num_attention_heads=shape["heads"],
        num_key_value_heads=shape["kv_heads"],
        max_position_embeddings=shape["context"],
        rms_norm_eps=shape["epsilon"],
        tie_word_embeddings=True,
        bos_token_id=len(tokens),
        eos_token_id=end,
        pad_token_id=end,
    )
    model = LlamaForCausalLM(config)
    state = {"model.embed_tokens.weight": arrays["embed"], "model.norm.weight": arrays["last"]}
    for number in range(shape["layers"]):
        state |= {
            f"model.layers.{number}.{theirs}": arrays[f"layers.{number}.{ours}"] for ours, theirs in NAMES.items()
        }
    missing, unexpected = model.load_state_dict(
        {name: torch.from_numpy(value.astype(np.float32)) for name, value in state.items()}, strict=False
    )
    if unexpected or set(missing) - {"lm_head.weight"}:
        raise SystemExit(f"the weights do not fit: {missing} {unexpected}")
    model.generation_config.eos_token_id = end
    model.save_pretrained(folder)
    tokenizer(tokens).save_pretrained(folder)
    print(folder)


if __name__ == "__main__":
    main()
