//! Widgets and frames in other people's pages, and the dialog that hands them out.

use crate::host::{Host, STRICT, on_example, on_host, on_host_in};
use crate::page::on_page;
use crate::webdriver::Session;
use serde_json::{Value, json};

/// A host that styles everything, loudly and with force, and is dark.
const HOSTILE: &str =
    "html { color-scheme: dark; font-size: 50% } body { background: #101418; direction: ltr }
    * { color: red !important; font: 40px/3 cursive !important; letter-spacing: 9px !important;
        text-transform: uppercase !important; float: right; background: yellow !important }
    p, table, td, li, section, select, footer { display: none !important; visibility: hidden !important }
    .root, .verdict, .gauge { position: fixed !important; opacity: 0.1 !important }";

const SCRIPT: &str = "<script type=\"module\" src=\"SITE/embed/widget.js\"></script>";

fn answers(host: &Host, n: usize, head: &str) {
    host.0.until(&format!("widget {n} says '{head}'"), || {
        host.text(n, "head") == head
    });
}

#[test]
#[ignore = "needs the built site and a browser: cargo xtask browser"]
fn two_widgets_answer_on_a_hostile_page_with_a_strict_policy() {
    two_widgets_hold_out(Session::start());
}

#[test]
#[ignore = "needs the built site and a browser: cargo xtask browser"]
fn two_widgets_answer_in_firefox_too() {
    match Session::firefox() {
        Some(session) => two_widgets_hold_out(session),
        None => eprintln!("LEFT OUT: there is no Firefox on this machine"),
    }
}

fn two_widgets_hold_out(session: Session) {
    let body = format!(
        "{SCRIPT}<plimsoll-widget scenario=\"model=meta-llama/Llama-3.1-8B&amp;gpu=rtx-4090\" controls=\"gpu,seq\"></plimsoll-widget>\
         <plimsoll-widget scenario=\"model=Qwen/Qwen3-8B&amp;gpu=rtx-3060-12gb\"></plimsoll-widget>"
    );
    on_host_in(session, STRICT, HOSTILE, &body, |host| {
        answers(host, 0, "Fits on GeForce RTX 4090");
        answers(host, 1, "Does not fit on GeForce RTX 3060 12GB");
        for n in [0, 1] {
            host.0.until("the formats are compared", || {
                host.of(n, "root.dataset.compared") == "7"
            });
            let style = host.of(
                n,
                "(() => { const of = (at) => getComputedStyle(root.querySelector(at));
                    return [of('.run').fontSize, of('.run').letterSpacing, of('.run').textTransform, of('.run').display,
                        of('.head').fontFamily.includes('cursive'), getComputedStyle(root).backgroundColor,
                        getComputedStyle(root).color, getComputedStyle(root).position, of('table').visibility]; })()",
            );
            let expected = json!([
                "12.6px",
                "normal",
                "none",
                "block",
                false,
                "rgb(20, 29, 38)",
                "rgb(231, 238, 244)",
                "static",
                "visible"
            ]);
            assert_eq!(style, expected, "widget {n}");
        }
        // Nothing of the widget is out in the page either.
        let out = "return [document.styleSheets.length, document.adoptedStyleSheets.length, Object.keys(window).filter((name) => /plimsoll|wasm/i.test(name)).length]";
        assert_eq!(host.0.run(out, json!([])), json!([1, 0, 0]));
        let loads = "return performance.getEntriesByType('resource').filter(({ name }) => name.endsWith('.wasm')).length";
        assert_eq!(host.0.run(loads, json!([])), 1, "one wasm for both");
        assert_eq!(host.0.console(), Vec::<String>::new());
    });
}

