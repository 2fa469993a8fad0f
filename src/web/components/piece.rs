//! Parts of the screen with a memory of their own.
//!
//! Each is written as a hook that returns what is shown, and all of them are one Yew component: what Yew compiles for
//! a component (mounting, comparing, updating) would otherwise be in the page's module once for each.

use super::desk::Desk;
use yew::functional::{Hook, HookContext};
use yew::prelude::*;

/// What a part shows, given what it is to show and its memory.
pub type Show = fn(&Desk, &mut HookContext) -> Html;

/// A part with a memory of its own, named among its neighbours.
pub fn piece(name: &'static str, desk: &Desk, show: Show) -> Html {
    html! { <Piece key={name} desk={desk.clone()} show={Shown(show)} /> }
}

#[derive(Clone, PartialEq, Properties)]
struct Props {
    desk: Desk,
    show: Shown,
}

#[component]
fn Piece(props: &Props) -> Html {
    use_shown(props)
}

#[derive(Clone, Copy)]
struct Shown(Show);

impl PartialEq for Shown {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::fn_addr_eq(self.0, other.0)
    }
}

/// The part's own hooks, called as one.
fn use_shown(props: &Props) -> impl Hook<Output = Html> {
    Together(props)
}

struct Together<'a>(&'a Props);

impl Hook for Together<'_> {
    type Output = Html;

    fn run(self, context: &mut HookContext) -> Html {
        (self.0.show.0)(&self.0.desk, context)
    }
}
