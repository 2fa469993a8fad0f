"""A model folder as the Hub has them, with the true dimensions and no download: config.json, a small tokenizer, and a
safetensors file that is a header followed by a hole. Every weight reads as zero and takes no room on the disk; they are
made random once they are on the card."""

import json
import os
import struct

WORDS = 1000


def write(path, config):
    """`config`: the keys of a config.json. Gives the folder."""
    import torch
    import transformers

    kind = config["model_type"]
    rest = {k: v for k, v in config.items() if k != "model_type"}
    rest.update(bos_token_id=WORDS, eos_token_id=WORDS + 1, pad_token_id=WORDS + 2)
    made = transformers.AutoConfig.for_model(kind, **rest)
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(made, dtype=torch.bfloat16)
    made.architectures = [type(model).__name__]
    made.dtype = torch.bfloat16
    made.save_pretrained(path)
    tensors = dict(model.state_dict())
    if getattr(made, "tie_word_embeddings", False):
        tensors.pop("lm_head.weight", None)
    hole(os.path.join(path, "model.safetensors"), tensors)
    tokenizer(path)
    return path


def hole(path, tensors):
    names = {"torch.bfloat16": ("BF16", 2), "torch.float32": ("F32", 4), "torch.float16": ("F16", 2), "torch.int64": ("I64", 8)}
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, tensor in tensors.items():
        dtype, width = names[str(tensor.dtype)]
        size = tensor.numel() * width
        header[name] = {"dtype": dtype, "shape": list(tensor.shape), "data_offsets": [at, at + size]}
        at += size
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(head)) + head)
        file.truncate(file.tell() + at)


def tokenizer(path):
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = {f"w{i}": i for i in range(WORDS)}
    words.update({"<bos>": WORDS, "<eos>": WORDS + 1, "<pad>": WORDS + 2, "<unk>": WORDS + 3})
    whole = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    whole.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=whole, bos_token="<bos>", eos_token="<eos>", pad_token="<pad>", unk_token="<unk>"
    )
    fast.chat_template = "{% for m in messages %}{{ m['content'] }} {{ eos_token }} {% endfor %}"
    fast.save_pretrained(path)


def randomise(model):
    """Gives weights in plain 16- and 32-bit floats random values, in place. Quantized ones stay as they are."""
    import torch

    with torch.no_grad():
        for p in model.parameters():
            if type(p) is torch.nn.Parameter and p.dtype in (torch.bfloat16, torch.float16, torch.float32):
                p.fill_(1.0) if p.dim() == 1 else p.normal_(0.0, 0.02)
