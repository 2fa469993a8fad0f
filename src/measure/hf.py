"""Measures one training run of Transformers + PEFT (+ bitsandbytes), written as a user would write it.

Standard input: {"scenario", "config", "model", "weights", "steps", "history"}; events go to standard output (watch.py).
"""

import contextlib
import os
import tempfile

import folder
import watch
from watch import Refused

FOUR_BIT = {"nf4": ("nf4", False), "nf4-dq": ("nf4", True), "fp4": ("fp4", False), "fp4-dq": ("fp4", True)}


def main(job, watched):
    s = job["scenario"]
    watch.allocator_setting(True if s["expandable_segments"] else None)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if job["weights"] == "random":
        os.environ["HF_HUB_OFFLINE"] = "1"
    watch.need(packages(s))
    torch = watch.usable_cuda()
    watch.tell_machine(torch)
    look = watch.Watch(torch, job["history"])
    watched(look)
    with tempfile.TemporaryDirectory(prefix="plimsoll-") as place:
        look.phase("load")
        model = load(torch, job, place, look)
        with attention_kernel(s):
            if s["harness"] == "trainer":
                train_with_trainer(torch, s, model, look, job["steps"], place)
            else:
                train_with_loop(torch, s, model, look, job["steps"])
        look.step(None)
        look.finish(s["batch"] * s["seq"] * model.config.get_text_config().vocab_size)


def packages(s):
    found = {"torch": "2.4", "transformers": "5.0", "accelerate": "1.0", "safetensors": "0.4"}
    if s["method"] != "full":
        found["peft"] = "0.17"
    if s["weights"] in FOUR_BIT or s["weights"] == "int8" or "8bit" in s["optimizer"] or "paged" in s["optimizer"]:
        found["bitsandbytes"] = "0.46"
    if s["weights"] == "fp8" or s["float8"] != "none":
        found["torchao"] = "0.12"
    if s["liger"]:
        found["liger_kernel"] = "0.5"
    return found


# ---- the model


def load(torch, job, place, look):
    from transformers import AutoModelForCausalLM

    s = job["scenario"]
    dtype = {"fp16": torch.float16, "fp32": torch.float32}.get(s["dtype"] if s["dtype"] != "auto" else s["weights"], torch.bfloat16)
    source = job["model"] if job["weights"] == "hub" else folder.write(place, job["config"])
    model = AutoModelForCausalLM.from_pretrained(
        source,
        dtype=dtype,
        device_map={"": 0},
        attn_implementation=s["attention"],
        quantization_config=quantization(torch, s),
    )
    model.config.use_cache = s["use_cache"]
    if job["weights"] == "random":
        folder.randomise(model)
    if s["float8"] != "none":
        from torchao.float8 import Float8LinearConfig, convert_to_float8_training

        recipe = Float8LinearConfig.from_recipe_name(s["float8"])
        convert_to_float8_training(model, config=recipe, module_filter_fn=lambda _, name: not name.endswith("lm_head"))
    if s["liger"]:
        from liger_kernel.transformers import _apply_liger_kernel_to_instance

        _apply_liger_kernel_to_instance(model=model)
    model.train()
    look.note_model(model)

    way, ways = s["checkpointing"], {"hf": False, "hf-reentrant": True}
    if way not in ("none", *ways):
        raise Refused(f"checkpointing '{way}' is not part of this stack")
    kwargs = {"use_reentrant": ways[way]} if way in ways else None
    quantized = s["weights"] in FOUR_BIT or s["weights"] == "int8"
    if quantized and s["prepare_kbit"]:
        from peft import prepare_model_for_kbit_training

        model = prepare_model_for_kbit_training(
            model, use_gradient_checkpointing=kwargs is not None, gradient_checkpointing_kwargs=kwargs
        )
    elif kwargs and s["harness"] != "trainer":
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs=kwargs)
        if ways[way]:
            model.enable_input_require_grads()
    if s["method"] != "full":
        model = with_adapters(s["lora"], model)
    look.note_model(model)
    return model


