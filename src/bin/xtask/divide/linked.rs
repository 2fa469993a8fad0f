//! What the linker says: which function and which constant names which others.

use super::panics;
use super::ranges::{joined, less};
use anyhow::{Context, Result, bail};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;
use wasmparser::{
    BinaryReaderError, DataKind, FunctionBody, KnownCustom, Linking, Name, Operator, Parser, Payload,
    RelocationEntry, SymbolInfo, TypeRef,
};

/// A function by its index, or a piece of data by its symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Node {
    Function(u32),
    Data(u32),
}

/// A linked program.
#[derive(Default)]
pub struct Linked {
    names: HashMap<u32, String>,
    edges: HashMap<Node, Vec<Node>>,
    /// What is named by data that is no symbol's: it is always needed.
    loose: Vec<Node>,
    /// Where each piece of data lies in memory, by symbol.
    pieces: HashMap<u32, Range<u32>>,
}

/// The sections as they stand in the file.
#[derive(Default)]
struct Sections<'a> {
    count: u32,
    imported: u32,
    code: Option<(u32, usize)>,
    bodies: Vec<FunctionBody<'a>>,
    data: Option<(u32, usize)>,
    /// Address, and place in the file.
    segments: Vec<(u32, Range<usize>)>,
    symbols: Vec<SymbolInfo<'a>>,
    relocations: Vec<(u32, Vec<RelocationEntry>)>,
    names: HashMap<u32, String>,
}

impl Linked {
    /// Reads a module that was linked with `--emit-relocs`. What only leads to a panic names nothing: `is_panic` knows the
    /// functions by their names.
    ///
    /// # Errors
    /// It is no such module.
    pub fn read(module: &[u8], is_panic: impl Fn(&str) -> bool) -> Result<Self> {
        let sections = Sections::read(module).context("the linked module cannot be read")?;
        if sections.symbols.is_empty() || sections.relocations.is_empty() {
            bail!("the linked module has no relocations");
        }
        let mut linked = Linked {
            names: sections.names.clone(),
            ..Linked::default()
        };
        for (symbol, info) in sections.symbols.iter().enumerate() {
            if let SymbolInfo::Data {
                symbol: Some(piece), ..
            } = info
                && let Some((address, _)) = sections.segments.get(piece.index as usize)
            {
                let start = address + piece.offset;
                linked.pieces.insert(symbol as u32, start..start + piece.size);
            }
        }
        for (section, relocations) in &sections.relocations {
            match section {
                s if sections.code.is_some_and(|(code, _)| code == *s) => {
                    linked.link_code(&sections, relocations, &is_panic)?;
                }
                s if sections.data.is_some_and(|(data, _)| data == *s) => {
                    linked.link_data(&sections, relocations);
                }
                _ => {}
            }
        }
        Ok(linked)
    }

    fn link_code(
        &mut self,
        sections: &Sections,
        relocations: &[RelocationEntry],
        is_panic: impl Fn(&str) -> bool,
    ) -> Result<()> {
        let panics: HashSet<u32> = self.functions(is_panic).into_iter().collect();
        let start = sections.code.map_or(0, |(_, start)| start);
        let mut relocations = relocations.iter().peekable();
        for (body, from) in sections.bodies.iter().zip(sections.imported..) {
            let dead = panics::dead(body, |index| panics.contains(&index))?;
            let end = body.range().end;
            while let Some(relocation) =
                relocations.next_if(|relocation| start + (relocation.offset as usize) < end)
            {
                let at = start + relocation.offset as usize;
                if dead.iter().any(|range| range.contains(&at)) {
                    continue;
                }
                if let Some(to) = sections.named_by(relocation) {
                    self.edges.entry(Node::Function(from)).or_default().push(to);
                }
            }
        }
        Ok(())
    }

    fn link_data(&mut self, sections: &Sections, relocations: &[RelocationEntry]) {
        let start = sections.data.map_or(0, |(_, start)| start);
        // By address, as the pieces are.
        let mut named: Vec<(u32, Node)> = relocations
            .iter()
            .filter_map(|relocation| {
                let at = start + relocation.offset as usize;
                let (address, place) = sections.segments.iter().find(|(_, place)| place.contains(&at))?;
                Some((
                    address + (at - place.start) as u32,
                    sections.named_by(relocation)?,
                ))
            })
            .collect();
        named.sort_by_key(|(address, _)| *address);
        let mut owned = vec![false; named.len()];
        for (symbol, piece) in &self.pieces {
            let first = named.partition_point(|(address, _)| *address < piece.start);
            let inside = named[first..]
                .iter()
                .take_while(|(address, _)| *address < piece.end);
            for (i, (_, to)) in inside.enumerate() {
                owned[first + i] = true;
                self.edges.entry(Node::Data(*symbol)).or_default().push(*to);
            }
        }
        self.loose = named
            .iter()
            .zip(owned)
            .filter(|(_, owned)| !owned)
            .map(|((_, to), _)| *to)
            .collect();
    }

