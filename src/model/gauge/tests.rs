//! Expressions and presets: what they come to, and how mistakes in them are told.

use proptest::prelude::*;

use super::expression::Absent;
use super::*;

fn page() -> Page {
    Page {
        series: vec![
            Series::new("busy", 3.0).with("pool", "a"),
            Series::new("busy", 4.0).with("pool", "b"),
            Series::new("max", 10.0),
            Series::new("nothing", f64::NAN),
            Series::new("zero", 0.0),
            Series::new("gunicorn.workers", 4.0),
        ],
        malformed: Malformed::default(),
    }
}

fn value(text: &str) -> Result<Value, Absent> {
    text.parse::<Expression>().unwrap().value(&page())
}

#[test]
fn expressions_come_to_what_the_page_says() {
    for (text, expected) in [
        ("busy", 7.0), // several series are their sum
        ("sum(busy)", 7.0),
        ("max(busy)", 4.0),
        ("count(busy)", 2.0),
        ("busy{pool=\"a\"}", 3.0),
        ("busy{pool!='a'}", 4.0),
        ("busy{pool=\"b\", pool!=\"a\"}", 4.0),
        ("busy{other=\"\"}", 7.0), // a label that is not there is empty
        ("max - busy", 3.0),
        ("max - busy - 1", 2.0), // from the left
        ("max - (busy - 1)", 4.0),
        ("2 * busy + max / 4", 16.5),
        ("-max + 20", 10.0),
        ("gunicorn.workers", 4.0),
        ("absent or busy", 7.0),
        ("absent - busy or max", 10.0), // an alternative is there as a whole or not
        ("(absent or 2) * max", 20.0),
        ("zero or busy", 0.0), // zero is a value
    ] {
        let value = value(text).unwrap();
        assert!((value.value - expected).abs() < 1e-9, "{text}: {value:?}");
        assert!(!value.stated, "{text}");
    }
    let stated = value("absent or 200").unwrap();
    assert!(stated.stated && (stated.value - 200.0).abs() < 1e-9);
}

#[test]
fn what_a_page_does_not_say_is_absent_and_never_zero() {
    assert_eq!(
        value("absent{a=\"b\"}"),
        Err(Absent::Metric("absent{a=\"b\"}".into()))
    );
    assert_eq!(
        value("busy{pool=\"c\"} or gone"),
        Err(Absent::Metric("gone".into()))
    );
    for text in ["nothing", "max(nothing)", "busy / zero", "nothing or busy"] {
        assert_eq!(value(text), Err(Absent::NotANumber), "{text}");
    }
    let roles = Roles {
        busy: "zero - max".parse().ok(),
        workers: "absent or 5".parse().ok(),
        queue: None,
        completed: None,
    };
    let reading = roles.reading(&page());
    assert!(!reading.holds()); // a stated number alone is no reading
    assert_eq!(
        reading.missing().collect::<Vec<_>>(),
        [("busy", &Unread::Unfit("below zero"))]
    );
    assert_eq!(reading.queue, None);
}

#[test]
fn what_no_server_can_have_is_no_level() {
    for (value, told) in [
        (f64::INFINITY, Some("busy: it is not a number")),
        (f64::NEG_INFINITY, Some("busy: it is not a number")),
        (f64::NAN, Some("busy: it is not a number")),
        (-0.5, Some("busy: it is below zero")),
        (
            1e300,
            Some("busy: it is over 1,000,000,000, more than any server has"),
        ),
        (1e9, None),
        (0.0, None),
    ] {
        let page = Page {
            series: vec![Series::new("busy", value)],
            malformed: Malformed::default(),
        };
        let roles = Roles {
            busy: "busy".parse().ok(),
            workers: None,
            queue: "gone".parse().ok(),
            completed: None,
        };
        let reading = roles.reading(&page);
        assert_eq!(reading.unfit().as_deref(), told, "{value}");
        assert_eq!(reading.holds(), told.is_none(), "{value}");
    }
}

