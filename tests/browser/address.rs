//! The whole scenario is in the fragment of the address.

use crate::page::on_page;
use serde_json::json;

#[test]
#[ignore = "needs the built site and a browser: cargo xtask browser"]
fn the_address_follows_and_gives_the_same_answer_when_loaded_again() {
    on_page("", |page| {
        page.type_into("model-input", "Qwen/Qwen3-4B");
        page.set("seq", "3000");
        page.set("batch", "3");
        page.set("optimizer", "adamw_torch_fused");
        for part in [
            "model=Qwen/Qwen3-4B",
            "seq=3000",
            "batch=3",
            "optimizer=adamw_torch_fused",
        ] {
            page.until(&format!("the address has {part}"), || {
                page.fragment().contains(part)
            });
        }
        // All bars are drawn anew together.
        page.until("the chart is that of the answer", || {
            let own = "return document.querySelector('.bar[aria-checked=true]').ariaLabel.split(': ')[1]";
            let needs = page.run(own, json!([]));
            page.text("verdict").contains(needs.as_str().unwrap_or_default())
        });
        let (address, answer, chart) = (page.fragment(), page.answer(), page.markup("quant-chart"));
        page.reload();
        page.until("the chart is back", || page.markup("quant-chart") == chart);
        assert_eq!(page.answer(), answer);
        assert_eq!(page.fragment(), address);
    });
}

#[test]
#[ignore = "needs the built site and a browser: cargo xtask browser"]
fn unknown_keys_give_a_notice_and_the_rest_is_kept() {
    on_page("#seq=3000&colour=red", |page| {
        assert!(
            page.text("notice").contains("colour"),
            "'{}' names the key",
            page.text("notice")
        );
        assert_eq!(page.value("seq"), "3000");
    });
}

#[test]
#[ignore = "needs the built site and a browser: cargo xtask browser"]
fn another_fragment_in_the_open_page_is_answered() {
    on_page("#seq=1024", |page| {
        let before = page.answer();
        page.run("location.hash = '#seq=3000'", json!([]));
        page.until("the answer changes", || page.answer() != before);
        assert_eq!(page.value("seq"), "3000");
        page.run("history.back()", json!([]));
        page.until("the first answer is back", || page.answer() == before);
        assert_eq!(page.value("seq"), "1024");
    });
}

#[test]
#[ignore = "needs the built site and a browser: cargo xtask browser"]
fn no_fragment_breaks_the_page() {
    on_page("", |page| {
        for hostile in [
            "#",
            "#%",
            "#%ff%fe&=&&==",
            "#model=",
            "#model=<script>alert(1)</script>",
            "#seq=0&batch=0&rank=0",
            "#seq=1e999&batch=NaN&rank=-1",
            "#seq=18446744073709551615&batch=18446744073709551615",
            "#gpu=none-such&stack=x&method=y&weights=z",
            "#v=999",
            "#seq=2048&seq=4096",
            "#{\"seq\":2048}",
        ] {
            page.open(hostile);
            assert!(
                !page.text("verdict").is_empty() || page.has("problem"),
                "at {hostile}"
            );
        }
    });
}
