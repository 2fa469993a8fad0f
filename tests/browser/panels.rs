//! A user's ways through the panels below the answer.

use crate::page::on_page;
use serde_json::json;

#[test]
#[ignore = "needs the built site and a browser: cargo xtask browser"]
fn the_timeline_tells_what_is_alive_and_where_the_keys_lead() {
    on_page("", |page| {
        page.until("the timeline is drawn", || page.has("moment-tensors"));
        let at_peak = page.text("moment-tensors");
        assert!(at_peak.contains("base weights"), "{at_peak}");
        page.focus("[data-testid=timeline] svg[role=slider]");
        page.press(&["Home"]);
        page.until("another moment is told", || {
            page.text("moment-tensors") != at_peak
        });
        page.press(&["0"]);
        page.until("the peak is told again", || {
            page.text("moment-tensors") == at_peak
        });
        let whole = "return document.querySelector('[role=slider]').getAttribute('aria-valuemax')";
        let before = page.run(whole, json!([]));
        page.press(&["+"]);
        page.until("it is closer", || page.run(whole, json!([])) != before);
    });
}

#[test]
#[ignore = "needs the built site and a browser: cargo xtask browser"]
fn a_cell_of_the_map_is_chosen_by_click_and_by_key() {
    on_page("", |page| {
        let verdict = "return document.querySelector('[data-cell=\"0-4\"]').getAttribute('aria-label')";
        page.until("the map is filled", || {
            page.run(verdict, json!([]))
                .as_str()
                .is_some_and(|told| told.ends_with("fits"))
        });
        page.click("[data-cell='0-4']");
        page.until("the length is taken", || page.value("seq") == "4096");
        assert_eq!(page.value("batch"), "1");
        page.focus("[data-cell='0-4']");
        page.press(&["ArrowLeft", "Enter"]);
        page.until("the next cell is taken", || page.value("seq") == "2048");
        page.until("the longest sequence is known", || {
            page.text("largest-seq").len() > 3
        });
    });
}

#[test]
#[ignore = "needs the built site and a browser: cargo xtask browser"]
fn cards_are_narrowed_sorted_and_chosen() {
    on_page("", |page| {
        page.until("the cards are judged", || {
            page.text("cards-summary").contains("Cheapest")
        });
        page.set("cards-words", "h100");
        page.until("only those are left", || {
            page.run(
                "return [...document.querySelectorAll('[data-testid=cards] tbody th')].every(th => /H100/.test(th.innerText))",
                json!([]),
            ) == true
        });
        page.click("[data-testid=cards] tbody tr:first-child th button");
        page.until("the card is chosen", || page.text("verdict").contains("H100"));
        page.click("[data-testid=cards] tbody tr:first-child input");
        page.until("it is set beside", || {
            page.run(
                "return document.querySelectorAll('ul.compared li').length",
                json!([]),
            ) == 1
        });
        page.click("[data-testid=cards] thead th:last-child button");
        page.until("it is sorted by price", || {
            page.run(
                "return document.querySelector('[data-testid=cards] thead th:last-child').ariaSort",
                json!([]),
            ) == "ascending"
        });
    });
}

#[test]
#[ignore = "needs the built site and a browser: cargo xtask browser"]
fn a_pinned_run_is_compared_and_gone_back_to() {
    on_page("", |page| {
        let before = page.answer();
        page.click("[data-testid=pin]");
        page.until("it is pinned", || page.has("pinned"));
        page.set("seq", "4096");
        page.until("the change is told", || page.text("changes").contains("4096"));
        assert!(page.text("pinned").contains('+'), "{}", page.text("pinned"));
        page.click(".pinned-tools button:first-child");
        page.until("the pinned run is back", || page.answer() == before);
        page.click("[data-testid=unpin]");
        page.until("nothing is pinned", || !page.has("pinned"));
    });
}

#[test]
#[ignore = "needs the built site and a browser: cargo xtask browser"]
fn a_common_run_is_taken_and_the_history_leads_back() {
    on_page("", |page| {
        let before = page.answer();
        page.set("preset", "2");
        page.until("the preset is answered", || page.text("verdict").contains("T4"));
        page.until("the address follows", || page.fragment().contains("gpu=t4"));
        page.set("checkpointing", "none");
        page.until("the address follows again", || {
            page.fragment().contains("checkpointing=none")
        });
        page.run("history.back()", json!([]));
        page.until("the preset is back", || page.value("checkpointing") == "hf");
        page.run("history.back()", json!([]));
        page.until("the first answer is back", || page.answer() == before);
        page.run("history.forward()", json!([]));
        page.until("forward again", || page.text("verdict").contains("T4"));
    });
}