def quantization(torch, s):
    from transformers import BitsAndBytesConfig

    weights = s["weights"]
    skip = [*s["skip_modules"], "lm_head"] if s.get("skip_modules") else None
    if weights in FOUR_BIT:
        kind, double = FOUR_BIT[weights]
        return BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type=kind,
            bnb_4bit_use_double_quant=double,
            bnb_4bit_compute_dtype=torch.bfloat16,
            llm_int8_skip_modules=skip,
        )
    if weights == "int8":
        return BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=skip)
    if weights == "fp8":
        from torchao.quantization import Float8WeightOnlyConfig
        from transformers import TorchAoConfig

        return TorchAoConfig(Float8WeightOnlyConfig())
    if weights in ("bf16", "fp16", "fp32"):
        return None
    raise Refused(f"weights stored as {weights} are not measured with this stack yet")


def with_adapters(lora, model):
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=lora["rank"],
        lora_alpha=lora["alpha"],
        lora_dropout=lora["dropout"],
        target_modules=lora["targets"],
        use_dora=lora["use_dora"],
        use_rslora=lora["use_rslora"],
        modules_to_save=lora["modules_to_save"] or None,
        bias="none",
        task_type="CAUSAL_LM",
    )
    model = get_peft_model(model, config, autocast_adapter_dtype=lora["adapter_dtype"] == "fp32")
    model.train()
    return model


def attention_kernel(s):
    """The kernels that SDPA may use; automatic is what PyTorch itself prefers."""
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel

    named = {"flash": "FLASH_ATTENTION", "efficient": "EFFICIENT_ATTENTION", "math": "MATH"}.get(s["sdpa_backend"])
    if s["sdpa_backend"] == "efficient-repeated":
        named = "EFFICIENT_ATTENTION"
        repeat_grouped_heads(torch)
    if s["attention"] != "sdpa" or named is None:
        return contextlib.nullcontext()
    return sdpa_kernel(getattr(SDPBackend, named))


def repeat_grouped_heads(torch):
    """Keys and values of grouped heads are repeated before SDPA, whose memory-efficient kernel takes no groups."""
    functional = torch.nn.functional
    original = functional.scaled_dot_product_attention

    def repeating(query, key, value, *args, **kwargs):
        groups = query.size(-3) // key.size(-3)
        if groups > 1:
            key, value = key.repeat_interleave(groups, dim=-3), value.repeat_interleave(groups, dim=-3)
            kwargs.pop("enable_gqa", None)
        return original(query, key, value, *args, **kwargs)

    functional.scaled_dot_product_attention = repeating


# ---- the data


