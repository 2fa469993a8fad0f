//! Divides a program in two, the page's and the JavaScript module's: the part that it begins with, and the part that is
//! loaded when it is first needed.
//!
//! The linker is asked to leave its relocations in (`--emit-relocs`): they say of every function and every constant which
//! others it names. The first part is what can be reached from what JavaScript calls without passing a *door*, a function
//! by which the second part is entered; the second part is the rest. Both share memory and table. The first part has an
//! indirect call in the place of each door, through a slot of the table that the second part fills. Without the second
//! part the program stops there: the page calls a door only when it is here, the module's JavaScript begins anew.

mod first;
mod linked;
mod panics;
mod ranges;
mod second;

use anyhow::{Context, Result, bail};
use linked::{Linked, Node};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use walrus::ir::{Call, Visitor, dfs_in_order};
use walrus::{
    ConstExpr, ElementItems, ElementKind, ExportItem, FunctionId, FunctionKind, Module, ModuleConfig, TableId,
};

/// What the names begin with of things that the parts share.
const SHARED: &str = "$";

/// A program in two parts.
pub struct Parts {
    /// What it begins with.
    pub first: Vec<u8>,
    /// What is loaded when it is needed.
    pub second: Vec<u8>,
}

/// Divides a program. `linked` is what the linker wrote, with its relocations; `bound` the same after wasm-bindgen, with
/// its names; `is_door` knows the doors by their paths.
///
/// # Errors
/// The modules are not what they should be, or nothing is behind the doors.
pub fn divide(linked: &[u8], bound: &[u8], is_door: impl Fn(&str) -> bool) -> Result<Parts> {
    let linked = Linked::read(linked, is_panic)?;
    let plan = Plan::make(&linked, &parse(bound)?, is_door, name_of_pair(bound))?;
    let (second, needed) = second::write(parse(bound)?, &plan)?;
    let first = first::write(parse(bound)?, &plan, &needed)?;
    Ok(Parts { first, second })
}

fn parse(module: &[u8]) -> Result<Module> {
    let mut config = ModuleConfig::new();
    config
        .generate_name_section(false)
        .generate_producers_section(false);
    let mut module = config.parse(module)?;
    // The relocations are of no more use, and would be wrong.
    let customs: Vec<_> = module.customs.iter().map(|(id, _)| id).collect();
    for id in customs {
        module.customs.delete(id);
    }
    panics::cut(&mut module, is_panic);
    Ok(module)
}

fn is_panic(name: &str) -> bool {
    panics::is_of_std(&path(name))
}

/// Functions by their place in the module that wasm-bindgen wrote; every reading of it gives them in the same order.
type Place = usize;

/// What goes where.
struct Plan {
    /// The functions of the second part.
    second: BTreeSet<Place>,
    /// The slots of the table for functions of the second part.
    slots: BTreeMap<Place, u64>,
    /// The doors that are called directly.
    doors: BTreeSet<Place>,
    /// Size of the table with the slots that are added for doors.
    table_size: u64,
    /// The functions of neither: what a panic would have called.
    unused: BTreeSet<Place>,
    /// The constants that are not the first part's: ranges of addresses.
    constants: Vec<(u32, u32)>,
    /// Those of them that are not the second part's either.
    unused_constants: Vec<(u32, u32)>,
    /// What only two parts of one program have in common: the second imports all that it has of the first by that name.
    pair: String,
}

impl Plan {
    fn make(linked: &Linked, bound: &Module, is_door: impl Fn(&str) -> bool, pair: String) -> Result<Plan> {
        let ids = places(bound);
        let place_of: HashMap<FunctionId, Place> = ids.iter().copied().zip(0..).collect();
        let origin = origins(linked, bound, &ids);
        let doors = linked.functions(|name| is_door(&path(name)));
        let roots = roots(bound, &ids, &place_of, &origin);
        let first = linked.reached(roots.into_iter().map(Node::Function), &doors);
        let behind = linked.reached(doors.iter().copied().map(Node::Function), &BTreeSet::new());
        let both: HashSet<Node> = first.union(&behind).copied().collect();
        let is_beside = |place: &Place, part: &HashSet<Node>| {
            let is_own = matches!(bound.funcs.get(ids[*place]).kind, FunctionKind::Local(_));
            is_own && origin[*place].is_some_and(|index| !part.contains(&Node::Function(index)))
        };
        let unused: BTreeSet<Place> = (0..ids.len()).filter(|place| is_beside(place, &both)).collect();
        let is_second = |place: &Place| is_beside(place, &first) && !unused.contains(place);
        let second: BTreeSet<Place> = (0..ids.len()).filter(is_second).collect();
        if second.is_empty() {
            bail!("nothing is behind the doors");
        }

        let mut slots = BTreeMap::new();
        for (slot, id) in slots_of(bound)? {
            let place = place_of[&id];
            if second.contains(&place) {
                slots.entry(place).or_insert(slot);
            }
        }
        let callers = (0..ids.len()).filter(|place| !second.contains(place) && !unused.contains(place));
        let called = callers.flat_map(|place| calls(bound, ids[place]));
        let called: BTreeSet<Place> = called.map(|id| place_of[&id]).filter(is_second).collect();
        let mut table_size = bound.tables.get(function_table(bound)?).initial;
        for place in &called {
            if !origin[*place].is_some_and(|index| doors.contains(&index)) {
                let name = bound.funcs.get(ids[*place]).name.as_deref();
                bail!(
                    "'{}' is called from the first part and is no door",
                    path(name.unwrap_or_default())
                );
            }
            slots.entry(*place).or_insert_with(|| {
                table_size += 1;
                table_size - 1
            });
        }
        Ok(Plan {
            constants: linked.constants_beside(&first),
            unused_constants: linked.constants_beside(&both),
            second,
            unused,
            slots,
            doors: called,
            table_size,
            pair,
        })
    }
}

