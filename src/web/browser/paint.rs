//! What waits until the present frame is painted.

use gloo::timers::callback::Timeout;
use gloo::utils::window;
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;

/// Something that is to be done; dropped, it is not.
pub struct Soon {
    frame: i32,
    _announced: Closure<dyn FnMut()>,
    _timeout: Rc<RefCell<Option<Timeout>>>,
}

impl Drop for Soon {
    fn drop(&mut self) {
        let _ = window().cancel_animation_frame(self.frame);
    }
}

/// Does something once what the page shows now is painted.
pub fn after_paint(then: impl FnOnce() + 'static) -> Soon {
    let timeout: Rc<RefCell<Option<Timeout>>> = Rc::default();
    let begun = timeout.clone();
    // A frame is announced before it is painted; what is begun there comes after.
    let announced = Closure::once(move || {
        begun.replace(Some(Timeout::new(0, then)));
    });
    let frame = window().request_animation_frame(announced.as_ref().unchecked_ref());
    Soon {
        frame: frame.unwrap_or_default(),
        _announced: announced,
        _timeout: timeout,
    }
}
