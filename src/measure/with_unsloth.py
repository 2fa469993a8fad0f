"""Measures one training run of Unsloth + TRL, written as Unsloth's own notebooks are.

Standard input: {"scenario", "config", "model", "weights", "steps", "history"}; events go to standard output (watch.py).
"""

import os
import random
import tempfile

import folder
import watch
from watch import Refused

ALL_LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def main(job, watched):
    s = job["scenario"]
    # Unsloth turns expandable segments on by itself; a user's own setting wins.
    watch.allocator_setting(None if s["expandable_segments"] else False)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ["UNSLOTH_DISABLE_STATISTICS"] = "1"
    if job["weights"] == "random":
        os.environ["HF_HUB_OFFLINE"] = "1"
    watch.need({"torch": "2.4", "unsloth": "2025.9", "unsloth_zoo": "2025.9", "transformers": "4.52", "trl": "0.18.2",
                "peft": "0.18", "bitsandbytes": "0.45.5", "datasets": "3.0"})
    check(s)
    try:
        # Before transformers and trl, which it patches, and before CUDA starts, for it sets up the allocator.
        import unsloth  # noqa: F401
    except Exception:
        watch.usable_cuda()  # says so, if it is the card that is missing
        raise
    torch = watch.usable_cuda()
    watch.tell_machine(torch)
    look = watch.Watch(torch, job["history"])
    watched(look)
    with tempfile.TemporaryDirectory(prefix="plimsoll-", ignore_cleanup_errors=True) as place:
        look.phase("load")
        model, tokenizer = load(job, place)
        look.note_model(model)
        train(s, model, tokenizer, look, job["steps"], place)
        look.step(None)
        look.finish(s["batch"] * s["seq"] * model.config.get_text_config().vocab_size)


def check(s):
    """What cannot be said to Unsloth."""
    settings = {
        "attention": (s["attention"], ("sdpa",)),
        "sdpa_backend": (s["sdpa_backend"], ("auto",)),
        "harness": (s["harness"], ("trainer",)),
        "use_cache": (s["use_cache"], (False,)),
        "liger": (s["liger"], (False,)),
        "float8": (s["float8"], ("none",)),
        "prepare_kbit": (s["prepare_kbit"], (False,)),
        "weights": (s["weights"], tuple(LOADING)),
        "checkpointing": (s["checkpointing"], tuple(CHECKPOINTING)),
    }
    for name, (value, known) in settings.items():
        if value not in known:
            raise Refused(f"{name} '{value}' is not measured with this stack")


# What from_pretrained is told for each format of the weights.
LOADING = {
    "bf16": {"load_in_4bit": False},
    "fp16": {"load_in_4bit": False},
    "nf4-dq": {"load_in_4bit": True},
    "int8": {"load_in_4bit": False, "load_in_8bit": True},
    "fp8-dynamic": {"load_in_4bit": False, "load_in_fp8": True},
    "fp8-block": {"load_in_4bit": False, "load_in_fp8": "block"},
}
CHECKPOINTING = {"none": False, "hf": True, "hf-reentrant": True, "unsloth": "unsloth"}


def load(job, place):
    import torch
    from unsloth import FastLanguageModel, FastModel

    s, lora = job["scenario"], job["scenario"]["lora"]
    source = job["model"] if job["weights"] == "hub" else folder.write(os.path.join(place, "model"), job["config"])
    how = dict(LOADING[s["weights"]])
    if s["method"] == "full":
        how.update(full_finetuning=True, use_gradient_checkpointing=CHECKPOINTING[s["checkpointing"]])
    dtype = torch.float16 if s["weights"] == "fp16" or s["autocast"] == "fp16" else None
    loader = FastModel if s["loader"] == "fastmodel" else FastLanguageModel
    model, tokenizer = loader.from_pretrained(source, max_seq_length=max(s["seq"], 512), dtype=dtype, **how)
    if job["weights"] == "random":
        folder.randomise(model)
    if s["method"] != "full":
        model = loader.get_peft_model(
            model,
            r=lora["rank"],
            lora_alpha=lora["alpha"],
            lora_dropout=lora["dropout"],
            target_modules=ALL_LINEAR if lora["targets"] == "all-linear" else lora["targets"],
            modules_to_save=lora["modules_to_save"] or None,
            use_rslora=lora["use_rslora"],
            bias="none",
            use_gradient_checkpointing=CHECKPOINTING[s["checkpointing"]],
            random_state=3407,
        )
    return model, tokenizer


def train(s, model, tokenizer, look, steps, place):
    from datasets import Dataset
    from transformers import DataCollatorForSeq2Seq, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    at = {"step": 0, "micro": 0}
    draw = random.Random(0)
    count = max(64, s["batch"] * s["grad_accum"] * (steps + 1))
    # Documents that fill a sequence of the batch; every row of the set is one.
    rows, length = count * s["packing"], s["seq"] // s["packing"]
    # A collator of one's own pads, and then Unsloth does not lay sequences behind each other.
    shorter = length // 8 if s["padding"] else 0
    ids = [[draw.randrange(folder.WORDS) for _ in range(length - shorter * (i % 2))] for i in range(rows)]
    padded = s["padding"] or not s["padding_free"]
    more = {"data_collator": DataCollatorForSeq2Seq(tokenizer=tokenizer)} if padded else {}

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

    trainer = SFTTrainer(
        model=model,
        processing_class=tokenizer,
        train_dataset=Dataset.from_dict({"input_ids": ids}),
        callbacks=[Phases()],
        args=SFTConfig(
            output_dir=os.path.join(place, "out"),
            per_device_train_batch_size=s["batch"],
            gradient_accumulation_steps=s["grad_accum"],
            max_steps=steps,
            max_length=s["seq"],
            packing=s["packing"] > 1,
            optim=s["optimizer"],
            max_grad_norm=1.0 if s["clip"] else 0.0,
            learning_rate=2e-4,
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            seed=3407,
        ),
        **more,
    )
    # The model's own names for the two halves of a step, so that both are seen whatever Unsloth has patched into them.
    inner_step, inner_loss = trainer.training_step, trainer.compute_loss

    def training_step(*args, **kwargs):
        out = inner_step(*args, **kwargs)
        look.note_gradients(trainer.model)
        look.phase("clip", at["step"], at["micro"])
        return out

    def compute_loss(model, inputs, *args, **kwargs):
        for tensor in inputs.values():
            look.note(tensor, "inputs")
        look.phase("forward", at["step"], at["micro"])
        out = inner_loss(model, inputs, *args, **kwargs)
        look.phase("backward", at["step"], at["micro"])
        return out

    trainer.training_step, trainer.compute_loss = training_step, compute_loss
    trainer.train()


if __name__ == "__main__":
    watch.run(main)