    /// The index of each function whose name no other has.
    pub fn by_name(&self) -> HashMap<&str, u32> {
        let mut found: HashMap<&str, Option<u32>> = HashMap::new();
        for (index, name) in &self.names {
            found
                .entry(name)
                .and_modify(|other| *other = None)
                .or_insert(Some(*index));
        }
        found
            .into_iter()
            .filter_map(|(name, index)| Some((name, index?)))
            .collect()
    }

    /// The functions whose names are such.
    pub fn functions(&self, is_such: impl Fn(&str) -> bool) -> BTreeSet<u32> {
        self.names
            .iter()
            .filter(|(_, name)| is_such(name))
            .map(|(index, _)| *index)
            .collect()
    }

    /// All that is reached from these without going through a door.
    pub fn reached(&self, from: impl Iterator<Item = Node>, doors: &BTreeSet<u32>) -> HashSet<Node> {
        let mut reached = HashSet::new();
        let mut open: Vec<Node> = from.chain(self.loose.iter().copied()).collect();
        while let Some(node) = open.pop() {
            let is_door = matches!(node, Node::Function(index) if doors.contains(&index));
            if !is_door && reached.insert(node) {
                open.extend(self.edges.get(&node).into_iter().flatten());
            }
        }
        reached
    }

    /// The stretches of memory that hold only what is not among these.
    pub fn constants_beside(&self, reached: &HashSet<Node>) -> Vec<(u32, u32)> {
        let (mut kept, mut others) = (Vec::new(), Vec::new());
        for (symbol, piece) in &self.pieces {
            match reached.contains(&Node::Data(*symbol)) {
                true => kept.push(piece.clone()),
                false => others.push(piece.clone()),
            }
        }
        less(joined(others), &joined(kept))
    }
}

impl<'a> Sections<'a> {
    fn read(module: &'a [u8]) -> Result<Self> {
        let mut sections = Sections::default();
        for payload in Parser::new(0).parse_all(module) {
            let payload = payload?;
            let place = payload.as_section();
            sections.take(payload)?;
            sections.count += u32::from(place.is_some());
        }
        Ok(sections)
    }

    fn take(&mut self, payload: Payload<'a>) -> Result<()> {
        match payload {
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    self.imported += u32::from(matches!(import?.ty, TypeRef::Func(_)));
                }
            }
            Payload::CodeSectionStart { range, .. } => self.code = Some((self.count, range.start)),
            Payload::CodeSectionEntry(body) => self.bodies.push(body),
            Payload::DataSection(segments) => {
                self.data = Some((self.count, segments.range().start));
                for segment in segments {
                    let segment = segment?;
                    let DataKind::Active { offset_expr, .. } = segment.kind else {
                        bail!("a piece of data has no place");
                    };
                    let Operator::I32Const { value } = offset_expr.get_operators_reader().read()? else {
                        bail!("a piece of data has no known place");
                    };
                    let place = segment.range.end - segment.data.len()..segment.range.end;
                    self.segments.push((value as u32, place));
                }
            }
            Payload::CustomSection(custom) => match custom.as_known() {
                KnownCustom::Linking(linking) => {
                    for part in linking.subsections() {
                        if let Linking::SymbolTable(symbols) = part? {
                            self.symbols = symbols.into_iter().collect::<Result<_, BinaryReaderError>>()?;
                        }
                    }
                }
                KnownCustom::Reloc(relocations) => {
                    let entries = relocations.entries().into_iter().collect::<Result<_, _>>()?;
                    self.relocations.push((relocations.section_index(), entries));
                }
                KnownCustom::Name(names) => {
                    for part in names {
                        if let Name::Function(functions) = part? {
                            for naming in functions {
                                let naming = naming?;
                                self.names.insert(naming.index, naming.name.to_owned());
                            }
                        }
                    }
                }
                _ => {}
            },
            _ => {}
        }
        Ok(())
    }

    /// The function or piece of data that a relocation names.
    fn named_by(&self, relocation: &RelocationEntry) -> Option<Node> {
        // That of a type names no symbol.
        if relocation.ty == wasmparser::RelocationType::TypeIndexLeb {
            return None;
        }
        match self.symbols.get(relocation.index as usize)? {
            SymbolInfo::Func { index, .. } => Some(Node::Function(*index)),
            SymbolInfo::Data { symbol: Some(_), .. } => Some(Node::Data(relocation.index)),
            _ => None,
        }
    }
}
