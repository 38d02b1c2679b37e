//! What tests read from pages and do on them, in the words of what is on screen.

use rollcall_tests::Dashboard;
use serde_json::{Value, json};

/// The texts of the cells of the table with this caption, without the rows that only keep room; empty if there is none.
pub(super) async fn rows(dashboard: &Dashboard, caption: &str) -> Vec<Vec<String>> {
    let script = "const table = [...document.querySelectorAll('table.data')].find((one) => one.caption.textContent === arguments[0]);
        return table ? [...table.tBodies[0].rows].filter((row) => !row.classList.contains('gap')).map((row) => [...row.cells].map((cell) => cell.textContent.trim())) : [];";
    serde_json::from_value(dashboard.browser.run(script, &[json!(caption)]).await).unwrap()
}

/// Waits until the table with this caption has so many rows, those that are scrolled out of view too.
pub(super) async fn wait_for_rows(dashboard: &Dashboard, caption: &str, count: usize) {
    let expression = format!(
        "Number([...document.querySelectorAll('table.data')].find((one) => one.caption.textContent === {})?.getAttribute('aria-rowcount') ?? 1) === {}",
        json!(caption),
        count + 1
    );
    dashboard.browser.wait_until(&format!("{caption}: {count} rows"), &expression).await;
}

/// The number with this label; null if there is none.
pub(super) async fn stat(dashboard: &Dashboard, label: &str) -> Value {
    let script = "const found = [...document.querySelectorAll('.stat')].find((one) => one.querySelector('.stat-label').textContent === arguments[0]);
        const value = found?.querySelector('.stat-value data')?.value;
        return value === undefined ? null : Number(value);";
    let number = dashboard.browser.run(script, &[json!(label)]).await;
    number.as_f64().filter(|number| number.fract() == 0.0).map_or(number, |number| json!(number as i64))
}

/// Waits until the number with this label is that.
pub(super) async fn wait_for_stat(dashboard: &Dashboard, label: &str, value: usize) {
    let expression = format!(
        "[...document.querySelectorAll('.stat')].find((one) => one.querySelector('.stat-label').textContent === {}).querySelector('data').value === '{value}'",
        json!(label)
    );
    dashboard.browser.wait_until(&format!("{label} is {value}"), &expression).await;
}

/// Waits until a text is on the page.
pub(super) async fn wait_for_text(dashboard: &Dashboard, text: &str) {
    dashboard.browser.wait_until(text, &format!("document.body.innerText.includes({})", json!(text))).await;
}

/// Writes into the field with this label, in place of what is in it.
pub(super) async fn fill(dashboard: &Dashboard, label: &str, text: &str) {
    let find = include_str!("../../src/browser/named.js");
    dashboard.browser.named("input, textarea", label).await;
    let script = format!(
        "const field = ({find})('input, textarea', arguments[0]);
        const of = field instanceof HTMLTextAreaElement ? HTMLTextAreaElement : HTMLInputElement;
        Object.getOwnPropertyDescriptor(of.prototype, 'value').set.call(field, arguments[1]);
        for (const kind of ['input', 'change']) field.dispatchEvent(new Event(kind, {{ bubbles: true }}));"
    );
    dashboard.browser.run(&script, &[json!(label), json!(text)]).await;
}

/// Chooses from the list with this label.
pub(super) async fn choose(dashboard: &Dashboard, label: &str, value: &str) {
    let script = "const select = [...document.querySelectorAll('select')].find((one) => one.labels[0]?.querySelector('span')?.textContent === arguments[0]);
        select.value = arguments[1]; select.dispatchEvent(new Event('change', { bubbles: true }));";
    dashboard.browser.run(script, &[json!(label), json!(value)]).await;
}

/// Whether the button with this name can be pressed.
pub(super) async fn is_enabled(dashboard: &Dashboard, button: &str) -> bool {
    dashboard.browser.named("button", button).await.is_enabled().await.unwrap()
}

/// Checks that nothing keeps anybody out of what is shown, in light and dark colours.
pub(super) async fn assert_no_barriers(dashboard: &Dashboard, look: rollcall_tests::Look) {
    for look in [look, look.dark()] {
        dashboard.browser.set_look(look).await;
        let scheme = if look.is_dark { "dark" } else { "light" };
        dashboard.browser.wait_until("the theme has changed", &format!("document.documentElement.dataset.theme === '{scheme}'")).await;
        assert_eq!(dashboard.barriers().await, Vec::<String>::new(), "{scheme}");
    }
}
