//! Live events: they come as they are accepted, never move what is being read, and say what is missing.

use rollcall_tests::{App, Dashboard, KEY, LiveReader, Look, event};
use serde_json::{Value, json};

use super::reading::{assert_no_barriers, rows, stat, wait_for_rows, wait_for_stat, wait_for_text};
use super::taken::csv;

const LIST: &str = "Events, latest first";
const STATE: &str = "document.querySelector('.live-state [role=status]').textContent";

async fn open(dashboard: &Dashboard, page: &str) {
    dashboard.show(page).await;
    dashboard.browser.wait_until("the stream is open", &format!("{STATE} === 'Live'")).await;
}

fn events(name: &str, count: usize) -> Value {
    json!((0..count).map(|n| event(&format!("{name}-{n}"), "ada", "login", "2026-03-01T10:00:00Z")).collect::<Vec<_>>())
}

#[tokio::test(flavor = "multi_thread")]
async fn events_come_as_they_are_accepted_with_what_the_api_says_of_them() {
    let app = App::start().await;
    let dashboard = Dashboard::open(&app).await;
    open(&dashboard, "live").await;
    wait_for_text(&dashboard, "No events yet").await;
    for user in ["مستخدم-صفر", "🦊", "=1+1"] {
        app.send(&json!([{"event_type": "login", "user_id": user, "properties": {"exact": 12_345_678_901_234_567_890_u64, "user": user}}])).await;
    }
    wait_for_rows(&dashboard, LIST, 3).await;
    app.wait_until_stored().await;
    let (_, stored) = app.get("/events").await;
    let expected: Vec<_> = stored["data"].as_array().unwrap().iter().map(|one| [&one["event_type"], &one["user_id"], &one["event_id"]].map(|text| text.as_str().unwrap().to_owned())).collect();
    let shown = rows(&dashboard, LIST).await;
    assert_eq!(shown.iter().map(|row| [1, 2, 3].map(|at| row[at].clone())).collect::<Vec<_>>(), expected);
    assert!(shown[0][4].contains("exact: 12345678901234567890"), "{shown:?}");
    assert_eq!((stat(&dashboard, "Seen").await, stat(&dashboard, "Missed").await), (json!(3), json!(0)));

    let lines = csv(&dashboard, "live-events").await;
    assert!(lines.len() == 4 && lines[0].starts_with("event_id,event_type,user_id,") && lines[1].contains(",'=1+1,"), "{lines:?}");
    assert!(lines[1].contains("12345678901234567890"), "{lines:?}");

    dashboard.browser.run("document.querySelector('table.data tbody button').click()", &[]).await;
    wait_for_text(&dashboard, "Stored.").await;
    assert_no_barriers(&dashboard, Look::DESK).await;
    dashboard.check().await;
}

