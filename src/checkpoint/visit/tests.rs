use super::*;

const LLAMA: &str = r#"{"model_type": "llama", "vocab_size": 8, "hidden_size": 8, "intermediate_size": 16,
    "num_hidden_layers": 1, "num_attention_heads": 2, "tie_word_embeddings": true}"#;

fn safetensors(json: &str) -> Vec<u8> {
    let mut bytes = (json.len() as u64).to_le_bytes().to_vec();
    bytes.extend(json.as_bytes());
    bytes
}

/// Visits a folder of these files.
fn visit(mut visit: Visit, files: &[(&str, Vec<u8>)]) -> (Vec<Piece>, Result<Visit, String>) {
    let mut asked = Vec::new();
    while let Some(piece) = visit.wanted().cloned() {
        let found = files.iter().find(|(name, _)| *name == piece.file);
        let reply = found.map_or(Reply::Missing, |(_, bytes)| {
            let rest = bytes.get(piece.begin as usize..).unwrap_or_default();
            let most = piece
                .length
                .map_or(rest.len(), |length| rest.len().min(length as usize));
            Reply::Bytes(rest[..most].to_vec(), Some(bytes.len() as u64))
        });
        asked.push(piece);
        assert!(asked.len() < 100, "it never ends");
        if let Err(problem) = visit.take(reply) {
            return (asked, Err(problem.to_string()));
        }
    }
    (asked, Ok(visit))
}

#[test]
fn the_configuration_is_asked_for_first_and_three_requests_tell_everything() {
    let file = safetensors(r#"{"w": {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}}"#);
    let files = [("config.json", LLAMA.into()), ("model.safetensors", file)];
    let (asked, visited) = visit(Visit::of_repository("a/b"), &files);
    let names: Vec<_> = asked.iter().map(|piece| piece.file.as_str()).collect();
    assert_eq!(names, [CONFIG, INDEX, SINGLE]);
    let visited = visited.unwrap();
    assert_eq!(visited.progress(), (3, 3));
    assert_eq!(visited.model().unwrap().config.name.as_deref(), Some("a/b"));
}

#[test]
fn a_long_header_is_read_in_two_pieces_and_no_more_of_the_file() {
    let name = "n".repeat(FIRST_OF_SAFETENSORS as usize);
    let mut file = safetensors(&format!(
        r#"{{"{name}": {{"dtype": "U8", "shape": [99], "data_offsets": [0, 99]}}}}"#
    ));
    let header = file.len() as u64;
    file.extend([0; 99]);
    let files = [("config.json", LLAMA.into()), ("model.safetensors", file)];
    let (asked, visited) = visit(Visit::of_repository("a/b"), &files);
    visited.unwrap();
    let last = asked.last().unwrap();
    assert_eq!(
        (last.begin, last.length),
        (FIRST_OF_SAFETENSORS, Some(header - FIRST_OF_SAFETENSORS))
    );
}

#[test]
fn every_file_of_an_index_is_read_once() {
    let index = r#"{"metadata": {"total_size": 5}, "weight_map": {"a": "1.safetensors", "b": "2.safetensors", "c": "1.safetensors"}}"#;
    let part = |name: &str| {
        let mut file = safetensors(&format!(
            r#"{{"{name}": {{"dtype": "U8", "shape": [2], "data_offsets": [0, 2]}}}}"#
        ));
        file.extend([0; 2]);
        file
    };
    let files = [
        ("config.json", LLAMA.into()),
        ("model.safetensors.index.json", index.into()),
        ("1.safetensors", part("a")),
        ("2.safetensors", part("b")),
    ];
    let (asked, visited) = visit(Visit::of_repository("a/b"), &files);
    assert_eq!(asked.len(), 4);
    let model = visited.unwrap().model().unwrap();
    assert!(
        model
            .remarks
            .iter()
            .any(|text| text == "the index states 5 bytes, and the headers name 4")
    );
    let (_, visited) = visit(Visit::of_repository("a/b"), &files[..3]);
    assert_eq!(visited.unwrap_err(), "2.safetensors: is missing in a/b");
}

#[test]
fn an_adapters_repository_says_whose_it_is() {
    let files = [(
        "adapter_config.json",
        r#"{"peft_type": "LORA", "base_model_name_or_path": "x/y"}"#.into(),
    )];
    let (_, visited) = visit(Visit::of_repository("a/b"), &files);
    let visited = visited.unwrap();
    assert!(visited.adapter().is_some_and(|text| text.contains("x/y")));
    assert!(
        visited
            .model()
            .unwrap_err()
            .to_string()
            .contains("give that one's config.json too")
    );
    let (_, visited) = visit(Visit::of_repository("a/b"), &[]);
    assert!(
        visited
            .unwrap_err()
            .starts_with("a/b: has neither config.json nor adapter_config.json")
    );
}

#[test]
fn files_that_end_early_are_told() {
    let file = safetensors(r#"{"w": {"dtype": "U8", "shape": [2], "data_offsets": [0, 2]}}"#);
    let cut = |length: usize| {
        let files = [
            ("config.json", LLAMA.into()),
            ("model.safetensors", file[..length].to_vec()),
        ];
        visit(Visit::of_repository("a/b"), &files).1.unwrap_err()
    };
    assert_eq!(
        cut(5),
        "model.safetensors: has 5 bytes; a safetensors file has at least 8"
    );
    assert_eq!(
        cut(20),
        "model.safetensors: header length: 60 bytes are claimed, and the file has 20"
    );
    assert_eq!(
        cut(file.len()),
        "model.safetensors: the header names 2 bytes of tensors, and the file holds 0"
    );
}

#[test]
fn files_alone_are_read_by_their_names() {
    let of = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        Visit::of_files("mine", &names)
    };
    let text = of(&["weights.bin"]).unwrap_err().to_string();
    assert!(
        text.starts_with("weights.bin: is not read; give a config.json"),
        "{text}"
    );
    let tensors = safetensors(r#"{"w": {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}}"#);
    let (_, visited) = visit(of(&["a.safetensors"]).unwrap(), &[("a.safetensors", tensors)]);
    assert!(
        visited
            .unwrap()
            .model()
            .unwrap_err()
            .to_string()
            .starts_with("config.json: is needed")
    );
    let gguf = [("m.gguf", b"GGUF\x03\0\0\0".to_vec())];
    let (_, visited) = visit(of(&["m.gguf"]).unwrap(), &gguf);
    assert_eq!(
        visited.unwrap_err(),
        "m.gguf: tensor_count: the file ends within it"
    );
}
