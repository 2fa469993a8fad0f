"""Reads the allocator's own history: what was alive when most was, and what it is."""


def workspace(torch):
    """Bytes of a cuBLAS workspace: other from capability 9.0 on than before."""
    return 32 << 20 if torch.cuda.get_device_capability()[0] >= 9 else 4096 * 1024 * 2 + 16 * 1024 * 8


def breakdown(trace, phases, notes, sizes):
    """What was alive when most was, in the training steps: bytes by category, each allocation rounded up to 512."""
    allocations, events, live, phase = [], [], {}, 0
    for entry in trace:
        # Autograd's own threads carry no tag: they belong to the phase that runs.
        phase = max(phase, int(entry.get("user_metadata") or 0))
        if entry["action"] == "alloc":
            made = {"addr": entry["addr"], "size": entry["size"], "born": phase, "died": None}
            live[entry["addr"]] = made
            allocations.append(made)
            events.append((made, 1))
        elif entry["action"] == "free_completed" and entry["addr"] in live:
            made = live.pop(entry["addr"])
            made["died"] = phase
            events.append((made, -1))
    identify(allocations, notes)
    size = lambda made: (made["size"] + 511) // 512 * 512
    now = highest = at = 0
    phase = 0
    for index, (made, sign) in enumerate(events):
        now += sign * size(made)
        phase = max(phase, made["born"] if sign > 0 else made["died"])
        if now > highest and phases[phase][1] > 0:
            highest, at = now, index
    if not highest:
        return None
    alive = {}
    for made, sign in events[: at + 1]:
        if sign > 0:
            alive[id(made)] = made
        else:
            del alive[id(made)]
    out = {}
    for made in alive.values():
        kind = made.get("category") or guess(made, phases, sizes)
        out[kind] = out.get(kind, 0) + size(made)
    where = max(made["born"] for made in alive.values())
    name, step, micro = phases[where]
    return {"phase": name, "step": step, "micro": micro, "bytes": out}


RANK = {"weights": 0, "buffers": 0, "quant_state": 0, "inputs": 1, "gradients": 1, "optimizer_states": 2, "adapters": 3}


def identify(allocations, notes):
    """A note is an address at a time: the allocation that held it then gets its category."""
    at_address = {}
    for made in allocations:
        at_address.setdefault(made["addr"], []).append(made)
    for phase, address, category in notes:
        held = [m for m in at_address.get(address, ()) if m["born"] <= phase and (m["died"] is None or m["died"] >= phase)]
        if held and RANK[category] >= RANK.get(held[-1].get("category"), -1):
            held[-1]["category"] = category


def guess(made, phases, sizes):
    """What nobody noted: told by its size, by when it was made and when it was dropped."""
    name = phases[made["born"]][0]
    outlives = made["died"] is None or made["died"] > made["born"]
    if made["died"] is None and made["size"] == sizes["workspace"] and name in ("forward", "backward"):
        return "cublas_workspace"
    if made["size"] in (2 * sizes["logits"], 4 * sizes["logits"]) and name in ("forward", "backward"):
        return "logits_loss"
    if name == "forward" and outlives:
        return "activations"
    if name == "backward" and not outlives:
        return "recomputed_and_temporaries"
    return "other" if outlives else "temporaries"
