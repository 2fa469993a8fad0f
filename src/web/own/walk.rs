//! Reading a model's files piece by piece, and telling the panel.

use super::files::Files;
use super::hub::{self, Hub};
use super::state::Action;
use crate::checkpoint::{Reply, Visit};
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

/// Reads all that the visit asks for. The configuration alone is told of as soon as it is there, the headers refine it.
/// A later reading, or [`give_up`], silences it.
pub async fn walk(mut visit: Visit, source: Source, tell: Callback<Action>) {
    give_up();
    let own = LATEST.get();
    let tell = move |action| {
        if LATEST.get() == own {
            tell.emit(action);
        }
    };
    let mut told = false;
    while let Some(piece) = visit.wanted().cloned() {
        let (done, all) = visit.progress();
        tell(Action::Read(done, all));
        let reply: Result<Reply, String> = match &source {
            Source::Hub(hub) => hub.read(&piece).await,
            Source::Files(files) => files.read(&piece).await,
        };
        if LATEST.get() != own {
            return;
        }
        let taken = reply.and_then(|reply| visit.take(reply).map_err(|problem| problem.to_string()));
        if let Err(why) = taken {
            return tell(Action::Failed(why));
        }
        if visit.has_config() && !told && visit.wanted().is_some() {
            told = true;
            if let Ok(model) = visit.model() {
                tell(Action::Found(Rc::new(model)));
            }
        }
    }
    match visit.model() {
        Ok(model) => {
            tell(Action::Found(Rc::new(model)));
            tell(Action::Done);
        }
        Err(problem) => tell(Action::Failed(problem.to_string())),
    }
}