#[test]
fn names_in_quotes_are_read_and_written() {
    let page = Page {
        series: vec![
            Series::new("executor.active", 3.0).with("pool.name", "web"),
            Series::new("größe \"x\"", 4.0),
            Series::new("or", 5.0),
        ],
        malformed: Malformed::default(),
    };
    for (text, printed, expected) in [
        ("{\"executor.active\"}", "executor.active", 3.0),
        (
            "{'executor.active', \"pool.name\"=\"web\"}",
            "executor.active{pool.name=\"web\"}",
            3.0,
        ),
        (
            "max({\"größe \\\"x\\\"\"}) + {'or', l!=\"x\"}",
            "max({\"größe \\\"x\\\"\"}) + {\"or\", l!=\"x\"}",
            9.0,
        ),
    ] {
        let expression: Expression = text.parse().unwrap();
        assert_eq!(expression.to_string(), printed);
        assert_eq!(printed.parse::<Expression>().unwrap(), expression);
        let value = expression.value(&page).unwrap().value;
        assert!((value - expected).abs() < 1e-9, "{text}: {value}");
    }
    for (text, told) in [
        ("{}", "at character 2: expected a text in quotes"),
        ("{\"\"}", "at character 4: a metric's name is not empty"),
        ("{\"a\" b=\"c\"}", "at character 6: expected `,` or `}`"),
        ("{\"a\"", "at character 5: expected `,` or `}`"),
    ] {
        let error = text.parse::<Expression>().unwrap_err().to_string();
        assert!(error.starts_with(told), "{text}: {error}");
    }
}

#[test]
fn mistakes_in_an_expression_have_their_place() {
    for (text, told) in [
        ("", "at character 1: expected a metric's name"),
        ("busy +", "at character 7: expected a metric's name"),
        (
            "busy max",
            "at character 6: expected `+`, `-`, `*`, `/`, `or` or the end",
        ),
        ("(busy", "at character 6: expected `)`"),
        (
            "avg(busy)",
            "at character 1: there is no `avg(…)`; there are sum, max and count",
        ),
        ("sum(busy + max)", "at character 10: expected `)`"),
        ("busy{pool}", "at character 10: expected `=` or `!=`"),
        (
            "busy{pool=~\"a\"}",
            "at character 11: labels are compared as they are",
        ),
        ("busy{pool=a}", "at character 11: expected a text in quotes"),
        (
            "busy{pool=\"a}",
            "at character 11: the quotes that open here do not close",
        ),
        (
            "busy{pool=\"a\" x=\"b\"}",
            "at character 15: expected `,` or `}`",
        ),
        (
            "or busy",
            "at character 1: `or` stands between two alternatives",
        ),
        ("1.2.3", "at character 1: `1.2.3` is not a number"),
        ("µ", "at character 1: expected a metric's name"),
    ] {
        let error = text.parse::<Expression>().unwrap_err().to_string();
        assert!(error.starts_with(told), "{text}: {error}");
    }
    assert!("(".repeat(900).parse::<Expression>().is_err());
    assert!("-".repeat(900).parse::<Expression>().is_err());
    assert!("a".repeat(2000).parse::<Expression>().is_err());
}

#[test]
fn every_preset_is_read_and_has_a_name_of_its_own() {
    for preset in &PRESETS {
        for text in [preset.busy, preset.workers, preset.queue, preset.completed] {
            let read = text.parse::<Expression>();
            assert!(text.is_empty() || read.is_ok(), "{}: {read:?}", preset.name);
        }
        assert_eq!(Preset::of(preset.name), Some(preset));
        let roles = Roles::of(preset);
        let some = roles.each().into_iter().any(|(_, own)| own.is_some());
        assert!(some, "{}", preset.name);
    }
}

