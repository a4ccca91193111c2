use super::*;

fn legs_of(text: &str) -> Vec<Vec<(String, Vec<String>)>> {
    let dial = parse(text);
    let leg = |leg: &ParsedLeg| {
        let variables = leg.variables.iter().map(|(n, v)| format!("{n}={v}"));
        (leg.endpoint.clone(), variables.collect())
    };
    let groups = dial.groups.iter();
    groups.map(|legs| legs.iter().map(leg).collect()).collect()
}

fn leg(endpoint: &str, variables: &[&str]) -> (String, Vec<String>) {
    let variables = variables.iter().map(|v| (*v).to_owned()).collect();
    (endpoint.to_owned(), variables)
}

#[test]
fn groups_legs_and_blocks() {
    let dial = parse(" <u=0>{a=1,b=2}{^^:c=3,4:d=5} [e=6,f=7]x/1,[^^!g=8,9!h=1=2]x/2|x/3");
    let global: Vec<_> = dial
        .global
        .iter()
        .map(|(n, v)| format!("{n}={v}"))
        .collect();
    assert_eq!(global, ["u=0", "a=1", "b=2", "c=3,4", "d=5"]);
    assert_eq!(dial.faults, []);
    assert_eq!(dial.groups.len(), 2);
    assert_eq!(
        legs_of("[e=6,f=7]x/1,[^^!g=8,9!h=1=2]x/2|x/3"),
        [
            vec![leg("x/1", &["e=6", "f=7"]), leg("x/2", &["g=8,9", "h=1=2"])],
            vec![leg("x/3", &[])],
        ]
    );
    assert_eq!(legs_of("[a=1][b=2] x"), [[leg("x", &["a=1", "b=2"])]]);
    assert_eq!(dial.groups[1][0].parts(), ("x", "3"));
}

// The rows of device specification 2.2, each seen on a running FreeSWITCH.

#[test]
fn quotes_do_not_protect_a_comma_in_a_leg_block() {
    assert_eq!(legs_of("[a=1,b='x,y']z"), [[leg("z", &["a=1", "b=x"])]]);
    assert_eq!(legs_of("[^^!a=1!b=x,y]z"), [[leg("z", &["a=1", "b=x,y"])]]);
}

#[test]
fn a_pipe_in_a_block_splits_the_string() {
    let dial = parse("[^^!a=x|y]z");
    assert!(dial.groups.is_empty());
    assert!(matches!(dial.faults.as_slice(), [Fault::Unbalanced(_)]));
}

#[test]
fn an_unbalanced_bracket_lets_the_value_choose_the_endpoint() {
    assert_eq!(
        legs_of("[^^!a=x]sofia/gateway/toll/900!b=1]z"),
        [[leg("sofia/gateway/toll/900!b=1]z", &["a=x"])]]
    );
    let dial = parse("[^^!a=x[y]z");
    assert!(matches!(dial.faults.as_slice(), [Fault::Unbalanced(_)]));
    assert_eq!(legs_of("[^^!a=x[y]z]e"), [[leg("e", &["a=x[y]z"])]]);
}

#[test]
fn apostrophes_pair_up_across_legs_and_groups() {
    assert_eq!(legs_of("[^^!a=it's]x/1|[^^!a=it's]x/2").len(), 1);
    assert_eq!(
        legs_of("[^^!a=it's]x/1,[^^!a=it's]x/2"),
        [[leg("x/1", &["a=its"]), leg("x/2", &["a=its"])]]
    );
    assert_eq!(legs_of("[^^!a=it's]x/1"), [[leg("x/1", &["a=it's"])]]);
}

#[test]
fn backslash_letters_become_control_characters() {
    assert_eq!(legs_of(r"[^^!a=x\ny]z"), [[leg("z", &["a=x\ny"])]]);
}

#[test]
fn variables_enterprise_and_lists_are_faults() {
    let faults = |text: &str| parse(text).faults;
    assert_eq!(
        faults("[^^!a=${system(id)}]x"),
        [Fault::Expansion("system(id)".into())]
    );
    assert_eq!(faults("[^^!a=b:_:c]x").first(), Some(&Fault::Enterprise));
    assert_eq!(parse("<g=1>x/1:_:x/2").enterprise.len(), 2);
    assert_eq!(faults("[^^!a=ARRAY::b]x"), [Fault::List("a".into())]);
    assert_eq!(faults("%[a=b]x"), [Fault::ScopedVariables]);
    assert_eq!(faults("[a=1\\]x"), [Fault::Overrun]);
    assert_eq!(faults("[^^]x"), [Fault::Overrun]);
    assert_eq!(faults("{a=1}"), [Fault::NothingToDial]);
    assert_eq!(faults(""), [Fault::NothingToDial]);
    assert!(matches!(faults("{a=1").as_slice(), [Fault::Unbalanced(_)]));
}

#[test]
fn empty_values_are_unset_and_the_last_of_a_name_counts() {
    assert_eq!(
        legs_of("[^^!a=!b=1!A=2!B=3]x"),
        [[leg("x", &["A=2", "B=3"])]]
    );
    assert_eq!(legs_of("[^^!a=!b= !c]x"), [[leg("x", &[])]]);
}

#[test]
fn a_global_variable_wins_unless_it_is_told_otherwise() {
    let dial = parse("{a=g,b=g}[a=l,c=l]x");
    let leg = &dial.groups[0][0];
    assert_eq!(dial.variable(leg, "A"), Some("g"));
    assert_eq!(dial.variable(leg, "b"), Some("g"));
    assert_eq!(dial.variable(leg, "c"), Some("l"));
    let dial = parse("{a=g,local_var_clobber=yes}[a=l]x");
    assert_eq!(dial.variable(&dial.groups[0][0], "a"), Some("l"));
}

#[test]
fn bounds() {
    let text = vec!["x"; 200].join("|");
    let groups = parse(&text).groups;
    assert_eq!(groups.len(), 128);
    assert!(groups[127][0].endpoint.starts_with("x|x"));
    assert_eq!(parse("a\0b").groups[0][0].endpoint, "a");
    for text in [
        "[",
        "]",
        "{",
        "'",
        "\\",
        "^^",
        "[^^",
        "[^^!",
        "[^^!]",
        "[]",
        ":_:",
        "[a][[b]c]d",
    ] {
        let _ = parse(text);
    }
}
