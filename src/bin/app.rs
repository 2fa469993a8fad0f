//! The page's entry point.

use yew::prelude::*;

#[component]
fn App() -> Html {
    html! { <main><h1>{ "Plimsoll" }</h1></main> }
}

fn main() {
    yew::Renderer::<App>::new().render();
}
