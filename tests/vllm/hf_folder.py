"""Make the folder that vLLM loads out of the GGUF file that llama.cpp loads: the same weights, dequantised.

    python tests/vllm/hf_folder.py MODEL.gguf FOLDER

For models of the Llama family. Run by the Python that has vLLM (torch, transformers) and gguf.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gguf import GGUFReader, dequantize
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

BLOCK = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
OUTSIDE = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}


def hugging_face_name(name: str) -> str:
    """`blk.3.attn_q.weight` -> `model.layers.3.self_attn.q_proj.weight`."""
    parts = name.split(".")
    if parts[0] == "blk":
        return f"model.layers.{parts[1]}.{BLOCK[parts[2]]}.{parts[3]}"
    return f"{OUTSIDE[parts[0]]}.{parts[1]}"


def halves_apart(weight: np.ndarray, heads: int) -> np.ndarray:
    """Rotary pairs stand side by side in GGUF, and half a head apart at Hugging Face. Shape (heads * size, width)."""
    rows, width = weight.shape
    return weight.reshape(heads, rows // heads // 2, 2, width).transpose(0, 2, 1, 3).reshape(rows, width)


def convert(source: Path, folder: Path) -> None:
    """Write weights, configuration and tokenizer."""
    reader = GGUFReader(str(source))

    def told(key: str) -> Any:
        return reader.fields[f"llama.{key}"].contents()

    heads = {"attn_q": told("attention.head_count"), "attn_k": told("attention.head_count_kv")}
    weights = {}
    for tensor in reader.tensors:
        weight = dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        for kind, count in heads.items():
            if f".{kind}." in tensor.name:
                weight = halves_apart(weight, count)
        weights[hugging_face_name(tensor.name)] = torch.from_numpy(weight.copy())
    shape = LlamaConfig(
        vocab_size=len(weights["model.embed_tokens.weight"]),
        hidden_size=told("embedding_length"),
        intermediate_size=told("feed_forward_length"),
        num_hidden_layers=told("block_count"),
        num_attention_heads=heads["attn_q"],
        num_key_value_heads=heads["attn_k"],
        max_position_embeddings=told("context_length"),
        rms_norm_eps=told("attention.layer_norm_rms_epsilon"),
        rope_theta=told("rope.freq_base"),
        tie_word_embeddings="lm_head.weight" not in weights,
        bos_token_id=1,
        eos_token_id=2,
    )
    model = LlamaForCausalLM(shape)
    missing, unknown = model.load_state_dict(weights, strict=False)
    if unknown or set(missing) - {"lm_head.weight"}:
        sys.exit(f"not a model that this script knows: missing {missing}, unknown {unknown}")
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(str(source.parent), gguf_file=source.name).save_pretrained(folder)


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