#[test]
#[ignore = "needs the built site and a browser: cargo xtask browser"]
fn the_machine_is_only_a_hint() {
    on_page("", |page| {
        page.until("the browser was asked", || {
            page.text("machine").contains("A hint:")
        });
        assert!(page.text("verdict").contains("RTX 4090"), "the choice stays");
    });
}

#[test]
#[ignore = "needs the built site and a browser: cargo xtask browser"]
fn answers_are_exported() {
    on_page("", |page| {
        page.run(
            "window.saved = []; URL.createObjectURL = (blob) => { blob.text().then(t => window.saved.push(t)); return '#'; };
             HTMLAnchorElement.prototype.click = function () { window.saved.push(this.download); };",
            json!([]),
        );
        page.click(".menu summary");
        page.click("[data-testid=save-json]");
        page.click("[data-testid=save-csv]");
        page.click(".quant .keep button:first-child");
        let saved = || page.run("return window.saved.join('\\n')", json!([]));
        page.until("all three are there", || {
            let saved = saved();
            let saved = saved.as_str().unwrap_or_default();
            [
                "plimsoll.json",
                "allocated_bytes",
                "plimsoll.csv",
                "quantity,allocated,",
                "plimsoll-quantization.svg",
                "<svg",
            ]
            .iter()
            .all(|part| saved.contains(part))
        });
    });
}

#[test]
#[ignore = "needs the built site and a browser: cargo xtask browser"]
fn the_page_works_without_a_network_once_it_was_loaded() {
    on_page("", |page| {
        let before = page.answer();
        let kept = "const files = async () => {
                await navigator.serviceWorker.ready;
                const caches_ = await Promise.all((await caches.keys()).map(name => caches.open(name)));
                return (await Promise.all(caches_.map(cache => cache.keys()))).flat();
            };
            files().then(files => arguments[0](!!navigator.serviceWorker.controller
                && files.some(file => file.url.includes('app_later'))))";
        page.until("the page is kept", || {
            page.session
                .post("execute/async", json!({ "script": kept, "args": [] }))
                == true
        });
        page.session.devtools("Network.enable", json!({}));
        let network = |offline: bool| {
            page.session.devtools(
                "Network.emulateNetworkConditions",
                json!({ "offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 }),
            );
        };
        network(true);
        page.reload();
        assert_eq!(page.answer(), before);
        page.set("seq", "4096");
        page.until("it answers", || page.answer() != before);
        network(false);
    });
}

#[test]
#[ignore = "needs the built site and a browser: cargo xtask browser"]
fn advice_is_taken_with_one_click_and_undone_with_another() {
    on_page("#gpu=rtx-3060-12gb", |page| {
        page.until("a remedy is found", || page.has("remedy"));
        let before = page.answer();
        assert!(page.text("tree").contains("no"), "{}", page.text("tree"));
        page.click("[data-testid=remedy] button");
        page.until("it fits", || page.text("verdict").contains("Fits"));
        page.click("[data-testid=undo]");
        page.until("it is as before", || page.answer() == before);
    });
}

#[test]
#[ignore = "needs the built site and a browser: cargo xtask browser"]
fn the_run_is_written_for_a_trainer() {
    on_page("", |page| {
        page.click("[data-testid=run] .choices button:nth-child(4)");
        page.until("it is Axolotl's", || {
            page.text("script")
                .contains("base_model: meta-llama/Llama-3.1-8B")
        });
        page.set("seq", "4096");
        page.until("it follows the scenario", || page.text("script").contains("4096"));
    });
}

#[test]
#[ignore = "needs the built site and a browser: cargo xtask browser"]
fn the_stack_is_chosen() {
    on_page("", |page| {
        let before = page.answer();
        page.set("stack", "unsloth");
        page.until("it is answered", || page.answer() != before);
        assert!(
            page.text("verdict").contains("RTX 4090"),
            "{}",
            page.text("verdict")
        );
    });
}