#[test]
fn a_default_counts_only_where_the_page_has_none_and_says_so() {
    let roles = Roles::of(Preset::of("tomcat").unwrap());
    let busy = Series::new("tomcat_threads_busy_threads", 7.0);
    let max = Series::new("tomcat_threads_config_max_threads", 10.0);
    let mut page = Page {
        series: vec![busy],
        malformed: Malformed::default(),
    };
    let workers = |page: &Page| roles.reading(page).workers.unwrap().unwrap();
    assert!(workers(&page).stated && (workers(&page).value - 200.0).abs() < 1e-9);
    page.series.push(max);
    assert!(!workers(&page).stated && (workers(&page).value - 10.0).abs() < 1e-9);
}

#[test]
fn what_was_completed_is_counted_and_never_stated() {
    let roles = |text: &str| Roles {
        completed: text.parse().ok(),
        ..Roles::default()
    };
    let page = Page {
        series: vec![Series::new("done", 5e9)],
        malformed: Malformed::default(),
    };
    let value = |text: &str| roles(text).reading(&page).completed.unwrap();
    // A count may be far over what a level can be.
    assert!((value("done").unwrap().value - 5e9).abs() < 1e-3);
    // Zero that is stated would say that nothing is ever completed.
    for text in ["gone or 0", "0 - done", "done * done * done"] {
        assert!(
            matches!(value(text), Err(super::Unread::Unfit(_))),
            "{text}"
        );
    }
    assert!(!roles("gone or 0").reading(&page).holds());
}

#[test]
fn an_event_loop_is_a_worker_and_requests_of_libuv_are_none() {
    let roles = Roles::of(Preset::of("node").unwrap());
    let reading = |name, value| {
        roles.reading(&Page {
            series: vec![Series::new(name, value)],
            malformed: Malformed::default(),
        })
    };
    for name in [
        "nodejs_eventloop_utilization",
        "nodejs_eventloop_utilization_ratio",
    ] {
        let blocked = reading(name, 1.0);
        let worker = |value: Option<Result<super::Value, super::Unread>>| {
            let value = value.unwrap().unwrap();
            assert!(!value.stated);
            value.value
        };
        assert!((worker(blocked.busy) - 1.0).abs() < 1e-9, "{name}");
        assert!((worker(blocked.workers) - 1.0).abs() < 1e-9, "{name}");
    }
    // What prom-client publishes while the loop is blocked says nothing of it.
    let blocked = reading("nodejs_active_requests_total", 0.0);
    assert!(matches!(blocked.busy, Some(Err(_))), "{blocked:?}");
    assert!(matches!(blocked.workers, Some(Err(_))), "{blocked:?}");
}

/// Any expression, as text.
fn texts() -> impl Strategy<Value = String> {
    let metric = (
        "[a-z_:][a-z0-9_:.]{0,6}[a-z0-9_]",
        prop::option::of("[a-z\"\\\\ é\n]{0,4}"),
    )
        .prop_filter("a word of the language", |(name, _)| {
            !matches!(name.as_str(), "or" | "sum" | "max" | "count")
        })
        .prop_map(|(name, label)| match label {
            None => name,
            Some(text) => {
                let text = text.replace('\\', "\\\\").replace('"', "\\\"");
                format!("{name}{{l!=\"{text}\"}}")
            }
        });
    let leaf = prop_oneof![
        metric.clone(),
        (0..100_000_u32).prop_map(|number| (f64::from(number) / 8.0).to_string()),
        metric.prop_map(|metric| format!("max({metric})")),
    ];
    leaf.prop_recursive(5, 32, 2, |inner| {
        prop_oneof![
            (
                inner.clone(),
                prop::sample::select(vec!["+", "-", "*", "/", "or"]),
                inner.clone()
            )
                .prop_map(|(one, sign, other)| format!("({one} {sign} {other})")),
            inner.prop_map(|one| format!("-{one}")),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_printed_is_read_back(text in texts()) {
        let expression: Expression = text.parse().unwrap();
        let printed = expression.to_string();
        prop_assert_eq!(&printed.parse::<Expression>().unwrap(), &expression, "{}", printed);
    }

    #[test]
    fn no_text_at_all_makes_the_parser_panic(text in ".{0,60}") {
        let _ = text.parse::<Expression>();
        let _ = text.parse::<GaugeUrl>();
    }
}
