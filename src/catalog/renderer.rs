//! Which card a browser names: WebGL's `UNMASKED_RENDERER_WEBGL` against the catalog.

use super::{Gpu, gpus};

/// The cards that a WebGL renderer string may name; several where a driver gives one name to two sizes.
///
/// Chrome on Windows adds the PCI id, which separates most of those. Firefox answers with a class of cards, for which
/// nothing is found.
///
/// ```
/// use plimsoll::catalog::gpus_by_renderer;
/// let found = gpus_by_renderer("ANGLE (NVIDIA Corporation, NVIDIA GeForce RTX 4090/PCIe/SSE2, OpenGL 4.5.0)");
/// assert_eq!(found[0].slug, "rtx-4090");
/// ```
pub fn gpus_by_renderer(renderer: &str) -> Vec<&'static Gpu> {
    let plain = renderer.replace("(TM)", "").replace("(R)", "");
    let named: Vec<&Gpu> = gpus().iter().filter(|gpu| names(&plain, &gpu.renderer)).collect();
    let by_id: Vec<&Gpu> = match pci_device_id(renderer) {
        Some(id) => named
            .iter()
            .copied()
            .filter(|gpu| gpu.pci_device_ids.contains(&id))
            .collect(),
        None => Vec::new(),
    };
    if by_id.is_empty() { named } else { by_id }
}

/// Does the name occur, and end there? `RTX 4090` must not be found in `RTX 4090 Laptop GPU`.
fn names(renderer: &str, name: &str) -> bool {
    let ends = |rest: &str| {
        rest.is_empty()
            || [" (", "/", ",", ")", " Direct3D", " Graphics"]
                .iter()
                .any(|end| rest.starts_with(end))
    };
    renderer
        .match_indices(name)
        .any(|(at, _)| ends(&renderer[at + name.len()..]))
}

/// The device id in `(0x00002684)`, as four lower-case hexadecimal digits.
fn pci_device_id(renderer: &str) -> Option<String> {
    let (_, rest) = renderer.split_once("(0x")?;
    let (digits, _) = rest.split_once(')')?;
    let id = u32::from_str_radix(digits, 16).ok()?;
    Some(format!("{:04x}", id & 0xffff))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slugs(renderer: &str) -> Vec<&'static str> {
        gpus_by_renderer(renderer)
            .into_iter()
            .map(|gpu| gpu.slug.as_str())
            .collect()
    }

    #[test]
    fn every_card_is_found_by_its_own_name() {
        for gpu in gpus() {
            let linux = format!("ANGLE (Vendor, {}/PCIe/SSE2, OpenGL 4.5.0)", gpu.renderer);
            assert!(slugs(&linux).contains(&gpu.slug.as_str()), "{linux}");
        }
    }

    #[test]
    fn the_pci_id_separates_two_sizes_of_one_name() {
        let windows =
            |id| format!("ANGLE (NVIDIA, NVIDIA GeForce RTX 3080 ({id}) Direct3D11 vs_5_0 ps_5_0, D3D11)");
        assert_eq!(slugs(&windows("0x0000220A")), ["rtx-3080-12gb"]);
        assert_eq!(slugs(&windows("0x00002206")), ["rtx-3080-10gb"]);
        assert_eq!(slugs(&windows("0xffff")), ["rtx-3080-10gb", "rtx-3080-12gb"]);
    }

    #[test]
    fn longer_names_are_other_cards() {
        assert_eq!(
            slugs("NVIDIA GeForce RTX 4090 Laptop GPU/PCIe/SSE2"),
            ["rtx-4090-laptop"]
        );
        assert_eq!(
            slugs("ANGLE (NVIDIA, NVIDIA GeForce RTX 4090 D (0x00002685) Direct3D11)"),
            ["rtx-4090-d"]
        );
        assert_eq!(slugs("NVIDIA A10G/PCIe/SSE2"), ["a10g"]);
    }

    #[test]
    fn intel_cards_are_found_with_and_without_the_trade_mark() {
        assert_eq!(
            slugs("ANGLE (Intel, Intel(R) Arc(TM) B580 Graphics (0x0000E20B) Direct3D11)"),
            ["arc-b580"]
        );
        assert_eq!(slugs("Mesa Intel(R) Arc A770 Graphics (DG2)"), ["arc-a770-16gb"]);
    }

    #[test]
    fn other_renderers_name_no_card() {
        for renderer in [
            "",
            "NVIDIA GeForce GTX 980, or similar",
            "Apple M2 Pro",
            "llvmpipe (LLVM 15)",
            "(0x",
            "(0xzz)",
        ] {
            assert_eq!(slugs(renderer), [""; 0], "{renderer}");
        }
    }
}
