"""What every measuring program shares: the job on standard input, the events on standard output, and a watch on
PyTorch's CUDA allocator.

One JSON object a line goes out. What libraries print goes to standard error, so that nothing but events is on standard
output. The allocator is asked and its own history read; nothing is hooked into the model, and no tensor is made.
"""

import importlib.metadata
import json
import os
import platform
import re
import sys
import time
import traceback

import history

OUT = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)


def say(event, **fields):
    """Writes one event."""
    OUT.write(json.dumps({"event": event, **fields}, default=str) + "\n")
    OUT.flush()


class Unusable(Exception):
    """The machine or its packages cannot run this; `way_on` says what to do."""

    def __init__(self, kind, message, way_on, **more):
        super().__init__(message)
        self.fields = {"kind": kind, "message": message, "way_on": way_on, **more}


class Refused(Exception):
    """A setting that this program does not know how to run."""


def version_of(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def need(packages):
    """Checks that packages are there and new enough: {name: oldest version}."""
    for package, oldest in packages.items():
        found = version_of(package)
        wanted = f'pip install -U "{package}>={oldest}"'
        if found is None:
            kind = "no_torch" if package == "torch" else "missing_package"
            raise Unusable(kind, f"the Python package {package} is missing", wanted, package=package)
        if numbers(found) < numbers(oldest):
            message = f"{package} {found} is too old, at least {oldest} is needed"
            raise Unusable("wrong_version", message, wanted, package=package)


def numbers(version):
    return [int(part) for part in re.findall(r"\d+", version.split("+")[0])[:3]]


def allocator_setting(expandable):
    """Sets how the allocator maps memory. Before torch is imported, for it is read once."""
    for name in ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF"):
        os.environ.pop(name, None)
    if expandable is not None:
        # The older name is understood by every version.
        os.environ["PYTORCH_CUDA_ALLOC_CONF"] = f"expandable_segments:{expandable}"


def usable_cuda():
    """Imports torch and makes sure that it has a card."""
    import torch

    if torch.version.cuda is None:
        raise Unusable(
            "no_cuda_build",
            f"torch {torch.__version__} is built without CUDA",
            "pip install torch --index-url as https://pytorch.org/get-started shows for CUDA",
        )
    try:
        torch.cuda.init()
        if torch.cuda.device_count() == 0:
            raise RuntimeError("no CUDA device is visible")
    except Exception as error:
        text = str(error).splitlines()[0]
        if "too old" in text:
            kind, way_on = "driver_too_old", "update the NVIDIA driver, or install a torch built for an older CUDA"
        elif "no NVIDIA driver" in text or "driver" in text.lower():
            kind, way_on = "no_driver", "install the NVIDIA driver; nvidia-smi should list the card"
        else:
            kind, way_on = "no_device", "check nvidia-smi and CUDA_VISIBLE_DEVICES; in a container, start it with --gpus all"
        raise Unusable(kind, text, way_on) from error
    return torch


PACKAGES = ("torch", "transformers", "peft", "accelerate", "bitsandbytes", "trl", "unsloth", "unsloth_zoo", "torchao",
            "triton", "liger_kernel", "xformers", "flash_attn")
SETTINGS = re.compile(r"PYTORCH_.*ALLOC|CUDA_(VISIBLE_DEVICES|MODULE_LOADING)|CUBLAS_WORKSPACE|UNSLOTH_(?!IGNORED|IS_|ZOO_IS_|PATCHED|DISABLE_STAT)[A-Z_]+$|TORCH_COMPILE|TORCHDYNAMO_DISABLE")


def tell_machine(torch):
    """Versions, card, driver and the settings that bear on memory."""
    card = torch.cuda.get_device_properties(0)
    free, total = torch.cuda.mem_get_info()
    release = platform.release().lower()
    say(
        "start",
        versions={"python": platform.python_version(), **{p: v for p in PACKAGES if (v := version_of(p))}},
        cuda=torch.version.cuda,
        card=card.name,
        uuid=str(getattr(card, "uuid", "")),
        compute_capability=f"{card.major}.{card.minor}",
        multiprocessors=card.multi_processor_count,
        total_bytes=total,
        free_bytes=free,
        system=platform.system() + (" (WSL)" if "microsoft" in release else ""),
        settings={k: v for k, v in sorted(os.environ.items()) if SETTINGS.match(k)},
    )


class Watch:
    """Phases of the run: as one ends, what it had at its highest point and what it left is told."""

    def __init__(self, torch, keep_history):
        self.torch, self.phases, self.notes, self.step_began = torch, [], [], None
        self.tag = getattr(torch._C, "_cuda_setMemoryMetadata", None)
        self.history = keep_history and self.tag is not None
        if self.history:
            torch.cuda.memory._record_memory_history(enabled="all", context=None, stacks="python", max_entries=10_000_000)

    def phase(self, name, step=0, micro=0):
        """Ends the phase that runs and begins the next."""
        self.end_phase()
        self.phases.append((name, step, micro))
        if self.history:
            self.tag(str(len(self.phases) - 1))
        self.torch.cuda.reset_peak_memory_stats()

    def end_phase(self):
        if self.phases:
            name, step, micro = self.phases[-1]
            say("phase", phase=name, step=step, micro=micro, **self.counters())

    def counters(self):
        s = self.torch.cuda.memory_stats()
        return {
            "end_allocated_bytes": s["allocated_bytes.all.current"],
            "end_reserved_bytes": s["reserved_bytes.all.current"],
            "peak_allocated_bytes": s["allocated_bytes.all.peak"],
            "peak_reserved_bytes": s["reserved_bytes.all.peak"],
            "free_bytes": self.torch.cuda.mem_get_info()[0],
        }

    def step(self, number):
        """A step begins, or all have ended (None)."""
        self.torch.cuda.synchronize()
        now = time.perf_counter()
        if self.step_began:
            say("step", step=self.step_began[0], seconds=now - self.step_began[1])
        self.step_began = number and (number, now)

    # -- which address is what

    def note(self, tensor, category):
        if self.history and isinstance(tensor, self.torch.Tensor) and tensor.device.type == "cuda":
            try:
                self.notes.append((len(self.phases) - 1, tensor.untyped_storage().data_ptr(), category))
            except RuntimeError:  # a subclass without a storage of its own: its parts are noted
                pass

    def note_model(self, model):
        for name, p in model.named_parameters():
            adapter = p.requires_grad and ("lora_" in name or "modules_to_save" in name)
            self.note(p, "adapters" if adapter else "weights")
            state = getattr(p, "quant_state", None)
            for owner in (state, getattr(state, "state2", None)):
                for part in ("absmax", "code", "offset"):
                    self.note(getattr(owner, part, None), "quant_state")
            self.note(getattr(p, "qdata", None), "weights")
            for part in ("scale", "SCB"):
                self.note(getattr(p, part, None), "quant_state")
        for _, b in model.named_buffers():
            self.note(b, "buffers")

    def note_gradients(self, model):
        for p in model.parameters():
            self.note(p.grad, "gradients")

    def note_optimizer(self, optimizer):
        optimizer = getattr(optimizer, "optimizer", optimizer)
        for states in optimizer.state.values():
            for value in states.values() if isinstance(states, dict) else ():
                self.note(value, "optimizer_states")

    # -- the end

    def finish(self, logits):
        """Tells the last phase, the host's memory and what was alive at the peak. `logits`: elements of the logits."""
        self.end_phase()
        say("host", **host_memory(self.torch))
        if self.history:
            snapshot = self.torch.cuda.memory._snapshot()
            self.torch.cuda.memory._record_memory_history(enabled=None)
            sizes = {"workspace": history.workspace(self.torch), "logits": logits}
            found = history.breakdown(snapshot["device_traces"][0], self.phases, self.notes, sizes)
            if found:
                say("breakdown", **found)
        say("end")


def host_memory(torch):
    """Pinned memory that torch holds, and managed memory of paged optimizers."""
    out = {}
    stats = getattr(torch.cuda, "host_memory_stats", None)
    try:
        out["pinned_bytes"] = stats()["allocated_bytes.peak"] if stats else None
    except (KeyError, RuntimeError):
        pass
    if "bitsandbytes" in sys.modules:
        import bitsandbytes.functional as F

        paged = F.GlobalPageManager.get_instance().paged_tensors
        out["managed_bytes"] = sum(t.numel() * t.element_size() for t in paged)
    return out


def run(main):
    """Runs a measuring program on the job that standard input holds."""
    watch = []
    try:
        job = json.load(sys.stdin)
        main(job, watch.append)
    except Unusable as error:
        say("unusable", **error.fields)
    except Refused as error:
        say("refused", message=str(error))
    except ImportError as error:
        package = (error.name or "").split(".")[0]
        say("unusable", kind="missing_package", message=str(error), way_on=f"pip install -U {package}", package=package)
    except BaseException as error:
        text = str(error).strip()
        torch = sys.modules.get("torch")
        memory = bool(torch) and isinstance(error, torch.cuda.OutOfMemoryError)
        if not memory and "out of memory" in text.lower() and "cuda" in text.lower():
            memory = True  # of the driver or a library that does not use torch's allocator
        if watch and watch[0].phases:
            name, step, micro = watch[0].phases[-1]
            where = {"phase": name, "step": step, "micro": micro}
        else:
            where = {"phase": "start", "step": 0, "micro": 0}
        if memory:
            try:
                watch and watch[0].end_phase()
            except Exception:
                pass  # the card may not answer any more
            say("out_of_memory", message=text.splitlines()[0] if text else "", **where)
        else:
            trace = traceback.format_exc()[-4000:]
            say("crash", error=type(error).__name__, message=text[:600], traceback=trace, **where)
    OUT.close()
    sys.stdout.flush()
    # Nothing is left to do; interpreters with a broken CUDA context can hang in their teardown.
    os._exit(0)