#[test]
#[ignore = "needs the built site and a browser: cargo xtask browser"]
fn a_reader_changes_the_card_and_the_host_is_told() {
    let body = format!(
        "{SCRIPT}<plimsoll-widget scenario=\"model=Qwen/Qwen3-8B&amp;gpu=rtx-4090\" controls=\"gpu,seq\"></plimsoll-widget>"
    );
    on_host(STRICT, "", &body, |host| {
        answers(host, 0, "Fits on GeForce RTX 4090");
        let listen = "window.told = []; for (const kind of ['plimsoll-estimate', 'plimsoll-error'])
            document.addEventListener(kind, ({ type, detail }) => told.push([type, detail.scenario ?? detail.problems[0].field, detail.estimate?.verdict ?? null]))";
        host.0.run(listen, json!([]));
        let choose = |name: &str, value: &str| {
            let script = format!(
                "(() => {{ const field = root.querySelector('[name={name}]'); field.focus(); field.value = '{value}';
                    field.dispatchEvent(new Event('change', {{ bubbles: true }})); }})()"
            );
            host.of(0, &script);
        };
        choose("gpu", "rtx-3060-12gb");
        answers(host, 0, "Does not fit on GeForce RTX 3060 12GB");
        assert_eq!(
            host.of(0, "widget.shadowRoot.activeElement.name"),
            "gpu",
            "the focus stays"
        );
        assert_eq!(host.of(0, "widget.estimate.verdict"), "exceeds");
        choose("seq", "0");
        host.0.until("the field says what is wrong", || {
            host.of(0, "root.querySelector('#seq-problem').textContent")
                .as_str()
                .is_some_and(|text| text.contains("at least 1"))
        });
        let told = host.0.run("return told", json!([]));
        let link = "v=1&model=Qwen/Qwen3-8B&stack=hf&method=qlora&gpu=rtx-3060-12gb";
        assert_eq!(
            told,
            json!([
                ["plimsoll-estimate", link, "exceeds"],
                ["plimsoll-error", "seq", null]
            ])
        );
        let full = host.of(0, "root.querySelector('.foot a').href");
        assert!(full.as_str().unwrap().ends_with(&format!("/#{link}")), "{full}");
    });
}

#[test]
#[ignore = "needs the built site and a browser: cargo xtask browser"]
fn what_is_wrong_is_said_in_place() {
    let widget = |attributes: &str| format!("<plimsoll-widget {attributes}></plimsoll-widget>");
    let body = [
        SCRIPT.to_owned(),
        widget("scenario=\"model=Qwen/Qwen3-8B&amp;seq=many\""),
        widget("scenario=\"model=Qwen/Qwen9-8B\""),
        widget("scenario=\"v=0&amp;model=Qwen/Qwen3-8B&amp;gpu=rtx-4090\" controls=\"gpu,colour\""),
        widget(""),
    ]
    .concat();
    on_host(STRICT, "", &body, |host| {
        answers(host, 0, "No answer");
        assert!(host.text(0, "body").contains("seq 'many' is not a whole number"));
        answers(host, 1, "No answer");
        assert!(
            host.text(1, "body")
                .contains("model 'Qwen/Qwen9-8B' is not in the catalog")
        );
        answers(host, 2, "Fits on GeForce RTX 4090");
        let notices = host.text(2, "notices");
        assert!(
            notices.contains("'colour' is not known; use one of model, gpu"),
            "{notices}"
        );
        assert!(notices.contains("version '0'"), "{notices}");
        // Nothing said is everything at its default.
        answers(host, 3, "Fits on GeForce RTX 4090");
        assert_eq!(host.0.console(), Vec::<String>::new());
    });
}

#[test]
#[ignore = "needs the built site and a browser: cargo xtask browser"]
fn a_policy_that_forbids_wasm_is_named_as_the_reason() {
    let policy = "default-src 'none'; script-src SITE; connect-src SITE; style-src 'self'";
    let body = format!("{SCRIPT}<plimsoll-widget scenario=\"model=Qwen/Qwen3-8B\"></plimsoll-widget>");
    on_host(policy, "", &body, |host| {
        answers(host, 0, "No answer");
        assert!(
            host.text(0, "body").contains("needs 'wasm-unsafe-eval'"),
            "{}",
            host.text(0, "body")
        );
    });
}

