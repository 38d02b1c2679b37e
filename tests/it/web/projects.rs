//! Projects: made and changed as the API has them, and events are deleted only after it was typed.

use reqwest::Method;
use rollcall_tests::{App, Dashboard, Look, event, wait_until};
use serde_json::{Value, json};

use super::reading::{assert_no_barriers, fill, is_enabled, rows, wait_for_rows, wait_for_text};
use super::taken::csv;

const TABLE: &str = "Projects, by name";

async fn project(app: &App, name: &str) -> Value {
    let (_, answer) = app.get("/admin/projects?limit=1000").await;
    answer["data"].as_array().unwrap().iter().find(|project| project["name"] == name).cloned().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_is_made_with_its_zone_and_limits_and_can_get_a_key() {
    let app = App::start_without_workers(Vec::new()).await;
    let dashboard = Dashboard::open(&app).await;
    dashboard.show("projects").await;
    dashboard.browser.click("a", "Make a project").await;
    assert_eq!(dashboard.browser.address().await, format!("{}/ui/projects?make=yes", app.url));
    fill(&dashboard, "Name", "shop").await;
    let zone = dashboard.browser.named("input", "Time zone").await;
    zone.clear().await.unwrap();
    zone.send_keys("kiritim").await.unwrap();
    let suggested = "document.querySelector('[role=option]')?.textContent === 'Pacific/Kiritimati'";
    dashboard.browser.wait_until("the zone is suggested", suggested).await;
    dashboard.browser.find("[role=option]").await.click().await.unwrap();
    fill(&dashboard, "Keep events for days", "90").await;
    fill(&dashboard, "Events a second", "5000").await;
    assert_no_barriers(&dashboard, Look::DESK).await;
    dashboard.browser.click("button", "Make the project").await;
    wait_for_text(&dashboard, "The project shop was made.").await;
    let mut made = project(&app, "shop").await;
    made.as_object_mut().unwrap().remove("created_at");
    assert_eq!(
        made,
        json!({"name": "shop", "time_zone": "Pacific/Kiritimati", "retention_days": 90,
               "limits": {"requests_per_second": null, "events_per_second": 5000, "max_event_types": null}})
    );
    wait_for_rows(&dashboard, TABLE, 2).await;
    let shown: Vec<_> = rows(&dashboard, TABLE).await.into_iter().map(|row| row[..6].to_vec()).collect();
    assert_eq!(
        shown,
        [
            ["default", "UTC", "for ever", "default", "default", "default"],
            ["shop", "Pacific/Kiritimati", "90 days", "default", "5,000", "default"]
        ]
    );
    let saved = csv(&dashboard, "projects").await;
    assert!(saved[2].starts_with("shop,Pacific/Kiritimati,90,,5000,,"), "{saved:?}");
    dashboard.browser.click("table.data a", "shop").await;
    dashboard.settled().await;
    dashboard.browser.click("a", "Keys").await;
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said_at_its_field_and_nothing_is_made() {
    let app = App::start_without_workers(Vec::new()).await;
    let dashboard = Dashboard::open(&app).await;
    dashboard.show("projects?make=yes").await;
    fill(&dashboard, "Name", "No Such Name").await;
    fill(&dashboard, "Time zone", "Berlin").await;
    dashboard.browser.click("button", "Make the project").await;
    dashboard.browser.wait_until("the field is marked", "document.querySelector('input[aria-invalid=true]')").await;
    let said = dashboard.browser.texts(".field .wrong").await;
    assert!(said[0].contains("must have 1 to 100 of the characters"), "{said:?}");
    assert!(said[1].contains("must be the IANA name of a time zone"), "{said:?}");
    assert_eq!(app.get("/admin/projects").await.1["data"].as_array().unwrap().len(), 1);
    assert_no_barriers(&dashboard, Look::DESK).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keeping_events_for_a_shorter_time_must_be_typed_and_for_a_longer_one_not() {
    let app = App::start_without_workers(Vec::new()).await;
    app.make_project("shop", "UTC").await;
    let dashboard = Dashboard::open(&app).await;
    let save = async |days: &str| {
        dashboard.show("projects?project=shop").await;
        fill(&dashboard, "Keep events for days", days).await;
        dashboard.browser.click("button", "Save").await;
    };
    save("90").await;
    let asked = dashboard.browser.text("dialog").await;
    assert!(asked.contains("keeps events for ever") && asked.contains("90 days"), "{asked}");
    assert!(!is_enabled(&dashboard, "Save and delete").await);
    assert_eq!(project(&app, "shop").await["retention_days"], Value::Null);
    dashboard.browser.find("dialog input").await.send_keys("shop").await.unwrap();
    dashboard.browser.click("dialog button", "Save and delete").await;
    wait_for_text(&dashboard, "The project shop was changed.").await;
    assert_eq!(project(&app, "shop").await["retention_days"], 90);
    for (days, kept) in [("120", json!(120)), ("", Value::Null)] {
        save(days).await;
        wait_for_text(&dashboard, "The project shop was changed.").await;
        assert_eq!(project(&app, "shop").await["retention_days"], kept);
    }
    save("365").await;
    dashboard.browser.find("dialog").await;
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_zone_is_shown_everywhere_and_is_final_after_the_first_event() {
    let app = App::start().await;
    let dashboard = Dashboard::open(&app).await;
    let change = async |zone: &str| {
        dashboard.show("projects?project=default").await;
        fill(&dashboard, "Time zone", zone).await;
        dashboard.browser.click("button", "Save").await;
    };
    change("Asia/Tokyo").await;
    wait_for_text(&dashboard, "The project default was changed.").await;
    assert_eq!(project(&app, "default").await["time_zone"], "Asia/Tokyo");
    wait_until("the menu shows the time zone", async || {
        dashboard.browser.text(".project").await.contains("Asia/Tokyo").then_some(())
    })
    .await;
    dashboard.check().await;
    app.send(&json!([event("e", "u", "t", "2026-03-01T10:00:00Z")])).await;
    app.wait_until_stored().await;
    change("Europe/Berlin").await;
    let said = dashboard.browser.text(".notice.problem").await;
    assert!(said.contains("time zone"), "{said}");
    assert_eq!(project(&app, "default").await["time_zone"], "Asia/Tokyo");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_of_a_project_changes_it_but_neither_its_limits_nor_others() {
    let app = App::start_without_workers(Vec::new()).await;
    app.make_project("shop", "UTC").await;
    app.make_project("other", "UTC").await;
    let limits = json!({"limits": {"requests_per_second": 50}});
    assert_eq!(app.admin(Method::PATCH, "/admin/projects/shop", &limits).await.0, 200);
    let key = app.make_key("shop", &["admin"]).await.key;
    let dashboard = Dashboard::open_as(&app.url, &key, Look::DESK).await;
    dashboard.show("projects?make=yes").await;
    wait_for_rows(&dashboard, TABLE, 1).await;
    assert_eq!(rows(&dashboard, TABLE).await[0][0], "shop");
    let said = dashboard.browser.text("main").await;
    assert!(!said.contains("Make a project") && !said.contains("A new project"), "{said}");
    dashboard.show("projects?project=shop").await;
    let fields = dashboard.browser.texts("main form label").await;
    assert!(!fields.iter().any(|label| label == "Requests a second"), "{fields:?}");
    fill(&dashboard, "Keep events for days", "30").await;
    dashboard.browser.click("button", "Save").await;
    dashboard.browser.find("dialog input").await.send_keys("shop").await.unwrap();
    dashboard.browser.click("dialog button", "Save and delete").await;
    wait_for_text(&dashboard, "The project shop was changed.").await;
    let changed = project(&app, "shop").await;
    assert_eq!((&changed["retention_days"], &changed["limits"]["requests_per_second"]), (&json!(30), &json!(50)));
    dashboard.show("projects?project=other").await;
    wait_for_text(&dashboard, "There is no such project").await;
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_projects_are_listed_with_few_rows_in_the_document() {
    let app = App::start_without_workers(Vec::new()).await;
    let insert = "insert into projects (name) select 'p' || lpad(n::text, 5, '0') from generate_series(1, 9999) n";
    sqlx::query(insert).execute(&app.pool).await.unwrap();
    let dashboard = Dashboard::open(&app).await;
    dashboard.show("projects").await;
    wait_for_rows(&dashboard, TABLE, 100).await;
    for read in (1_100..10_000).step_by(1_000).chain([10_000]) {
        dashboard.browser.click("button", "Load more").await;
        wait_for_rows(&dashboard, TABLE, read).await;
    }
    wait_for_text(&dashboard, "All 10,000 projects").await;
    assert!(rows(&dashboard, TABLE).await.len() < 150);
    dashboard.browser.run("const room = document.querySelector('.table-room'); room.scrollTop = room.scrollHeight", &[]).await;
    dashboard
        .browser
        .wait_until(
            "the last one is in view",
            "[...document.querySelectorAll('table.data tbody tr')].at(-1).textContent.startsWith('p09999')",
        )
        .await;
    dashboard.browser.click("button.sort", "Name").await;
    dashboard.browser.run("document.querySelector('.table-room').scrollTop = 0", &[]).await;
    dashboard
        .browser
        .wait_until("it is in another order", "document.querySelector('table.data tbody tr').textContent.startsWith('p09999')")
        .await;
    dashboard.show("projects?project=p09999").await;
    dashboard.browser.named("button", "Save").await;
    dashboard.check().await;
}
