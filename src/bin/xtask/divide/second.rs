//! The second part: what is behind the doors. All else it has from the first.

use super::ranges::inside;
use super::{Place, Plan, function_table, places, shared_name, shared_thing};
use anyhow::{Context, Result};
use std::collections::BTreeSet;
use walrus::ir::Value;
use walrus::{
    ConstExpr, DataKind, ElementItems, ElementKind, FunctionId, FunctionKind, GlobalKind, ImportedFunction,
    Module,
};

/// Writes the second part of a module; with it the functions of the first part that it calls.
pub fn write(mut module: Module, plan: &Plan) -> Result<(Vec<u8>, BTreeSet<Place>)> {
    let ids = places(&module);
    module.start = None;
    let exports: Vec<_> = module.exports.iter().map(walrus::Export::id).collect();
    exports.into_iter().for_each(|id| module.exports.delete(id));
    share_things(&mut module, &plan.pair);
    for (place, id) in ids
        .iter()
        .enumerate()
        .filter(|(place, _)| !plan.second.contains(place))
    {
        share_function(&mut module, *id, &plan.pair, &shared_name(place));
    }
    fill_table(&mut module, plan, &ids)?;
    move_constants(&mut module, plan)?;
    walrus::passes::gc::run(&mut module);
    let left: BTreeSet<_> = module.funcs.iter().map(walrus::Function::id).collect();
    let needed = ids
        .iter()
        .enumerate()
        .filter(|(place, id)| !plan.second.contains(place) && left.contains(id));
    let needed = needed.map(|(place, _)| place).collect();
    Ok((module.emit_wasm(), needed))
}

/// The function is the first part's.
fn share_function(module: &mut Module, id: FunctionId, pair: &str, name: &str) {
    let ty = module.funcs.get(id).ty();
    let import = match &module.funcs.get(id).kind {
        FunctionKind::Import(known) => known.import,
        _ => module.imports.add(pair, name, id),
    };
    let shared = module.imports.get_mut(import);
    (shared.module, shared.name) = (pair.into(), name.into());
    module.funcs.get_mut(id).kind = FunctionKind::Import(ImportedFunction { import, ty });
}

/// So are tables, memories and globals.
fn share_things(module: &mut Module, pair: &str) {
    let tables: Vec<_> = module.tables.iter().map(walrus::Table::id).collect();
    for (i, id) in tables.into_iter().enumerate() {
        let import = module.imports.add(pair, &shared_thing('t', i), id);
        module.tables.get_mut(id).import = Some(import);
    }
    let memories: Vec<_> = module.memories.iter().map(walrus::Memory::id).collect();
    for (i, id) in memories.into_iter().enumerate() {
        let import = module.imports.add(pair, &shared_thing('m', i), id);
        module.memories.get_mut(id).import = Some(import);
    }
    let globals: Vec<_> = module.globals.iter().map(walrus::Global::id).collect();
    for (i, id) in globals.into_iter().enumerate() {
        let import = module.imports.add(pair, &shared_thing('g', i), id);
        module.globals.get_mut(id).kind = GlobalKind::Import(import);
    }
}

/// Its functions, and nothing else, are put into the slots that are kept for them.
fn fill_table(module: &mut Module, plan: &Plan, ids: &[FunctionId]) -> Result<()> {
    let table = function_table(module)?;
    let old: Vec<_> = module.elements.iter().map(walrus::Element::id).collect();
    module.tables.get_mut(table).elem_segments.clear();
    old.into_iter().for_each(|id| module.elements.delete(id));
    if module.tables.get(table).maximum.is_some() {
        module.tables.get_mut(table).maximum = Some(plan.table_size);
    }
    module.tables.get_mut(table).initial = plan.table_size;
    let mut slots: Vec<(u64, FunctionId)> = plan
        .slots
        .iter()
        .map(|(place, slot)| (*slot, ids[*place]))
        .collect();
    slots.sort_unstable_by_key(|(slot, _)| *slot);
    for run in slots.chunk_by(|(before, _), (after, _)| before + 1 == *after) {
        let start = i32::try_from(run[0].0).context("the table is too large")?;
        let offset = ConstExpr::Value(Value::I32(start));
        let functions = run.iter().map(|(_, id)| *id).collect();
        let id = module.elements.add(
            ElementKind::Active { table, offset },
            ElementItems::Functions(functions),
        );
        module.tables.get_mut(table).elem_segments.insert(id);
    }
    Ok(())
}

/// Only its own constants are brought to memory.
fn move_constants(module: &mut Module, plan: &Plan) -> Result<()> {
    let memory = module.get_memory_id()?;
    let segments: Vec<_> = module.data.iter().map(walrus::Data::id).collect();
    let mut own = Vec::new();
    for id in &segments {
        let data = module.data.get_mut(*id);
        let start = super::first::address(data)?;
        for (from, to) in inside(&plan.unused_constants, start, data.value.len()) {
            data.value[from..to].fill(0);
        }
        for (from, to) in plan.constants_in(start, data.value.len()) {
            own.push((start + from as u32, data.value[from..to].to_vec()));
        }
    }
    segments.into_iter().for_each(|id| module.data.delete(id));
    module.memories.get_mut(memory).data_segments.clear();
    for (address, value) in own {
        let offset = ConstExpr::Value(Value::I32(address as i32));
        let id = module.data.add(DataKind::Active { memory, offset }, value);
        module.memories.get_mut(memory).data_segments.insert(id);
    }
    Ok(())
}