#[test]
#[ignore = "needs the built site and a browser: cargo xtask browser"]
fn a_widget_far_below_loads_when_it_is_scrolled_near() {
    let body = format!(
        "{SCRIPT}<div id=\"far\"></div><plimsoll-widget scenario=\"model=Qwen/Qwen3-8B&amp;gpu=rtx-4090\">in words</plimsoll-widget>"
    );
    on_host(STRICT, "#far { height: 6000px }", &body, |host| {
        host.0.until("the element is there", || {
            host.of(0, "root.querySelector('.loading') !== null") == true
        });
        let loads = "return performance.getEntriesByType('resource').filter(({ name }) => name.endsWith('.wasm')).length";
        assert_eq!(host.0.run(loads, json!([])), 0);
        host.0.run("scrollTo(0, document.body.scrollHeight)", json!([]));
        answers(host, 0, "Fits on GeForce RTX 4090");
    });
}

#[test]
#[ignore = "needs the built site and a browser: cargo xtask browser"]
fn more_of_the_module_is_loaded_for_a_run_that_takes_it() {
    let body = format!(
        "{SCRIPT}<plimsoll-widget scenario=\"model=Qwen/Qwen3-8B&amp;gpu=rtx-3060-12gb\"></plimsoll-widget>"
    );
    on_host(STRICT, "", &body, |host| {
        let loaded = || {
            let names = "return performance.getEntriesByType('resource').filter(({ name }) => name.endsWith('.wasm')).length";
            host.0.run(names, json!([]))
        };
        answers(host, 0, "Does not fit on GeForce RTX 3060 12GB");
        assert_eq!(loaded(), 1);
        let to = "document.querySelector('plimsoll-widget').scenario += '&stack=unsloth'";
        host.0.run(to, json!([]));
        answers(host, 0, "Fits on GeForce RTX 3060 12GB");
        assert_eq!(loaded(), 2);
    });
}

#[test]
#[ignore = "needs the built site and a browser: cargo xtask browser"]
fn a_frame_grows_to_its_content_and_follows_it() {
    let body = "<iframe src=\"SITE/embed/frame.html?controls=gpu&amp;theme=dark#model=Qwen/Qwen3-8B&amp;gpu=rtx-4090\" title=\"Memory\" width=\"100%\" height=\"90\"></iframe>\
         <script type=\"module\" src=\"SITE/embed/host.js\"></script>";
    on_host(STRICT, "iframe { border: 0 }", body, |host| {
        let height = || {
            host.0
                .run("return document.querySelector('iframe').offsetHeight", json!([]))
                .as_u64()
                .unwrap()
        };
        host.0
            .until("the frame is as tall as the whole answer", || height() > 400);
        let tall = height();
        host.0.session.post("frame", json!({ "id": 0 }));
        let inside = "const root = document.documentElement; return [root.scrollHeight <= root.clientHeight, root.scrollWidth <= root.clientWidth]";
        host.0.until("nothing scrolls inside", || {
            host.0.run(inside, json!([])) == json!([true, true])
        });
        host.0.run(
            "document.querySelector('plimsoll-widget').setAttribute('chart', 'off')",
            json!([]),
        );
        host.0.session.post("frame", json!({ "id": Value::Null }));
        host.0
            .until("the frame shrinks with its content", || height() < tall - 100);
        assert_eq!(host.0.console(), Vec::<String>::new());
    });
}

