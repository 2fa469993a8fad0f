//! Panics, cut short: nothing is left of one but the trap in which it ends.
//!
//! A program for browsers stops at a panic, and what it would say goes nowhere or to the console. Saying it takes a tenth of
//! the program: the message and the place in the source for each of some thousand calls, and what formats them. The
//! compiler writes `unreachable` behind a call that does not return; where that call is to a function of the standard
//! library, it and what prepares it come out. Builds to work with (`--dev`) are not divided, and say everything.

use std::ops::Range;
use walrus::ir::{Instr, InstrSeqId, VisitorMut, dfs_pre_order_mut};
use walrus::{FunctionId, FunctionKind, Module};
use wasmparser::{FunctionBody, Operator};

/// Does this function, by its path, belong to those that only panic when they do not return?
pub fn is_of_std(path: &str) -> bool {
    let path = path.trim_start_matches(['<', '&']);
    // It calls whatever it is given.
    if path.contains("::call_once") {
        return false;
    }
    ["core::", "alloc::", "std::"]
        .iter()
        .any(|name| path.starts_with(name))
}

/// The stretches of a function's code, by their place in the file, that lead to nothing but a panic.
///
/// # Errors
/// The code cannot be read.
pub fn dead(body: &FunctionBody, panics: impl Fn(u32) -> bool) -> wasmparser::Result<Vec<Range<usize>>> {
    let mut dead = Vec::new();
    // Where the stretch began, and that of a call just read.
    let (mut start, mut call) = (None, None);
    for operator in body.get_operators_reader()?.into_iter_with_offsets() {
        let (operator, at) = operator?;
        if let (Operator::Unreachable, Some(from)) = (&operator, call.take()) {
            dead.push(from..at);
        }
        let from = *start.get_or_insert(at);
        if let Operator::Call { function_index } = operator
            && panics(function_index)
        {
            call = Some(from);
        }
        if ends_stretch(&operator) {
            start = None;
        }
    }
    Ok(dead)
}

/// Does a stretch of code that runs from one end to the other end here?
fn ends_stretch(operator: &Operator) -> bool {
    use Operator::*;
    matches!(
        operator,
        Block { .. }
            | Loop { .. }
            | If { .. }
            | Else
            | End
            | Br { .. }
            | BrIf { .. }
            | BrTable { .. }
            | Return
            | Unreachable
            | Call { .. }
            | CallIndirect { .. }
    )
}

/// Takes them out of a module.
pub fn cut(module: &mut Module, panics: impl Fn(&str) -> bool) {
    let is_panic = |id: FunctionId| module.funcs.get(id).name.as_deref().is_some_and(&panics);
    let panics: Vec<FunctionId> = module
        .funcs
        .iter()
        .map(walrus::Function::id)
        .filter(|id| is_panic(*id))
        .collect();
    struct Cut<'a>(&'a [FunctionId]);
    impl VisitorMut for Cut<'_> {
        fn start_instr_seq_mut(&mut self, seq: &mut walrus::ir::InstrSeq) {
            let is_call = |instr: &Instr| matches!(instr, Instr::Call(call) if self.0.contains(&call.func));
            let ends = |instr: &Instr| {
                matches!(
                    instr,
                    Instr::Block(_)
                        | Instr::Loop(_)
                        | Instr::IfElse(_)
                        | Instr::Br(_)
                        | Instr::BrIf(_)
                        | Instr::BrTable(_)
                        | Instr::Return(_)
                        | Instr::Unreachable(_)
                        | Instr::Call(_)
                        | Instr::CallIndirect(_)
                )
            };
            let found = seq
                .instrs
                .windows(2)
                .position(|pair| is_call(&pair[0].0) && matches!(pair[1].0, Instr::Unreachable(_)));
            if let Some(call) = found {
                let start = seq.instrs[..call]
                    .iter()
                    .rposition(|(instr, _)| ends(instr))
                    .map_or(0, |at| at + 1);
                seq.instrs.truncate(call + 2);
                seq.instrs.drain(start..=call);
            }
        }
    }
    for function in module.funcs.iter_mut() {
        if let FunctionKind::Local(local) = &mut function.kind {
            let entry: InstrSeqId = local.entry_block();
            dfs_pre_order_mut(&mut Cut(&panics), local, entry);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use walrus::{FunctionBuilder, ModuleConfig, ValType};
    use wasmparser::{Parser, Payload};

    /// Two calls of a function that panics, of which the second returns.
    fn program() -> Vec<u8> {
        let mut module = Module::with_config(ModuleConfig::new());
        let mut panic = FunctionBuilder::new(&mut module.types, &[ValType::I32], &[]);
        panic.func_body().unreachable();
        let panic = panic.finish(vec![module.locals.add(ValType::I32)], &mut module.funcs);
        module.funcs.get_mut(panic).name = Some("panic".into());
        let mut caller = FunctionBuilder::new(&mut module.types, &[], &[ValType::I32]);
        let mut body = caller.func_body();
        body.i32_const(1).drop();
        body.i32_const(2).call(panic).i32_const(3);
        body.block(ValType::I32, |block| {
            block.i32_const(4).i32_const(5).call(panic).unreachable();
        });
        body.drop();
        let caller = caller.finish(Vec::new(), &mut module.funcs);
        module.exports.add("caller", caller);
        module.emit_wasm()
    }

    #[test]
    fn only_what_leads_to_a_panic_is_cut() {
        let mut module = Module::from_buffer(&program()).unwrap();
        cut(&mut module, |name| name == "panic");
        let caller = module.exports.get_func("caller").unwrap();
        let FunctionKind::Local(caller) = &module.funcs.get(caller).kind else {
            panic!("it is the module's own");
        };
        struct Seen(Vec<i32>, usize);
        impl<'a> walrus::ir::Visitor<'a> for Seen {
            fn visit_const(&mut self, found: &walrus::ir::Const) {
                if let walrus::ir::Value::I32(value) = found.value {
                    self.0.push(value);
                }
            }
            fn visit_call(&mut self, _: &walrus::ir::Call) {
                self.1 += 1;
            }
        }
        let mut seen = Seen(Vec::new(), 0);
        walrus::ir::dfs_in_order(&mut seen, caller, caller.entry_block());
        assert_eq!((seen.0, seen.1), (vec![1, 2, 3], 1));
    }

    #[test]
    fn the_same_is_found_in_the_file() {
        let program = program();
        let bodies = Parser::new(0)
            .parse_all(&program)
            .filter_map(|payload| match payload.unwrap() {
                Payload::CodeSectionEntry(body) => Some(body),
                _ => None,
            });
        // Which of both functions is the first does not matter: each panics only by a call of the other.
        let found: Vec<_> = bodies.flat_map(|body| dead(&body, |_| true).unwrap()).collect();
        let [stretch] = &found[..] else {
            panic!("one stretch, not {found:?}");
        };
        // Two constants and a call of two bytes each.
        assert_eq!(stretch.len(), 6);
        assert_eq!(program[stretch.start..][..4], [0x41, 4, 0x41, 5]);
    }

    #[test]
    fn what_is_not_the_standard_librarys_says_what_it_has_to_say() {
        assert!(is_of_std("core::panicking::panic_fmt"));
        assert!(is_of_std("<alloc::vec::Vec<_, _>>::remove::assert_failed"));
        assert!(!is_of_std("wasm_bindgen::throw_str"));
        assert!(!is_of_std("core::ops::function::FnOnce::call_once"));
    }
}
