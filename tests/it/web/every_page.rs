//! What holds for every page: it can be used by everybody, on every screen, and it keeps to its policy.

use rollcall_tests::{App, Dashboard, KEY, Look};
use serde_json::json;

use super::history;

/// The pages of the menu and those that others lead to, with ids that exist.
async fn pages(dashboard: &Dashboard) -> Vec<String> {
    let menu = dashboard
        .browser
        .run("return [...document.querySelectorAll('nav a')].map((link) => link.pathname.split('/ui/')[1])", &[])
        .await;
    let mut pages: Vec<_> = menu.as_array().unwrap().iter().map(|page| page.as_str().unwrap().to_owned()).collect();
    assert!(pages.len() > 2, "{pages:?}");
    let first = dashboard.ask("/events?limit=1").await["data"][0].clone();
    for (page, parameter, value) in [
        ("event", "event_id", &first["event_id"]),
        ("user", "id", &first["user_id"]),
        ("session-timeline", "id", &first["session_id"]),
        ("account", "id", &first["account_id"]),
    ] {
        pages.push(format!("{page}?{parameter}={}", value.as_str().unwrap()));
    }
    pages
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_accessible_in_both_themes_and_keeps_to_its_policy() {
    let app = App::start().await;
    history(&app).await;
    let dashboard = Dashboard::open(&app).await;
    let mut barriers = Vec::new();
    for page in pages(&dashboard).await {
        for look in [Look::DESK, Look::DESK.dark()] {
            dashboard.browser.set_look(look).await;
            dashboard.show(&page).await;
            let theme = dashboard.browser.run("return document.documentElement.dataset.theme", &[]).await;
            assert_eq!(theme, if look.is_dark { "dark" } else { "light" });
            let found = dashboard.barriers().await;
            barriers.extend(found.into_iter().map(|barrier| format!("{page} ({}): {barrier}", theme.as_str().unwrap())));
        }
    }
    assert!(barriers.is_empty(), "{barriers:#?}");
    dashboard.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_form_to_sign_in_is_accessible_in_both_themes() {
    let app = App::start_without_workers(Vec::new()).await;
    let dashboard = Dashboard { browser: rollcall_tests::Browser::start(Look::DESK).await, url: app.url.clone() };
    for look in [Look::DESK, Look::DESK.dark()] {
        dashboard.browser.set_look(look).await;
        dashboard.browser.open(&format!("{}/ui/", app.url)).await;
        dashboard.browser.named("input", "API key").await;
        assert_eq!(dashboard.barriers().await, Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_phone_no_page_scrolls_sideways_and_the_menu_is_behind_a_button() {
    let app = App::start().await;
    history(&app).await;
    let desk = Dashboard::open(&app).await;
    let pages = pages(&desk).await;
    let phone = Dashboard::open_as(&app.url, KEY, Look::PHONE).await;
    for page in pages {
        phone.show(&page).await;
        let widths = phone.browser.run("return [document.scrollingElement.scrollWidth, innerWidth]", &[]).await;
        assert_eq!(widths, json!([390, 390]), "{page}");
        assert_eq!(phone.browser.texts("nav a").await.join(""), "", "{page}: the menu is closed");
    }
    phone.browser.click("button", "Menu").await;
    phone.browser.click("nav a", "Overview").await;
    phone.settled().await;
    assert_eq!(phone.browser.text("h1").await, "Overview");
    assert_eq!(phone.browser.texts("nav a").await.join(""), "", "the menu closes after a choice");
    assert_eq!(phone.barriers().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_theme_can_be_chosen_and_stays_chosen() {
    let app = App::start().await;
    history(&app).await;
    let dashboard = Dashboard::open(&app).await;
    let theme = "document.documentElement.dataset.theme";
    let choose = "const select = [...document.querySelectorAll('select')].find((one) => one.labels[0].textContent.startsWith('Theme')); \
                  select.value = arguments[0]; select.dispatchEvent(new Event('change', { bubbles: true }));";
    dashboard.browser.run(choose, &[json!("dark")]).await;
    dashboard.browser.wait_until("it is dark", &format!("{theme} === 'dark'")).await;
    dashboard.show("overview").await;
    assert_eq!(dashboard.browser.run(&format!("return {theme}"), &[]).await, "dark");
    dashboard.browser.run(choose, &[json!("system")]).await;
    dashboard.browser.wait_until("it is as the system", &format!("{theme} === 'light'")).await;
}
