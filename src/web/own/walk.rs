//! Reading a model's files piece by piece, and telling the panel.

use super::files::Files;
use super::hub::{self, Hub};
use super::state::{Action, known};
use crate::checkpoint::{ADAPTER, Reply, Visit};
use crate::export::adapter;
use std::cell::Cell;
use std::rc::Rc;
use yew::Callback;

/// Where the pieces come from.
pub enum Source {
    /// A hub.
    Hub(Hub),
    /// What the user dropped, chose or pasted.
    Files(Files),
}

thread_local! {
    static LATEST: Cell<u64> = const { Cell::new(0) };
}

/// Gives up what is being read, and the request under way.
pub fn give_up() {
    hub::abort();
    LATEST.set(LATEST.get() + 1);
}

/// Reads all that the visit asks for, and tells of it. A later reading, or [`give_up`], silences it.
pub async fn walk(visit: Visit, source: Source, tell: Callback<Action>) {
    give_up();
    let own = LATEST.get();
    let tell = move |action| {
        let heard = LATEST.get() == own;
        if heard {
            tell.emit(action);
        }
        heard
    };
    if let Err(why) = read(visit, source, &tell).await {
        tell(Action::Failed(why));
    }
}

/// Reads a model, or an adapter and then, from a hub, its base.
async fn read(visit: Visit, mut source: Source, tell: &impl Fn(Action) -> bool) -> Result<(), String> {
    let visit = visited(visit, &source, tell).await?;
    let Some(text) = visit.adapter() else {
        return found(&visit, tell);
    };
    let adapter = adapter(text).map_err(|why| format!("{ADAPTER}: {why}"))?;
    let base = adapter.base.clone();
    let is_known = known(&base).is_some();
    tell(Action::Adapter(Rc::new(adapter)));
    if visit.has_config() {
        return found(&visit, tell);
    }
    match &mut source {
        _ if is_known => {
            tell(Action::Done);
            Ok(())
        }
        Source::Hub(hub) => {
            hub.id.clone_from(&base);
            found(&visited(Visit::of_repository(&base), &source, tell).await?, tell)
        }
        Source::Files(_) => Err(format!(
            "the adapter belongs to {base}: read that from the Hub, or drop its config.json; the adapter's settings are kept"
        )),
    }
}

fn found(visit: &Visit, tell: &impl Fn(Action) -> bool) -> Result<(), String> {
    let model = visit.model().map_err(|problem| problem.to_string())?;
    tell(Action::Found(Rc::new(model)));
    tell(Action::Done);
    Ok(())
}

/// Reads every piece. The configuration alone is told of as soon as it is there, the headers refine it.
async fn visited(mut visit: Visit, source: &Source, tell: &impl Fn(Action) -> bool) -> Result<Visit, String> {
    let mut told = false;
    while let Some(piece) = visit.wanted().cloned() {
        let (done, all) = visit.progress();
        // Given up: nobody hears what follows.
        if !tell(Action::Read(done, all)) {
            return Err(String::new());
        }
        let reply: Result<Reply, String> = match source {
            Source::Hub(hub) => hub.read(&piece).await,
            Source::Files(files) => files.read(&piece).await,
        };
        visit.take(reply?).map_err(|problem| problem.to_string())?;
        if visit.has_config() && !told && visit.wanted().is_some() {
            told = true;
            if let Ok(model) = visit.model() {
                tell(Action::Found(Rc::new(model)));
            }
        }
    }
    Ok(visit)
}
