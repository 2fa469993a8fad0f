//! How wide an element is.

use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{Element, ResizeObserver};
use yew::prelude::*;

/// The width of an element in pixels, kept up to date; 0 until it is known.
#[hook]
pub fn use_width(node: &NodeRef) -> u32 {
    let width = use_state_eq(|| 0);
    let setter = width.setter();
    use_effect_with(node.clone(), move |node| {
        let stop = node
            .cast::<Element>()
            .and_then(|element| watch(element, move |width| setter.set(width)));
        move || drop(stop)
    });
    *width
}

struct Watch {
    observer: ResizeObserver,
    _callback: Closure<dyn FnMut()>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.observer.disconnect();
    }
}

fn watch(element: Element, tell: impl Fn(u32) + 'static) -> Option<Watch> {
    let measure = {
        let element = element.clone();
        move || tell(element.get_bounding_client_rect().width() as u32)
    };
    measure();
    let callback = Closure::<dyn FnMut()>::new(measure);
    let observer = ResizeObserver::new(callback.as_ref().unchecked_ref()).ok()?;
    observer.observe(&element);
    Some(Watch {
        observer,
        _callback: callback,
    })
}
