//! The first part: all but what is behind the doors, and in the place of each door a call through the table.

use super::ranges::inside;
use super::{Place, Plan, function_table, places, shared_name, shared_thing};
use anyhow::{Context, Result, bail};
use std::collections::{BTreeSet, HashSet};
use walrus::ir::Value;
use walrus::{ConstExpr, Data, DataKind, ElementItems, FunctionBuilder, FunctionId, FunctionKind, Module};

/// Writes the first part of a module, in which the second finds what it needs.
pub fn write(mut module: Module, plan: &Plan, needed: &BTreeSet<Place>) -> Result<Vec<u8>> {
    let ids = places(&module);
    let table = function_table(&module)?;
    if module.tables.get(table).maximum.is_some() {
        module.tables.get_mut(table).maximum = Some(plan.table_size);
    }
    module.tables.get_mut(table).initial = plan.table_size;
    let away: HashSet<FunctionId> = plan.second.union(&plan.unused).map(|place| ids[*place]).collect();
    empty_slots(&mut module, &away);
    for place in &plan.doors {
        let slot = plan.slots.get(place).context("a door has no slot")?;
        hang_door(&mut module, ids[*place], i32::try_from(*slot)?)?;
    }
    blank_constants(&mut module, plan)?;
    share(&mut module, needed, &ids);
    module.exports.add(&plan.pair, table);
    walrus::passes::gc::run(&mut module);
    Ok(module.emit_wasm())
}

/// The slots of functions that are not here hold one that stops the program: until the second part comes.
fn empty_slots(module: &mut Module, away: &HashSet<FunctionId>) {
    let mut missing = FunctionBuilder::new(&mut module.types, &[], &[]);
    missing.func_body().unreachable();
    let missing = module.funcs.add_local(missing.local_func(Vec::new()));
    for element in module.elements.iter_mut() {
        if let ElementItems::Functions(functions) = &mut element.items {
            for function in functions.iter_mut().filter(|function| away.contains(function)) {
                *function = missing;
            }
        }
    }
}

/// A function that calls what is in a slot.
fn hang_door(module: &mut Module, id: FunctionId, slot: i32) -> Result<()> {
    let table = function_table(module)?;
    let ty = module.funcs.get(id).ty();
    let (params, results) = {
        let ty = module.types.get(ty);
        (ty.params().to_vec(), ty.results().to_vec())
    };
    let args: Vec<_> = params.iter().map(|param| module.locals.add(*param)).collect();
    let mut door = FunctionBuilder::new(&mut module.types, &params, &results);
    let mut body = door.func_body();
    for arg in &args {
        body.local_get(*arg);
    }
    body.i32_const(slot).call_indirect(ty, table);
    module.funcs.get_mut(id).kind = FunctionKind::Local(door.local_func(args));
    Ok(())
}

/// Zeros in the place of the second part's constants: they weigh nothing.
fn blank_constants(module: &mut Module, plan: &Plan) -> Result<()> {
    let segments: Vec<_> = module.data.iter().map(Data::id).collect();
    for id in segments {
        let data = module.data.get_mut(id);
        let start = address(data)?;
        for (from, to) in plan.constants_in(start, data.value.len()) {
            data.value[from..to].fill(0);
        }
    }
    Ok(())
}

/// Exports what the second part needs.
fn share(module: &mut Module, needed: &BTreeSet<Place>, ids: &[FunctionId]) {
    for place in needed {
        module.exports.add(&shared_name(*place), ids[*place]);
    }
    let tables: Vec<_> = module.tables.iter().map(walrus::Table::id).collect();
    let memories: Vec<_> = module.memories.iter().map(walrus::Memory::id).collect();
    let globals: Vec<_> = module.globals.iter().map(walrus::Global::id).collect();
    for (i, id) in tables.into_iter().enumerate() {
        module.exports.add(&shared_thing('t', i), id);
    }
    for (i, id) in memories.into_iter().enumerate() {
        module.exports.add(&shared_thing('m', i), id);
    }
    for (i, id) in globals.into_iter().enumerate() {
        module.exports.add(&shared_thing('g', i), id);
    }
}

/// Where a segment begins in memory.
pub fn address(data: &Data) -> Result<u32> {
    match &data.kind {
        DataKind::Active {
            offset: ConstExpr::Value(Value::I32(offset)),
            ..
        } => Ok(*offset as u32),
        _ => bail!("a piece of data has no known place"),
    }
}

/// Shorter stretches are not worth a segment.
const LEAST: usize = 16;

impl Plan {
    /// The constants that are not the first part's in a segment: ranges of its bytes.
    pub fn constants_in(&self, start: u32, len: usize) -> Vec<(usize, usize)> {
        let mut found = inside(&self.constants, start, len);
        found.retain(|(from, to)| to - from >= LEAST);
        found
    }
}