def rows(torch, s, vocab):
    """Sequences of the full length, every token with a label; with padding the last eighth is masked."""
    ids = torch.randint(0, vocab, (s["seq"],), generator=torch.Generator().manual_seed(0))
    row = {"input_ids": ids, "labels": ids.clone()}
    if s["padding"]:
        row["attention_mask"] = torch.ones_like(ids)
        row["attention_mask"][-max(1, s["seq"] // 8):] = 0
    return row


# ---- the optimizer


def optimizer(torch, name, params):
    params, lr = [p for p in params if p.requires_grad], 1e-4
    plain = {
        "adamw_torch": {"foreach": True},
        "adamw_torch_fused": {"fused": True},
        "adamw_torch_forloop": {"foreach": False, "fused": False},
    }
    if name in plain:
        return torch.optim.AdamW(params, lr=lr, **plain[name])
    if name.startswith("sgd"):
        return torch.optim.SGD(params, lr=lr, momentum=0.9 if name == "sgd_momentum" else 0.0)
    if name == "adafactor":
        from transformers.optimization import Adafactor

        return Adafactor(params, lr=lr, scale_parameter=False, relative_step=False)
    import bitsandbytes as bnb

    kinds = {
        "adamw_8bit": bnb.optim.AdamW8bit,
        "paged_adamw_8bit": bnb.optim.PagedAdamW8bit,
        "paged_adamw_32bit": bnb.optim.PagedAdamW32bit,
        "lion_8bit": bnb.optim.Lion8bit,
    }
    if name not in kinds:
        raise Refused(f"optimizer '{name}' is not measured yet")
    return kinds[name](params, lr=lr)


# The names that TrainingArguments.optim has.
TRAINER = {"adamw_torch", "adamw_torch_fused", "adamw_8bit", "paged_adamw_8bit", "paged_adamw_32bit", "lion_8bit", "sgd", "adafactor"}


# ---- the steps


def train_with_loop(torch, s, model, look, steps):
    opt = optimizer(torch, s["optimizer"], model.parameters())
    params = [p for p in model.parameters() if p.requires_grad]
    row = rows(torch, s, model.config.get_text_config().vocab_size)
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(s["autocast"])
    cast = (lambda: torch.autocast("cuda", dtype=dtype)) if dtype else contextlib.nullcontext

    # As in a script: `out`, and so the logits it holds, lives until the next forward pass has made another.
    out = None
    for step in range(1, steps + 1):
        look.step(step)
        for micro in range(s["grad_accum"]):
            look.phase("data", step, micro)
            batch = {k: v.expand(s["batch"], -1).contiguous().to("cuda") for k, v in row.items()}
            for tensor in batch.values():
                look.note(tensor, "inputs")
            look.phase("forward", step, micro)
            with cast():
                if s["keep_outputs"]:
                    out = model(**batch)
                    loss = out.loss
                else:
                    loss = model(**batch).loss
            if s["grad_accum"] > 1:
                loss = loss / s["grad_accum"]
            look.phase("backward", step, micro)
            loss.backward()
            del loss, batch
            look.note_gradients(model)
        if s["clip"]:
            look.phase("clip", step)
            torch.nn.utils.clip_grad_norm_(params, 1.0)
        look.phase("optimizer", step)
        opt.step()
        look.note_optimizer(opt)
        look.phase("zero_grad", step)
        if s["harness"] == "step-function":
            out = None  # its function has returned
        opt.zero_grad(set_to_none=True)


def train_with_trainer(torch, s, model, look, steps, place):
    from torch.utils.data import Dataset
    from transformers import Trainer, TrainerCallback, TrainingArguments

    row = rows(torch, s, model.config.get_text_config().vocab_size)
    at = {"step": 0, "micro": 0}

    class Rows(Dataset):
        def __len__(self):
            return s["batch"] * s["grad_accum"] * (steps + 1)

        def __getitem__(self, index):
            return row

    class Phases(TrainerCallback):
        def on_step_begin(self, *args, **kwargs):
            at.update(step=at["step"] + 1, micro=0)
            look.step(at["step"])
            look.phase("data", at["step"])

        def on_substep_end(self, *args, **kwargs):
            at["micro"] += 1

        def on_pre_optimizer_step(self, *args, **kwargs):
            look.phase("optimizer", at["step"])

        def on_optimizer_step(self, *args, **kwargs):
            look.note_optimizer(trainer.optimizer)
            look.phase("zero_grad", at["step"])

    class Watched(Trainer):
        def compute_loss(self, model, inputs, *args, **kwargs):
            for tensor in inputs.values():
                look.note(tensor, "inputs")
            look.phase("forward", at["step"], at["micro"])
            loss = super().compute_loss(model, inputs, *args, **kwargs)
            look.phase("backward", at["step"], at["micro"])
            return loss

        def training_step(self, *args, **kwargs):
            loss = super().training_step(*args, **kwargs)
            look.note_gradients(self.model)
            look.phase("clip", at["step"], at["micro"])
            return loss

    way = s["checkpointing"]
    own = s["optimizer"] not in TRAINER
    args = TrainingArguments(
        output_dir=place,
        per_device_train_batch_size=s["batch"],
        gradient_accumulation_steps=s["grad_accum"],
        max_steps=steps,
        bf16=s["autocast"] == "bf16",
        fp16=s["autocast"] == "fp16",
        max_grad_norm=1.0 if s["clip"] else 0.0,
        optim="adamw_torch" if own else s["optimizer"],
        gradient_checkpointing=way != "none",
        gradient_checkpointing_kwargs={"use_reentrant": way == "hf-reentrant"} if way != "none" else None,
        use_cache=s["use_cache"],
        remove_unused_columns=False,
        save_strategy="no",
        logging_strategy="no",
        eval_strategy="no",
        report_to=[],
        disable_tqdm=True,
    )
    given = (optimizer(torch, s["optimizer"], model.parameters()), None) if own else (None, None)
    trainer = Watched(model=model, args=args, train_dataset=Rows(), callbacks=[Phases()], optimizers=given)
    trainer.train()


if __name__ == "__main__":
    watch.run(main)