/// Where the row of an event is on the screen; null if it is not there.
async fn place(dashboard: &Dashboard, id: &str) -> Value {
    let script = "const cell = [...document.querySelectorAll('table.data tbody .id')].find((one) => one.textContent === arguments[0]);
        return cell ? cell.getBoundingClientRect().top : null";
    dashboard.browser.run(script, &[json!(id)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn new_events_never_move_what_is_being_read() {
    let app = App::start_without_workers(Vec::new()).await;
    let dashboard = Dashboard::open(&app).await;
    let browser = &dashboard.browser;
    open(&dashboard, "live").await;
    app.send(&events("first", 60)).await;
    wait_for_rows(&dashboard, LIST, 60).await;
    let move_pointer = async |x: f64, y: f64| {
        browser.devtools("Input.dispatchMouseEvent", json!({"type": "mouseMoved", "x": x, "y": y})).await;
    };
    let cell = "[...document.querySelectorAll('table.data tbody tr')[7].querySelectorAll('.id')].at(-1)";
    for (total, reading) in (1..).zip(["scrolls", "selects", "points", "has the focus", "has paused"]) {
        match reading {
            "scrolls" => drop(browser.run("document.querySelector('.table-room').scrollTop = 200", &[]).await),
            "selects" => drop(browser.run(&format!("getSelection().selectAllChildren({cell})"), &[]).await),
            "points" => {
                browser.run("document.querySelector('.table-room').scrollIntoView({ block: 'center' })", &[]).await;
                let at = browser.run("const box = document.querySelectorAll('table.data tbody tr')[3].getBoundingClientRect(); return [box.x + 30, box.y + 9]", &[]).await;
                move_pointer(at[0].as_f64().unwrap(), at[1].as_f64().unwrap()).await;
            }
            "has the focus" => drop(browser.run("document.querySelectorAll('table.data tbody button')[2].focus({ preventScroll: true })", &[]).await),
            _ => browser.click("button", "Pause").await,
        }
        let read = browser.run(&format!("return {cell}.textContent"), &[]).await;
        let read = read.as_str().unwrap();
        let before = place(&dashboard, read).await;
        app.send(&events(reading, 5)).await;
        browser.named("button", "Show 5 new events").await;
        assert_eq!(place(&dashboard, read).await, before, "somebody {reading}");
        wait_for_rows(&dashboard, LIST, 55 + total * 5).await;

        browser.run("getSelection().removeAllRanges(); document.activeElement.blur()", &[]).await;
        match reading {
            // Scrolled, they would wait for ever.
            "scrolls" => browser.click("button", "Show 5 new events").await,
            "points" => move_pointer(1.0, 1.0).await,
            "has paused" => browser.click("button", "Resume").await,
            _ => {}
        }
        wait_for_rows(&dashboard, LIST, 60 + total * 5).await;
        assert_eq!(rows(&dashboard, LIST).await[0][3], format!("{reading}-4"), "the latest is the first");
        assert_eq!(browser.run("return document.querySelector('.table-room').scrollTop", &[]).await, 0);
    }
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_are_in_the_address_and_pass_what_matches() {
    let app = App::start_without_workers(Vec::new()).await;
    let dashboard = Dashboard::open(&app).await;
    open(&dashboard, "live?event_type=buy%20now&user_id=ada").await;
    wait_for_text(&dashboard, "Nothing matches this filter yet").await;
    app.send(&json!([
        event("e1", "ada", "login", "2026-03-01T10:00:00Z"),
        event("e2", "bob", "buy now", "2026-03-01T10:00:00Z"),
        event("e3", "ada", "buy now", "2026-03-01T10:00:00Z"),
    ]))
    .await;
    wait_for_rows(&dashboard, LIST, 1).await;
    assert_eq!(rows(&dashboard, LIST).await[0][3], "e3");
    assert_eq!(stat(&dashboard, "Seen").await, 1);
    dashboard.browser.click("button", "Remove the filter User ada").await;
    dashboard.browser.wait_until("it is another stream", &format!("{STATE} === 'Live' && document.querySelector('.empty')")).await;
    assert_eq!(dashboard.browser.address().await, format!("{}/ui/live?event_type=buy+now", app.url));
    app.send(&json!([event("e4", "bob", "buy now", "2026-03-01T10:00:00Z")])).await;
    wait_for_rows(&dashboard, LIST, 1).await;
    assert_eq!(rows(&dashboard, LIST).await[0][3], "e4");
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_slow_page_missed_is_counted_and_shown_in_its_place() {
    const BATCHES: usize = 60;
    const BATCH: usize = 50;
    let app = App::start_without_workers(Vec::new()).await;
    let dashboard = Dashboard::open(&app).await;
    open(&dashboard, "live").await;
    // While this question is open, the page reads nothing.
    dashboard.browser.run("setTimeout(() => alert('the page stands still'))", &[]).await;
    let noise = "x".repeat(16_000);
    for batch in 0..BATCHES {
        let events: Vec<_> = (0..BATCH).map(|n| json!({"event_id": format!("{batch}-{n}"), "event_type": "t", "user_id": "u", "properties": {"noise": noise}})).collect();
        app.send(&json!(events)).await;
    }
    dashboard.browser.accept_alert().await;
    let numbers = "const number = (label) => Number([...document.querySelectorAll('.stat')].find((one) => one.querySelector('.stat-label').textContent === label).querySelector('data').value)";
    dashboard.browser.wait_until("everything is accounted for", &format!("(() => {{ {numbers}; return number('Seen') + number('Missed') === {} }})()", BATCHES * BATCH)).await;
    let missed = stat(&dashboard, "Missed").await.as_i64().unwrap();
    assert!(missed > 0, "it missed nothing");
    let seen = stat(&dashboard, "Seen").await.as_i64().unwrap();
    // There is room again, so the next one comes.
    app.send(&events("after", 1)).await;
    wait_for_stat(&dashboard, "Seen", usize::try_from(seen).unwrap() + 1).await;
    assert_eq!(stat(&dashboard, "Missed").await, missed);
    let lines = csv(&dashboard, "live-events").await;
    assert!(lines[1].starts_with("after-0,"), "{}", lines[1]);
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_latest_thousand_are_kept_and_few_of_them_are_in_the_document() {
    let app = App::start_without_workers(Vec::new()).await;
    let dashboard = Dashboard::open(&app).await;
    open(&dashboard, "live").await;
    for batch in 0..15 {
        app.send(&events(&format!("b{batch}"), 100)).await;
        wait_for_stat(&dashboard, "Seen", (batch + 1) * 100).await;
    }
    wait_for_rows(&dashboard, LIST, 1000).await;
    wait_for_text(&dashboard, "keeps the latest 1,000 events").await;
    let shown = rows(&dashboard, LIST).await;
    assert!(shown.len() < 150, "{} rows are in the document", shown.len());
    assert_eq!(shown[0][3], "b14-99");
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_comes_back_and_the_gap_is_shown() {
    let app = App::start_without_workers(Vec::new()).await;
    let (mut api, url) = app.process("api");
    api.start();
    app.wait_until_ready(&url).await;
    let dashboard = Dashboard::open_as(&url, KEY, Look::DESK).await;
    open(&dashboard, "live").await;
    app.send(&events("before", 1)).await;
    wait_for_rows(&dashboard, LIST, 1).await;
    api.kill();
    dashboard.browser.wait_until("it says so", &format!("{STATE} === 'Connecting again'")).await;
    // Another replica accepts these, and the one that comes back has never heard of them.
    app.send(&events("meanwhile", 2)).await;
    api.start();
    dashboard.browser.wait_until("it is back", &format!("{STATE} === 'Live'")).await;
    wait_for_rows(&dashboard, LIST, 2).await;
    app.send(&events("after", 1)).await;
    wait_for_rows(&dashboard, LIST, 3).await;
    let shown: Vec<_> = rows(&dashboard, LIST).await.into_iter().map(|row| format!("{}{}", row[3], if row[3].is_empty() { &row[1] } else { "" })).collect();
    assert_eq!(shown, ["after-0", "Some events were missed here", "before-0"]);
    wait_for_text(&dashboard, "and more, nobody knows how many").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_stream_says_why_and_begins_when_there_is_room() {
    let app = App::start_without_workers(vec![("LIVE_MAX_READERS_PER_KEY", "1".to_owned())]).await;
    let other = LiveReader::connect(&app, &app.url, "").await;
    let dashboard = Dashboard::open(&app).await;
    dashboard.browser.open(&format!("{}/ui/live", app.url)).await;
    dashboard.browser.wait_until("it waits", &format!("{STATE} === 'Connecting again'")).await;
    let said = dashboard.browser.text(".live-bar").await;
    assert!(said.contains('1'), "the limit is named: {said}");
    drop(other);
    dashboard.browser.wait_until("there is room", &format!("{STATE} === 'Live'")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_ends_the_stream_and_the_form_is_shown() {
    let app = App::start().await;
    let key = app.make_key("default", &["read"]).await;
    let dashboard = Dashboard::open_as(&app.url, &key.key, Look::DESK).await;
    open(&dashboard, "live").await;
    app.call(reqwest::Method::DELETE, &format!("/admin/keys/{}", key.id)).await;
    let said = dashboard.browser.text(".sign-in [role=status]").await;
    assert_eq!(said, "The session has ended. Sign in again to go on where you were.");
}
