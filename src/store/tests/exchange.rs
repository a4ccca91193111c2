//! Import and export.

use super::*;

#[test]
fn export_and_import_are_inverse() {
    let store = filled();
    apply(
        &store,
        vec![
            put(
                DocumentType::User,
                "acc",
                "u1",
                json!({"first_name": "Zoë", "z": 1, "a": "\u{7f}💥"}),
            ),
            account("zero", "zero.example.com"),
            account("bare", "b.example.com"),
        ],
    )
    .unwrap();
    store.register(registration("2001", FAR));
    store.register(registration("stranger", FAR));
    let mut first = Vec::new();
    assert_eq!(store.export(&mut first).unwrap(), 9);
    let copy = Store::temporary().unwrap();
    let report = copy.import(&mut first.as_slice(), false).unwrap();
    assert_eq!(report.problems, []);
    assert_eq!(report.imported, 9);
    let mut second = Vec::new();
    copy.export(&mut second).unwrap();
    assert_eq!(
        String::from_utf8(first).unwrap(),
        String::from_utf8(second).unwrap()
    );
    sound(&copy);
    // and again over itself
    let mut third = Vec::new();
    copy.export(&mut third).unwrap();
    assert_eq!(
        copy.import(&mut third.as_slice(), false).unwrap().problems,
        []
    );
    sound(&copy);
}

fn problems(store: &Store, lines: &str, keep_going: bool) -> (usize, Vec<(usize, String, String)>) {
    let report = store.import(&mut lines.as_bytes(), keep_going).unwrap();
    let problems = report.problems.into_iter();
    let told = problems.map(|p| (p.line, p.field, p.expected));
    (report.imported, told.collect())
}

#[test]
fn an_import_names_line_and_field() {
    let store = Store::temporary().unwrap();
    let lines = [
        r#"{"type":"device","account_id":"acc","id":"d1","name":"N","sip":{"username":"2001"}}"#,
        "",
        r#"{"type":"device","account_id":"acc","id":"d2","name":"N","sip":{"username":"x"},"enabled":3}"#,
        "not json",
        r#"{"type":"account","id":"acc","realm":"acme.example.com"}"#,
        r#"{"type":"device","account_id":"acc","id":"d3","name":"N","sip":{"username":"2001"}}"#,
        r#"{"type":"device","account_id":"acc","id":"d1","name":"N"}"#,
        r#"{"type":"device","account_id":"acc","id":"d5","name":"N","sip":{"username":"2001","realm":"ACME.example.com"}}"#,
        r#"{"type":"device","account_id":"ghost","id":"d6","name":"N"}"#,
        r#"{"type":"phone","account_id":"acc","id":"d7"}"#,
        r#"{"type":"device","account_id":"acc","id":"d8","nmae":"N"}"#,
    ]
    .join("\n");
    let (imported, told) = problems(&store, &lines, false);
    assert_eq!(imported, 0);
    let places: Vec<(usize, &str)> = told.iter().map(|(l, f, _)| (*l, f.as_str())).collect();
    assert_eq!(
        places,
        [
            (3, "sip.username"),
            (3, "enabled"),
            (4, ""),
            (6, "sip.username"),
            (7, "id"),
            (8, "sip.username"),
            (9, "account_id"),
            (10, "type"),
            (11, "name"),
        ]
    );
    assert_eq!(store.sequence(), 0);
    assert_eq!(store.scan(DocumentType::Account, None).count(), 0);
    let (imported, again) = problems(&store, &lines, true);
    assert_eq!(again, told);
    assert_eq!(imported, 2);
    assert!(
        store
            .device(&account_id("acc"), &id("d1"))
            .unwrap()
            .is_some()
    );
    sound(&store);
}

#[test]
fn an_import_is_judged_by_where_it_leads() {
    let store = filled();
    // two devices swap their names, a third takes an address over from the store, the account comes last
    let lines = [
        r#"{"type":"device","account_id":"acc","id":"d1","name":"N","sip":{"username":"2002"}}"#,
        r#"{"type":"device","account_id":"acc","id":"d2","name":"N","sip":{"username":"2001"}}"#,
        r#"{"type":"device","account_id":"new","id":"d","name":"N","sip":{"ip":"198.51.100.9","method":"ip","username":"2001"}}"#,
        r#"{"type":"account","id":"new","realm":"new.example.com"}"#,
    ]
    .join("\r\n");
    let (imported, told) = problems(&store, &lines, false);
    assert_eq!(told, []);
    assert_eq!(imported, 4);
    sound(&store);
    let (_, told) = problems(
        &store,
        r#"{"type":"device","account_id":"acc","id":"d7","name":"N","sip":{"ip":"198.51.100.9:1","method":"ip"}}"#,
        false,
    );
    assert_eq!(
        told[0].2,
        "a value of its own; \"198.51.100.9\" already belongs to device new/d"
    );
    // a realm that makes two addresses one
    let own = device(
        "acc",
        "own",
        json!({"username": "2001", "realm": "moved.example.com"}),
    );
    apply(&store, vec![own]).unwrap();
    let moved = r#"{"type":"account","id":"new","realm":"moved.example.com"}"#;
    let (_, told) = problems(&store, moved, false);
    assert_eq!((told[0].0, told[0].1.as_str()), (1, "realm"));
    // documents of an account whose line is bad go with it
    let lines = [
        r#"{"type":"account","id":"third","realm":"new.example.com"}"#,
        r#"{"type":"user","account_id":"third","id":"u"}"#,
        r#"{"type":"user","account_id":"acc","id":"u"}"#,
    ]
    .join("\n");
    let (imported, told) = problems(&store, &lines, true);
    let places: Vec<(usize, &str)> = told.iter().map(|(l, f, _)| (*l, f.as_str())).collect();
    assert_eq!(places, [(1, "realm"), (2, "account_id")]);
    assert_eq!(imported, 1);
    sound(&store);
}

#[test]
fn the_demo_documents_are_sound() {
    let store = Store::temporary().unwrap();
    for lines in [
        include_str!("../../../conf/demo/acme.jsonl"),
        include_str!("../../../conf/demo/globex.jsonl"),
    ] {
        let (imported, told) = problems(&store, lines, false);
        assert_eq!(told, []);
        assert!(imported > 0);
    }
    sound(&store);
}

#[test]
fn odd_files_are_no_surprise() {
    let store = filled();
    assert_eq!(problems(&store, "", false), (0, Vec::new()));
    assert_eq!(problems(&store, "\u{feff}\r\n\n", false), (0, Vec::new()));
    let marked = "\u{feff}{\"type\":\"user\",\"account_id\":\"acc\",\"id\":\"u\"}\r\n";
    assert_eq!(problems(&store, marked, false).0, 1);
    let deep = format!("{{\"type\":\"user\",\"x\":{}", "[".repeat(1 << 20));
    let (_, told) = problems(&store, &deep, false);
    assert!(told[0].2.contains("nested deeper"), "{told:?}");
    let long = format!("{{\"type\":\"user\",\"x\":\"{}\"}}", "y".repeat(3 << 20));
    let (_, told) = problems(&store, &long, false);
    assert!(told[0].2.starts_with("a line of at most"), "{told:?}");
    let mut bytes = marked.as_bytes().to_vec();
    bytes.extend_from_slice(b"{\"type\":\"user\",\"id\":\"\xff\"}\n");
    let report = store.import(&mut bytes.as_slice(), true).unwrap();
    assert_eq!((report.imported, report.problems[0].line), (1, 2));
    sound(&store);
}
