use super::*;

/// Writes a header by hand.
#[derive(Clone)]
struct Writer(Vec<u8>);

impl Writer {
    fn new(tensors: u64, settings: u64) -> Self {
        let mut bytes = b"GGUF\x03\0\0\0".to_vec();
        bytes.extend(tensors.to_le_bytes());
        bytes.extend(settings.to_le_bytes());
        Writer(bytes)
    }

    fn text(mut self, text: &str) -> Self {
        self.0.extend((text.len() as u64).to_le_bytes());
        self.0.extend(text.as_bytes());
        self
    }

    fn u32(mut self, value: u32) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    fn u64(mut self, value: u64) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    fn number(self, key: &str, value: u32) -> Self {
        self.text(key).u32(4).u32(value)
    }

    fn tensor(self, name: &str, shape: &[u64], kind: u32, offset: u64) -> Self {
        let sized = shape
            .iter()
            .fold(self.text(name).u32(shape.len() as u32), |w, size| w.u64(*size));
        sized.u32(kind).u64(offset)
    }

    #[track_caller]
    fn complaint(self) -> String {
        read(&self.0, "m.gguf", true).unwrap_err().to_string()
    }
}

fn sound() -> Writer {
    Writer::new(2, 8)
        .text("general.architecture")
        .u32(8)
        .text("llama")
        .number("llama.embedding_length", 64)
        .number("llama.block_count", 2)
        .number("llama.feed_forward_length", 128)
        .number("llama.attention.head_count", 4)
        .number("llama.attention.head_count_kv", 2)
        .number("llama.context_length", 512)
        .text("tokenizer.ggml.tokens")
        .u32(9)
        .u32(8)
        .u64(3)
        .text("a")
        .text("b")
        .text("c")
        .tensor("token_embd.weight", &[64, 3], 1, 0)
        .tensor("blk.0.attn_q.weight", &[256, 64], 12, 384)
}

fn whole(writer: &Writer) -> Gguf {
    match read(&writer.0, "m.gguf", true).unwrap() {
        Progress::Whole(gguf) => *gguf,
        Progress::Longer => panic!("all is there"),
    }
}

#[test]
fn settings_become_fields_of_a_config_json() {
    let gguf = whole(&sound());
    let c = &gguf.config;
    assert_eq!(
        (
            c.model_type.as_str(),
            c.hidden_size,
            c.num_hidden_layers,
            c.vocab_size
        ),
        ("llama", 64, 2, 3)
    );
    assert_eq!(
        (c.num_key_value_heads, c.tie_word_embeddings, c.attention_bias),
        (Some(2), true, Some(false))
    );
    let query = &gguf.tensors[0];
    assert_eq!(
        (query.shape.as_slice(), query.bytes, query.dtype.name),
        (&[64, 256][..], 64 * 144, "Q4_K")
    );
}

#[test]
fn a_header_that_goes_on_asks_for_more() {
    let bytes = sound().0;
    for cut in 0..bytes.len() {
        assert_eq!(
            read(&bytes[..cut], "f", false).unwrap(),
            Progress::Longer,
            "{cut}"
        );
    }
    assert!(
        read(&bytes[..40], "f", true)
            .unwrap_err()
            .to_string()
            .contains("the file ends within it")
    );
}

#[test]
fn enormous_claims_are_refused_without_being_believed() {
    assert_eq!(
        Writer::new(1 << 63, 0).complaint(),
        "m.gguf: tensor_count: 9223372036854775808 is above 400000"
    );
    assert_eq!(
        Writer::new(1_000_000, 0).complaint(),
        "m.gguf: tensor_count: 1000000 is above 400000"
    );
    assert_eq!(
        Writer::new(0, u64::MAX).complaint(),
        "m.gguf: metadata_kv_count: 18446744073709551615 is above 65536"
    );
    assert_eq!(
        Writer::new(0, 1).u64(1 << 63).complaint(),
        "m.gguf: a setting's name: a text of 9223372036854775808 bytes is longer than 65536"
    );
    assert_eq!(
        Writer::new(0, 1).text("k").u32(8).u64(1 << 63).complaint(),
        "m.gguf: k: the file ends within it"
    );
    assert_eq!(
        Writer::new(0, 1)
            .text("k")
            .u32(9)
            .u32(10)
            .u64(1 << 63)
            .complaint(),
        "m.gguf: k: the file ends within it"
    );
    assert!(
        Writer::new(1, 0)
            .tensor("w", &[1 << 40, 1 << 40], 0, 0)
            .complaint()
            .contains("w: shape [1099511627776, 1099511627776] of F32 cannot be stored")
    );
}

#[test]
fn lists_in_lists_without_end_are_refused() {
    let nested = (0..10_000).fold(Writer::new(0, 1).text("k").u32(9), |w, _| w.u32(9).u64(1));
    assert_eq!(nested.complaint(), "m.gguf: k: lists are nested more than 3 deep");
}

#[test]
fn what_is_given_twice_or_overlaps_is_named() {
    let twice = Writer::new(0, 2).number("k", 1).number("k", 2);
    assert_eq!(twice.complaint(), "m.gguf: k: is given twice");
    let overlap = Writer::new(2, 0).tensor("a", &[8], 0, 0).tensor("b", &[8], 0, 16);
    assert_eq!(overlap.complaint(), "m.gguf: b: its bytes overlap those of a");
    let same = Writer::new(2, 0).tensor("a", &[8], 0, 0).tensor("a", &[8], 0, 32);
    assert_eq!(same.complaint(), "m.gguf: a: is given twice");
}

#[test]
fn what_is_no_header_says_so() {
    assert_eq!(
        Writer(b"PK\x03\x04....".to_vec()).complaint(),
        "m.gguf: is no GGUF file"
    );
    assert_eq!(
        Writer(b"GGUF\x01\0\0\0".to_vec()).complaint(),
        "m.gguf: version: 1 is not read; versions 2 and 3 are"
    );
    assert_eq!(
        Writer::new(0, 0).complaint(),
        "m.gguf: general.architecture: is missing"
    );
    assert_eq!(
        Writer::new(1, 0).tensor("w", &[1], 99, 0).complaint(),
        "m.gguf: w: the type 99 is not known"
    );
    let negative = Writer::new(0, 2)
        .text("general.architecture")
        .u32(8)
        .text("llama")
        .text("llama.block_count")
        .u32(5)
        .u32(u32::MAX);
    assert_eq!(
        negative.complaint(),
        "m.gguf: llama.block_count: -1 is below zero"
    );
}