#[test]
#[ignore = "needs the built site and a browser: cargo xtask browser"]
fn the_page_hands_out_what_to_embed() {
    on_page("#model=Qwen/Qwen3-8B&gpu=rtx-3060-12gb", |page| {
        page.click("[data-embed]");
        let shadow = "const shadow = document.body.lastElementChild.shadowRoot;";
        let read =
            |expression: &str| page.run(&format!("{shadow} return shadow && ({expression})"), json!([]));
        page.until("the dialog previews the widget", || {
            read("shadow.querySelector('plimsoll-widget')?.shadowRoot.querySelector('.head')?.textContent")
                == "Does not fit on GeForce RTX 3060 12GB"
        });
        let code = || {
            read("shadow.querySelector('textarea').value")
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        let link = "v=1&amp;model=Qwen/Qwen3-8B&amp;stack=hf&amp;method=qlora&amp;gpu=rtx-3060-12gb";
        assert!(
            code().contains(&format!(
                "<plimsoll-widget scenario=\"{link}\" controls=\"gpu,seq\">"
            )),
            "{}",
            code()
        );
        let choose = |value: &str| {
            let script =
                format!("{shadow} const field = shadow.querySelector('input[value={value}]'); field.click()");
            page.run(&script, json!([]));
        };
        choose("dark");
        choose("model");
        assert!(
            code().contains("controls=\"model,gpu,seq\" theme=\"dark\""),
            "{}",
            code()
        );
        choose("frame");
        assert!(
            code().contains("embed/frame.html?controls=model%2Cgpu%2Cseq&amp;theme=dark#v=1&amp;model="),
            "{}",
            code()
        );
        choose("badge");
        assert!(
            code().starts_with("[![exceeds RTX 3060 12GB · 21.1 GiB](plimsoll.svg)](http"),
            "{}",
            code()
        );
        page.until("the picture is drawn", || {
            read("shadow.querySelector('.preview img')?.naturalWidth > 100") == true
        });
    });
}

#[test]
#[ignore = "needs the built site and a browser: cargo xtask browser"]
fn the_examples_for_plain_pages_answer() {
    on_example("embed/plain", "recipe.js", |host| {
        answers(host, 0, "Fits on GeForce RTX 4090");
        let told = "return document.querySelector('#told').textContent";
        assert_eq!(host.0.run(told, json!([])), "PyTorch would reserve 21.0 GiB.");
    });
    on_example("module/browser", "main.js", |host| {
        let answer = || {
            host.0
                .run("return document.querySelector('#answer').textContent", json!([]))
        };
        host.0
            .until("the module answers", || answer() == "fits, 2.3 GiB to spare");
    });
}

#[test]
#[ignore = "needs the built site and a browser: cargo xtask browser"]
fn axe_finds_no_violation_in_widgets_of_any_kind() {
    let Ok(axe) = std::env::var("PLIMSOLL_AXE") else {
        return eprintln!("LEFT OUT: there is no axe-core on this machine");
    };
    let axe = std::fs::read_to_string(axe).unwrap();
    let widget = |attributes: &str| format!("<plimsoll-widget {attributes}></plimsoll-widget>");
    let body = [
        SCRIPT.to_owned(),
        widget("scenario=\"model=Qwen/Qwen3-8B&amp;gpu=rtx-4090\" controls=\"model,gpu,seq\" theme=\"dark\""),
        widget("scenario=\"model=Qwen/Qwen3-8B&amp;gpu=none&amp;colour=blue\" theme=\"light\""),
        widget("scenario=\"seq=many\" theme=\"dark\""),
    ]
    .concat();
    on_host(STRICT, "", &body, |host| {
        answers(host, 2, "No answer");
        for n in [0, 1] {
            host.0.until("the formats are compared", || {
                host.of(n, "root.dataset.compared") == "7"
            });
        }
        host.0.run(&axe, json!([]));
        let run = "axe.run({ include: ['plimsoll-widget'] }, { resultTypes: ['violations'] }).then((found) =>
            arguments[0](found.violations.map((v) => v.id + ': ' + v.nodes.map((n) => n.html).join('; '))))";
        let found = host
            .0
            .session
            .post("execute/async", json!({ "script": run, "args": [] }));
        assert_eq!(found, json!([]));
    });
}
