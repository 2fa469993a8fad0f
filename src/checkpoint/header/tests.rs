use super::*;

#[track_caller]
fn complaint(json: &str) -> String {
    Header::read(json.as_bytes(), "model.safetensors", None)
        .unwrap_err()
        .to_string()
}

#[test]
fn tensors_are_read_with_their_exact_bytes() {
    let json = r#"{"__metadata__": {"format": "pt"},
        "b": {"dtype": "F32", "shape": [], "data_offsets": [12, 16]},
        "a": {"dtype": "BF16", "shape": [2, 3], "data_offsets": [0, 12]}}   "#;
    let header = Header::read(json.as_bytes(), "f", Some(16)).unwrap();
    let found: Vec<_> = header
        .tensors
        .iter()
        .map(|t| (t.name.as_str(), t.elements(), t.bytes))
        .collect();
    assert_eq!(found, [("a", 6, 12), ("b", 1, 4)]);
}

#[test]
fn headers_as_libraries_write_them_are_read_in_one_go_and_others_all_the_same() {
    let of = |json: &str| {
        let found = Header::read(json.as_bytes(), "f", None).map(|header| header.tensors.len());
        (plain::tensors(json.as_bytes()).is_some(), found.ok())
    };
    for usual in [
        r#"{"a":{"dtype":"F16","shape":[2,3],"data_offsets":[0,12]},"b":{"dtype":"U8","shape":[],"data_offsets":[12,13]}}  "#,
        r#"{"__metadata__": {"a\n": "{}"}, "a": {"dtype": "F16", "shape": [2, 3], "data_offsets": [0, 12]},
           "b": {"data_offsets": [12, 13], "dtype": "U8", "shape": []}}"#,
    ] {
        assert_eq!(of(usual), (true, Some(2)), "{usual}");
    }
    for unusual in [
        r#"{"\u0061":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#,
        r#"{"a":{"shape":[1],"\u0064type":"U8","data_offsets":[0,1]}}"#,
    ] {
        let found = of(unusual);
        assert!(!found.0 && found.1.is_some(), "{unusual}");
    }
    for wrong in [
        r#"{"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#,
        r#"{"a":{"dtype":"U8","shape":[1]}}"#,
        r#"{"a":{"dtype":"U8","shape":[01],"data_offsets":[0,1]}}"#,
        r#"{"a":{"dtype":"U8","shape":[1,],"data_offsets":[0,1]}}"#,
        r#"{"a":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}}"#,
        r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},}"#,
        r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}} x"#,
        r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}"#,
        r#"{"__metadata__":{"a":},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#,
        "{\"a\u{1}\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}",
    ] {
        assert_eq!(of(wrong), (false, None), "{wrong}");
    }
}

#[test]
fn a_claim_of_enormous_length_is_refused() {
    let of = |length: u64| header_length(&length.to_le_bytes(), "f").map_err(|e| e.to_string());
    assert_eq!(of(1 << 20), Ok(1 << 20));
    for length in [0, 1, LONGEST_HEADER + 1, 1 << 63, u64::MAX] {
        assert_eq!(
            of(length),
            Err(format!(
                "f: header length: {length} bytes are claimed; a header has between 2 and 100000000. Is it a safetensors file?"
            ))
        );
    }
    assert_eq!(
        header_length(b"abc", "f").unwrap_err().to_string(),
        "f: has 3 bytes; a safetensors file has at least 8"
    );
}

#[test]
fn tensors_of_two_to_the_sixty_third_bytes_are_refused() {
    assert_eq!(
        complaint(r#"{"w": {"dtype": "F32", "shape": [9223372036854775808, 9], "data_offsets": [0, 4]}}"#),
        "model.safetensors: header: w: shape [9223372036854775808, 9] of F32 cannot be stored at line 1 column 82"
    );
    assert!(
        complaint(r#"{"w": {"dtype": "U8", "shape": [1], "data_offsets": [0, 18446744073709551615]}}"#)
            .contains("w: shape [1] of U8 takes 1 bytes, and data_offsets name 18446744073709551615")
    );
}

#[test]
fn more_tensors_than_any_model_has_are_refused() {
    let mut json = String::from("{");
    for i in 0..1_000_000 {
        let comma = if i == 0 { "" } else { "," };
        json.push_str(&format!(
            r#"{comma}"{i}":{{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}"#
        ));
    }
    json.push('}');
    assert!(complaint(&json).contains("there are more than 400000 tensors"));
}

#[test]
fn a_tensor_or_field_given_twice_is_named() {
    assert_eq!(
        complaint(
            r#"{"w": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]},
                "w": {"dtype": "U8", "shape": [1], "data_offsets": [1, 2]}}"#
        ),
        "model.safetensors: w: is given twice"
    );
    assert!(
        complaint(r#"{"w": {"dtype": "U8", "dtype": "U8", "shape": [1], "data_offsets": [0, 1]}}"#)
            .contains("w: duplicate field `dtype`")
    );
}

#[test]
fn overlaps_and_holes_are_named() {
    let two = |second: &str| {
        complaint(&format!(
            r#"{{"a": {{"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}},
                "b": {{"dtype": "U8", "shape": [4], "data_offsets": {second}}}}}"#
        ))
    };
    assert_eq!(
        two("[2, 6]"),
        "model.safetensors: b: its bytes overlap those of a"
    );
    assert_eq!(
        two("[8, 12]"),
        "model.safetensors: b: there are 4 unused bytes before it"
    );
    assert!(two("[8, 4]").contains("b: data_offsets: it ends at 4, before it begins at 8"));
}

#[test]
fn numbers_that_are_none_are_named() {
    let shape = |text: &str| {
        complaint(&format!(
            r#"{{"w": {{"dtype": "U8", "shape": [{text}], "data_offsets": [0, 1]}}}}"#
        ))
    };
    assert!(
        shape("-1").contains("w: invalid value: integer `-1`, expected u64"),
        "{}",
        shape("-1")
    );
    assert!(shape("1.5").contains("w: invalid type: floating point `1.5`, expected u64"));
    assert!(
        shape("NaN").contains("NaN is no number of JSON"),
        "{}",
        shape("NaN")
    );
    assert!(shape(&"[".repeat(10_000)).contains("w: invalid type: sequence, expected u64"));
    assert!(shape("1,".repeat(20).trim_end_matches(',')).contains("20 dimensions are more than 16"));
}

#[test]
fn a_file_shorter_than_its_header_says_is_told() {
    let json = br#"{"w": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}}"#;
    assert_eq!(
        Header::read(json, "f", Some(3)).unwrap_err().to_string(),
        "f: the header names 4 bytes of tensors, and the file holds 3"
    );
}

#[test]
fn metadata_is_passed_over_however_deep_it_nests() {
    let json = format!(r#"{{"__metadata__": {}"#, "[".repeat(10_000));
    assert!(complaint(&json).contains("header: EOF while parsing"));
}