/// What each function is in the linked module; nothing for those that wasm-bindgen added.
fn origins(linked: &Linked, bound: &Module, ids: &[FunctionId]) -> Vec<Option<u32>> {
    let by_name = linked.by_name();
    let called: HashMap<&str, u32> = by_name
        .iter()
        .filter_map(|(name, index)| Some((without_hash(name)?, *index)))
        .collect();
    let name = |id: &FunctionId| bound.funcs.get(*id).name.as_deref();
    let origin = |name: &str| by_name.get(name).or_else(|| called.get(name)).copied();
    ids.iter().map(|id| name(id).and_then(origin)).collect()
}

/// What wasm-bindgen calls a function that JavaScript calls: the linker has it with a hash.
fn without_hash(name: &str) -> Option<&str> {
    let (name, hash) = name.rsplit_once('_')?;
    (hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(name)
}

/// Where all begins: what JavaScript calls, and what wasm-bindgen's own functions call.
fn roots(
    bound: &Module,
    ids: &[FunctionId],
    place_of: &HashMap<FunctionId, Place>,
    origin: &[Option<u32>],
) -> BTreeSet<u32> {
    let exported = bound.exports.iter().filter_map(|export| match export.item {
        ExportItem::Function(id) => Some(id),
        _ => None,
    });
    let added = ids.iter().zip(origin).filter(|(_, origin)| origin.is_none());
    let named = added.flat_map(|(id, _)| calls(bound, *id));
    let all = exported.chain(bound.start).chain(named);
    all.filter_map(|id| origin[place_of[&id]]).collect()
}

fn name_of_pair(module: &[u8]) -> String {
    let mut hash = DefaultHasher::new();
    module.hash(&mut hash);
    format!("{SHARED}{SHARED}{:016x}", hash.finish())
}

/// A function's path as one writes it.
fn path(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}

/// All functions of a module, in order.
fn places(module: &Module) -> Vec<FunctionId> {
    module.funcs.iter().map(walrus::Function::id).collect()
}

/// The name under which the parts share a function.
fn shared_name(place: Place) -> String {
    format!("{SHARED}{place:x}")
}

/// The names under which they share tables, memories and globals: by kind and number.
fn shared_thing(kind: char, number: usize) -> String {
    format!("{SHARED}{kind}{number}")
}

/// The functions that a function calls by name.
fn calls(module: &Module, id: FunctionId) -> Vec<FunctionId> {
    struct Calls(Vec<FunctionId>);
    impl<'a> Visitor<'a> for Calls {
        fn visit_call(&mut self, call: &Call) {
            self.0.push(call.func);
        }
    }
    let mut found = Calls(Vec::new());
    if let FunctionKind::Local(function) = &module.funcs.get(id).kind {
        dfs_in_order(&mut found, function, function.entry_block());
    }
    found.0
}

fn function_table(module: &Module) -> Result<TableId> {
    module
        .tables
        .main_function_table()?
        .context("there is no table of functions")
}

/// The functions in the table, by slot.
fn slots_of(module: &Module) -> Result<Vec<(u64, FunctionId)>> {
    let table = function_table(module)?;
    let mut slots = Vec::new();
    for element in module.elements.iter() {
        let (ElementKind::Active { table: of, offset }, ElementItems::Functions(functions)) =
            (&element.kind, &element.items)
        else {
            continue;
        };
        let ConstExpr::Value(walrus::ir::Value::I32(offset)) = offset else {
            bail!("a table begins at a place that is not known");
        };
        if *of == table {
            slots.extend((*offset as u64..).zip(functions.iter().copied()));
        }
    }
    Ok(slots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_javascript_calls_is_known_without_its_hash() {
        assert_eq!(without_hash("toUrl_e217f8465a2ba8a9"), Some("toUrl"));
        assert_eq!(without_hash("__wbg_new_e217f8465a2ba8a9"), Some("__wbg_new"));
        assert_eq!(without_hash("memory_grow"), None);
        assert_eq!(without_hash("toUrl"), None);
    }
}
